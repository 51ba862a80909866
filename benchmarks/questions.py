"""Which questions does the segment benchmark ask, and how would one write them by hand for the mirror?

Owns eight questions of rising difficulty, each with the DuckDB statements that we could think of; the quickest is what
ours is held against. All count people as things stood at `AS_OF`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.types import to_us

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
NOW, YEAR, QUARTER = (to_us(AS_OF - timedelta(days=days)) for days in (0, 365, 90))
SIXTY_DAYS_US = 60 * 86_400_000_000

IN_YEAR = {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1}
NOT_LATELY = {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "equals": 0}
FEW = {"orders": "count", "at_most": 3}
WORTH = {"orders": "revenue", "at_least": 150_000}
GRANTED = {"consent": "email", "is": "granted"}
GERMAN = {"customer": "country", "is": "DE"}
LAPSED = {"all": [IN_YEAR, NOT_LATELY, FEW, WORTH, GRANTED, GERMAN]}

_BOUGHT = "SELECT customer_id FROM order_lines WHERE category = 'furniture' AND NOT cancelled"
YEAR_SQL = f"{_BOUGHT} AND ordered_at >= {YEAR} AND ordered_at < {NOW}"
QUARTER_SQL = f"{_BOUGHT} AND ordered_at >= {QUARTER} AND ordered_at < {NOW}"
COUNTRY_SQL = "SELECT customer_id FROM addresses WHERE channel = 'letter' AND country = 'DE'"
NEWEST_SQL = f"""SELECT customer_id FROM consents WHERE channel = 'email' AND "at" <= {NOW}
    GROUP BY customer_id HAVING arg_max(state, "at") = 'granted'"""
LAST_WORD_SQL = f"""SELECT customer_id FROM consents c WHERE channel = 'email' AND c.at <= {NOW} AND state = 'granted'
    AND NOT EXISTS (SELECT 1 FROM consents l WHERE l.customer_id = c.customer_id AND l.channel = 'email'
                    AND l.at > c.at AND l.at <= {NOW})"""
_PAST = f"NOT cancelled AND ordered_at < {NOW}"
HAVING_SQL = f"{_PAST} GROUP BY customer_id HAVING count(*) <= 3 AND sum(total_cents) >= 150000"
_AMONG_SQL = NEWEST_SQL.replace("WHERE", "WHERE customer_id IN (SELECT id FROM first) AND")
_LAST_SQL = f"""people AS MATERIALIZED (SELECT id FROM first WHERE id IN ({_AMONG_SQL}))
        SELECT count(*) FROM (SELECT customer_id FROM orders
        WHERE customer_id IN (SELECT id FROM people) AND {HAVING_SQL})"""
_SUMS = f"SELECT customer_id FROM order_sums WHERE any_currency AND last_at < {NOW} AND orders <= 3"
SUMS_SQL = f"""{_SUMS} AND total_cents >= 150000 UNION ALL SELECT customer_id FROM orders WHERE customer_id IN (
    SELECT customer_id FROM order_sums WHERE any_currency AND last_at >= {NOW}) AND {HAVING_SQL}"""
_NOT_LATELY_SQL = f"GROUP BY customer_id HAVING max(ordered_at) < {QUARTER}"
LAPSED_BY_HAND = {
    "sums, then lines, then consents": f"""WITH first AS MATERIALIZED (SELECT id FROM customers
        WHERE forgotten_at IS NULL AND id IN ({SUMS_SQL}) AND id IN ({COUNTRY_SQL})),
        people AS MATERIALIZED (SELECT id FROM first WHERE id IN ({YEAR_SQL}
            AND customer_id IN (SELECT id FROM first) {_NOT_LATELY_SQL}))
        SELECT count(*) FROM people WHERE id IN ({_AMONG_SQL.replace("FROM first", "FROM people")})""",
    "sums with lines and all, then consents": f"""WITH first AS MATERIALIZED (SELECT id FROM customers
        WHERE forgotten_at IS NULL AND id IN ({SUMS_SQL}) AND id IN ({COUNTRY_SQL})
        AND id IN ({YEAR_SQL} {_NOT_LATELY_SQL}))
        SELECT count(*) FROM first WHERE id IN ({_AMONG_SQL})""",
    "sums, then lines and country, then consents": f"""WITH first AS MATERIALIZED ({SUMS_SQL}),
        people AS MATERIALIZED (SELECT id FROM customers WHERE forgotten_at IS NULL
            AND id IN (SELECT customer_id FROM first) AND id IN ({COUNTRY_SQL}) AND id IN ({YEAR_SQL}
            AND customer_id IN (SELECT customer_id FROM first) {_NOT_LATELY_SQL}))
        SELECT count(*) FROM people WHERE id IN ({_AMONG_SQL.replace("FROM first", "FROM people")})""",
    "in three stages": f"""WITH first AS MATERIALIZED (SELECT id FROM customers WHERE forgotten_at IS NULL
        AND id IN ({COUNTRY_SQL}) AND id IN ({YEAR_SQL})
        AND NOT EXISTS (SELECT 1 FROM ({QUARTER_SQL}) q WHERE q.customer_id = id)), {_LAST_SQL}""",
    "in three stages, newest row": f"""WITH first AS MATERIALIZED (SELECT id FROM customers WHERE forgotten_at IS NULL
        AND id IN ({COUNTRY_SQL}) AND id IN ({YEAR_SQL} GROUP BY customer_id HAVING max(ordered_at) < {QUARTER})),
        {_LAST_SQL}""",
    "staged": f"""WITH people AS MATERIALIZED (SELECT id FROM customers WHERE forgotten_at IS NULL
        AND id IN ({COUNTRY_SQL}) AND id IN ({NEWEST_SQL}) AND id IN ({YEAR_SQL})
        AND NOT EXISTS (SELECT 1 FROM ({QUARTER_SQL}) q WHERE q.customer_id = id))
        SELECT count(*) FROM (SELECT customer_id FROM orders WHERE customer_id IN (SELECT id FROM people)
                              AND {HAVING_SQL})""",
    "staged, last word by anti-join": f"""WITH people AS (SELECT id FROM customers WHERE forgotten_at IS NULL
        AND id IN ({COUNTRY_SQL}) AND id IN ({LAST_WORD_SQL}) AND id IN ({YEAR_SQL})
        AND NOT EXISTS (SELECT 1 FROM ({QUARTER_SQL}) q WHERE q.customer_id = id))
        SELECT count(*) FROM (SELECT customer_id FROM orders WHERE customer_id IN (SELECT id FROM people)
                              AND {HAVING_SQL})""",
    "semi joins": f"""SELECT count(*) FROM (SELECT customer_id FROM orders SEMI JOIN (
        SELECT id AS customer_id FROM customers c SEMI JOIN ({YEAR_SQL}) y ON y.customer_id = c.id
        ANTI JOIN ({QUARTER_SQL}) q ON q.customer_id = c.id SEMI JOIN ({COUNTRY_SQL}) a ON a.customer_id = c.id
        SEMI JOIN ({NEWEST_SQL}) n ON n.customer_id = c.id WHERE c.forgotten_at IS NULL) p USING (customer_id)
        WHERE {HAVING_SQL})""",
}


@dataclass(frozen=True)
class Question:
    """A rule and the statements by hand that count the same people."""

    name: str
    rule: dict[str, Any]
    by_hand: dict[str, str]


def _people(*holds: str) -> str:
    return " AND ".join(("SELECT count(*) FROM customers c WHERE forgotten_at IS NULL", *holds))


_FIRST = f"SELECT min(ROW(ordered_at, id))[2] AS id FROM orders WHERE {_PAST} GROUP BY customer_id"
_LINES = "SELECT customer_id, ordered_at AS at FROM order_lines WHERE {0} AND category = '{1}'"
_FURNITURE, _OTHER = _LINES.format(_PAST, "furniture"), _LINES.format(_PAST, "category 1")

QUESTIONS = (
    Question("country", GERMAN, {"semi join": _people(f"id IN ({COUNTRY_SQL})")}),
    Question("ever bought", {"orders": "count", "at_least": 1},
             {
        "semi join": _people(f"id IN (SELECT customer_id FROM orders WHERE {_PAST})"),
        "sums": _people(f"id IN (SELECT customer_id FROM order_sums WHERE any_currency AND first_at < {NOW})")}),
    Question("furniture in a year", IN_YEAR, {"semi join": _people(f"id IN ({YEAR_SQL})")}),
    Question("furniture, not lately", {"all": [NOT_LATELY, IN_YEAR]}, {
        "semi and anti join": _people(f"id IN ({YEAR_SQL})",
                                      f"NOT EXISTS (SELECT 1 FROM ({QUARTER_SQL}) q WHERE q.customer_id = id)"),
        "one pass": _people(f"id IN ({YEAR_SQL} GROUP BY customer_id HAVING max(ordered_at) < {QUARTER})")}),
    Question("few orders of worth", {"all": [WORTH, FEW]},
             {"one pass": _people(f"id IN (SELECT customer_id FROM orders WHERE {HAVING_SQL})"),
              "sums": _people(f"id IN ({SUMS_SQL})")}),
    Question("lapsed furniture", LAPSED, LAPSED_BY_HAND),
    Question("first order held furniture",
             {"orders": "count", "nth": 1, "where": {"category": ["furniture"]}, "at_least": 1}, {
                 "least of a pair": _people(f"""id IN (SELECT customer_id FROM order_lines
                     WHERE category = 'furniture' AND {_PAST} AND order_id IN ({_FIRST}))"""),
                 "sums": _people(f"""id IN (SELECT customer_id FROM order_lines
                     WHERE category = 'furniture' AND {_PAST} AND order_id IN (
                         SELECT first_id FROM order_sums WHERE any_currency AND first_at < {NOW}))""")}),
    Question("furniture, then another within 60 days",
             {"bought": {"category": ["furniture"]}, "then": {"category": ["category 1"]}, "within_days": 60}, {
                 "join": _people(f"""id IN (SELECT a.customer_id FROM ({_FURNITURE}) a JOIN ({_OTHER}) b
                     ON a.customer_id = b.customer_id AND b.at > a.at AND b.at <= a.at + {SIXTY_DAYS_US})"""),
                 "semi join": _people(f"""id IN (SELECT a.customer_id FROM ({_FURNITURE}) a SEMI JOIN ({_OTHER}) b
                     ON a.customer_id = b.customer_id AND b.at > a.at AND b.at <= a.at + {SIXTY_DAYS_US})"""),
                 "one exists": _people(f"""EXISTS (SELECT 1 FROM ({_FURNITURE}) a, ({_OTHER}) b
                     WHERE a.customer_id = c.id AND a.customer_id = b.customer_id
                     AND b.at > a.at AND b.at <= a.at + {SIXTY_DAYS_US})"""),
                 "asof join": _people(f"""id IN (SELECT a.customer_id FROM ({_FURNITURE}) a ASOF JOIN ({_OTHER}) b
                     ON a.customer_id = b.customer_id AND a.at < b.at WHERE b.at <= a.at + {SIXTY_DAYS_US})""")}),
)

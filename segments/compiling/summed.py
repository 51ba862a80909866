"""What does the column mirror know of everybody's whole order history in advance?

Owns the table `order_sums`, which only the mirror has: of each customer who placed orders that count, how many, what
they came to, and which were the first and the last, once over all orders and once per currency. Whoever ordered last
before `as_of` is answered by it alone; of the others it tells the first order, and whether there was one by then; for
the rest their orders are looked at.
"""

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table

from segments.language.conditions import Where
from segments.language.windows import Window

SUMS = Table(
    "order_sums", MetaData(), Column("customer_id", BigInteger), Column("any_currency", Boolean),
    Column("currency", String), Column("orders", BigInteger), Column("total_cents", BigInteger),
    Column("first_at", BigInteger), Column("last_at", BigInteger), Column("first_id", BigInteger),
    Column("last_id", BigInteger))
SUMS_SQL = """
    WITH counting AS (
        SELECT customer_id, currency, count(*) AS orders, sum(total_cents) AS total_cents,
               min(ordered_at) AS first_at, max(ordered_at) AS last_at, min(place) AS first, max(place) AS last
        FROM (SELECT *, CAST(ordered_at AS HUGEINT) * 18446744073709551616 + id AS place FROM {rows} AS mine
              WHERE NOT cancelled)
        GROUP BY customer_id, currency),
    summed AS (
        SELECT customer_id, FALSE AS any_currency, currency, orders, total_cents, first_at, last_at, first, last
        FROM counting
        UNION ALL
        SELECT customer_id, TRUE, NULL, sum(orders), sum(total_cents), min(first_at), max(last_at), min(first),
               max(last)
        FROM counting GROUP BY customer_id)
    SELECT customer_id, any_currency, currency, CAST(orders AS BIGINT) AS orders,
           CAST(total_cents AS BIGINT) AS total_cents, first_at, last_at,
           CAST(first & 18446744073709551615 AS BIGINT) AS first_id,
           CAST(last & 18446744073709551615 AS BIGINT) AS last_id
    FROM summed"""
"""DuckDB's select of its rows out of `{rows}`, orders. What counts as an order is said in compiling/sources.py, which
of two at one instant comes first in compiling/placing.py: the lower id, so here it is put below the time."""

_KNOWN = frozenset({
    "count", "revenue", "average_value", "first_at", "last_at", "days_since_first", "days_since_last", "days_between",
    "overdue", "per_year",
})


def is_summed(source: str, measures: list[str], where: Where, window: Window | None, nth: int | None) -> bool:
    """Whether `order_sums` can answer: whole histories, of all orders or of those in one currency."""
    return (source == "orders" and window is None and nth is None and _KNOWN.issuperset(measures)
            and where.names() <= {"currency"} and len(where.get("currency") or ("",)) == 1)

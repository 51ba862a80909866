"""Whatever the order of clicks, one statement: staged, cheap conditions first, and kept once."""

import random
from typing import Any

from segments.engines.duckdb import render
from segments.engines.members import prepare
from segments.language.rules import parse_rule
from tests.segments.population import AS_OF

CLICKED: list[dict[str, Any]] = [
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "equals": 0},
    {"orders": "count", "at_most": 3},
    {"orders": "revenue", "at_least": 150_000},
    {"consent": "email", "is": "granted"},
    {"customer": "country", "is": "DE"},
    {"any": [{"customer": "language", "is": "de"}, {"orders": "quantity", "at_least": 2}]},
]


def _written(rule: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    prepared = prepare(parse_rule(rule))
    rendered = render(prepared.counting)
    return rendered.text, tuple(rendered.values(prepared.cuts.values(AS_OF)))


def test_every_order_of_clicks_gives_the_same_statement_with_the_same_values() -> None:
    luck = random.Random(3)
    written = set()
    for _time in range(40):
        parts = luck.sample(CLICKED, len(CLICKED))
        cut = luck.randrange(len(parts))
        parts[-1:] = [{"any": luck.sample(part["any"], 2)} if "any" in part else part for part in parts[-1:]]
        # Groups drawn around some of the lines change nothing, either.
        written.add(_written({"all": [{"all": parts[:cut]}, *parts[cut:]]}))
    assert len(written) == 1


def test_the_statement_is_staged_own_facts_first_then_having_rows_then_sums() -> None:
    text, _values = _written({"all": CLICKED[::-1]})
    own = max(text.index("addresses.country"), text.index("consents.channel"))
    assert text.startswith("WITH ") and own < text.index("order_lines.category") < text.index("sum(orders.total_cents)")
    stages = text.split("sum(orders.total_cents)")[0]
    assert "orders.customer_id IN (SELECT anon_" in stages, "sums are made for the survivors alone"

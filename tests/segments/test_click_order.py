"""Whatever the order of clicks, one statement: staged, cheap conditions first, and kept once."""

import random
from datetime import timedelta
from typing import Any

from core.types import to_us
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


def _written(rule: dict[str, Any], *, summed: bool = False) -> tuple[str, tuple[Any, ...]]:
    prepared = prepare(parse_rule(rule), summed=summed)
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


def test_the_statement_is_staged_own_facts_then_having_rows_then_the_newest_word_then_sums() -> None:
    text, _values = _written({"all": CLICKED[::-1]})
    places = [text.index(words) for words in (
        "addresses.country", "order_lines.category", "consents.channel", "sum(orders.total_cents)")]
    assert text.startswith("WITH ") and places == sorted(places)
    stages = text.split("sum(orders.total_cents)")[0]
    assert "orders.customer_id IN (SELECT anon_" in stages, "sums are made for the survivors alone"
    assert "consents.customer_id IN (SELECT anon_" in stages, "the newest word is looked for among them alone"


def test_on_the_mirror_what_is_summed_up_in_advance_comes_first_and_restricts_the_rest() -> None:
    text, _values = _written({"all": CLICKED[:6]}, summed=True)
    places = [text.index(words) for words in (
        "order_sums.total_cents >=", "order_lines.category", "consents.channel")]
    assert places == sorted(places)
    assert "order_lines.customer_id IN (SELECT anon_" in text, "lines are looked at of the survivors alone"
    assert "sum(orders.total_cents)" in text[:places[1]], "whoever ordered after as_of is counted by then"


def test_only_whole_histories_of_orders_are_known_in_advance() -> None:
    whole: list[dict[str, Any]] = [
        {"orders": "count", "at_least": 1}, {"orders": "count", "equals": 0},
        {"orders": "days_since_last", "at_most": 9}, {"orders": "overdue", "at_least": 2},
        {"orders": "average_value", "at_least": 5, "where": {"currency": ["EUR"]}},
    ]
    part: list[dict[str, Any]] = [
        {"orders": "count", "at_most": 3, "window": {"last_days": 90}},
        {"orders": "count", "at_most": 3, "where": {"shop": ["online"]}},
        {"orders": "count", "at_most": 3, "where": {"currency": ["EUR", "CHF"]}},
        {"orders": "revenue", "at_least": 3, "nth": 2}, {"orders": "net_revenue", "at_least": 3},
        {"contacts": "count", "at_most": 3},
    ]
    for rule in whole:
        assert "FROM order_sums" in _written(rule, summed=True)[0], rule
    assert "order_sums.first_id" in _written({"orders": "revenue", "nth": 1, "at_least": 3}, summed=True)[0]
    for rule in part:
        assert "order_sums" not in _written(rule, summed=True)[0], rule
    assert not any("order_sums" in _written(rule)[0] for rule in whole), "only the mirror has them"


def test_bought_within_a_year_but_not_within_a_quarter_is_one_look_at_the_newest_row() -> None:
    year, quarter = CLICKED[:2]
    text, values = _written({"all": [quarter, year]})
    assert text.count("FROM order_lines") == 1 and "max(order_lines.ordered_at) <" in text
    assert {to_us(AS_OF - timedelta(days=365)), to_us(AS_OF - timedelta(days=90))} <= set(values)
    apart = [
        {"any": [year, quarter]},  # not both must hold
        {"all": [year, {**quarter, "where": {"category": ["garden"]}}]},  # other goods
        {"all": [{**year, "window": {"last_days": 60}}, quarter]},  # the longer window is the empty one
        {"all": [year, {**quarter, "window": {"between_days_ago": [10, 90]}}]},  # it does not end with the other
        {"all": [{**year, "at_least": 2}, quarter]},  # how many must be counted
    ]
    assert [_written(rule)[0].count("FROM order_lines") for rule in apart] == [2] * len(apart)

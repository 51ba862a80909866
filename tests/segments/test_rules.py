"""A rule is read strictly: every mistake is refused with its place, and what was read writes itself back."""

from typing import Any

import pytest

from core.errors import Invalid
from segments.language.rules import MAX_CONDITIONS, MAX_DEPTH, parse_rule
from tests.segments.engines.test_engines_agree import CUSTOMER, FACTS, SEQUENCES, TESTS, WHERES, WINDOWS, _orders

COUNT = {"orders": "count", "at_least": 1}


@pytest.mark.parametrize(("rule", "place", "says"), [
    ("furniture", "rule", "a rule is an object"),
    ([], "rule", "a rule is an object"),
    ({}, "rule", 'Everybody is {"all": []}'),
    ({"ordres": "count", "at_least": 1}, "rule", 'Did you mean "orders"?'),
    ({"all": {"orders": "count"}}, "all", "a list of rules"),
    ({"all": [], "any": []}, "rule", "one condition at a time"),
    ({"all": [], "name": "x"}, "rule", 'unknown key "name"'),
    ({"all": [COUNT, {"any": [COUNT, 5]}]}, "all[1].any[1]", "not 5"),
    ({"not": {"not": {"orders": "count"}}}, "not.not.orders", "Add an operator"),
    ({"all": [COUNT, {**COUNT, "window": {"last_day": 3}}]}, "all[1].orders.window", 'unknown key "last_day"'),
    ({**COUNT, "window": {"last_days": 3, "last_years": 1}}, "orders.window", "exactly one of"),
    ({**COUNT, "window": {"last_days": 3, "calendar": True}}, "orders.window.calendar", "last_months"),
    ({**COUNT, "window": {"last_months": 3, "calendar": "yes"}}, "orders.window.calendar", "true or false"),
    ({**COUNT, "window": {"last_days": 0}}, "orders.window.last_days", "from 1 to 36,500"),
    ({**COUNT, "window": {"last_days": "90"}}, "orders.window.last_days", "whole number"),
    ({**COUNT, "window": {"last_days": True}}, "orders.window.last_days", "whole number"),
    ({**COUNT, "window": {"between_days_ago": [90, 30]}}, "orders.window.between_days_ago", "nearer day comes first"),
    ({**COUNT, "window": {"from": "2026-02-30"}}, "orders.window.from", "2026-01-31"),
    ({**COUNT, "window": {"from": "2026-02-01", "until": "2026-02-01"}}, "orders.window", "from lies before until"),
    ({**COUNT, "window": {}}, "orders.window", "needs an object"),
    ({**COUNT, "where": {"colour": ["red"]}}, "orders.where", 'unknown key "colour"'),
    ({**COUNT, "where": {"category": []}}, "orders.where.category", "at least one text"),
    ({**COUNT, "where": {"category": [1]}}, "orders.where.category[0]", "needs a text"),
    ({**COUNT, "where": {"min_unit_price": 9.99}}, "orders.where.min_unit_price", "whole cents"),
    ({"orders": "revenu", "at_least": 1}, "orders", 'Did you mean "revenue"?'),
    ({"orders": "returned_share", "at_least": 30}, "orders.at_least", "30 % is written 0.3"),
    ({"orders": "discount_share", "at_least": 0.1234567}, "orders.at_least", "six decimals"),
    ({"orders": "revenue_share", "at_least": 0.5}, "orders.where", "say of what"),
    ({"orders": "revenue_share", "where": {"currency": ["EUR"]}, "at_least": 0.5}, "orders.where", "say of what"),
    ({"orders": "count", "nth": 0, "at_least": 1}, "orders.nth", "1 is the first order"),
    ({"orders": "count", "nth": "first", "at_least": 1}, "orders.nth", "whole number"),
    ({"orders": "overdue", "nth": 2, "at_least": 1}, "orders.nth", "needs several orders"),
    ({"contacts": "count", "nth": 2, "at_least": 1}, "contacts", 'unknown key "nth"'),
    ({"bought": {}, "within_days": 3}, "bought", 'either "then" or "then_not"'),
    ({"bought": {}, "then": {}, "then_not": {}, "within_days": 3}, "bought", 'either "then" or "then_not"'),
    ({"bought": {}, "then": {}}, "bought", "within how many days"),
    ({"all": [{"bought": {}, "then": {}, "within_days": 0}]}, "all[0].within_days", "from 1 to 36,500"),
    ({"bought": {"colour": ["red"]}, "then": {}, "within_days": 3}, "bought", 'unknown key "colour"'),
    ({"bought": {}, "then_not": {"sku": [5]}, "within_days": 3}, "then_not.sku[0]", "needs a text"),
    ({"bought": {}, "then": {}, "within_days": 3, "window": {"last_days": 0}}, "window.last_days", "from 1"),
    ({"bought": {}, "then": {}, "within_days": 3, "at_least": 1}, "bought", 'unknown key "at_least"'),
    ({"orders": "revenue", "at_least": "150000"}, "orders.at_least", "needs a number"),
    ({"orders": "revenue", "at_least": 99.5}, "orders.at_least", "whole cents"),
    ({"orders": "count", "at_least": float("nan")}, "orders.at_least", "needs a number"),
    ({"orders": "count", "at_least": float("inf")}, "orders.at_least", "needs a number"),
    ({"orders": "count", "at_least": 10**40}, "orders.at_least", "lies between"),
    ({"orders": "count", "at_least": True}, "orders.at_least", "needs a number"),
    ({"orders": "count", "at_least": 1, "at_most": 2}, "orders", "one operator at a time"),
    ({"orders": "count", "is": "3"}, "orders", "cannot be compared by is"),
    ({"orders": "count", "between": [3, 1]}, "orders.between", "smaller one"),
    ({"orders": "last_at", "at_least": 3}, "orders", "before, after"),
    ({"customer": "contry", "is": "DE"}, "customer", 'Did you mean "country"?'),
    ({"customer": "country", "at_least": 3}, "customer", "cannot be compared by at_least"),
    ({"customer": "country", "in": "DE"}, "customer.in", "a list of texts"),
    ({"customer": "country", "is": 5}, "customer.is", "needs a text"),
    ({"customer": "country", "is": "a\0b"}, "customer.is", "no text can have"),
    ({"customer": "country", "is_set": False}, "customer.is_set", "is_not_set: true"),
    ({"customer": "birthday", "before": "31.12.1990"}, "customer.before", "needs a day"),
    ({"customer": "attributes.", "is": "x"}, "customer", "1 to 100 characters"),
    ({"customer": 'attributes.a"b', "is": "x"}, "customer", "no quotes"),
    ({"consent": "fax", "is": "granted"}, "consent", "unknown channel"),
    ({"consent": "email", "is": "yes"}, "consent.is", "unknown state"),
    ({"consent": "email", "contains": "gr"}, "consent", 'unknown key "contains"'),
    ({"preferred_channel": "pigeon"}, "preferred_channel", "unknown channel"),
    ({"sample": {"percent": 101, "salt": "x"}}, "sample.percent", "between 0 and 100"),
    ({"sample": {"percent": 10}}, "sample", "salt"),
    ({"segment": 7}, "segment", "needs a text"),
    ({"all": [{"score": "r fm", "at_least": 3}]}, "all[0].score", "no name of a score"),
    ({"score": "rfm"}, "score", "Add an operator"),
    ({"score": "rfm", "is": "555"}, "score", "cannot be compared by is"),
    ({"score": "rfm", "at_least": 3, "window": {"last_days": 3}}, "score", "unknown key"),
    ({"near": {"km": 3}}, "near", "needs {\"latitude\""),
    ({"near": {"store": "any", "km": 0}}, "near.km", "more than 0"),
    ({"near": {"latitude": 91, "longitude": 0, "km": 3}}, "near.latitude", "from -90 to 90"),
    ({"near": {"latitude": 1, "longitude": "x", "km": 3}}, "near.longitude", "needs a number"),
    ({"near": {"store": "any", "km": 3, "latitude": 1}}, "near", "unknown key"),
    ({"near": {"store": 7, "km": 3}}, "near.store", "needs a text"), ({"near": [1, 2, 3]}, "near", "needs"),
    ({"events": "", "at_least": 1}, "events", "1 to 100 characters"), ({"events": 7, "at_least": 1}, "events", "text"),
    ({"events": "visit", "is": "x"}, "events", "cannot be compared"),
    ({"events": "visit"}, "events", "Add an operator"),
    ({"events": "visit", "where": {'a"': ["x"]}, "at_least": 1}, "events.where", "no quotes"),
    ({"events": "visit", "where": {"page": 5}, "at_least": 1}, "events.where.page", "list of texts"),
    ({"events": "visit", "where": ["page"], "at_least": 1}, "events.where", "needs an object"),
    ({"relations": "sum", "at_least": 1}, "relations", "unknown measure"),
    ({"relations": "count", "where": {"firm": ["x"]}, "at_least": 1}, "relations.where", "unknown key"),
    ({"relations": "count", "window": {"last_days": 3}, "at_least": 1}, "relations", "unknown key"),
])
def test_a_mistake_is_named_with_its_place(rule: Any, place: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_rule(rule)
    assert refused.value.place == place
    assert says in refused.value.message


def test_rules_may_be_nested_two_hundred_levels_and_no_deeper() -> None:
    rule: dict[str, Any] = {"all": []}
    for _ in range(MAX_DEPTH - 1):
        rule = {"not": rule}
    assert parse_rule(rule).depth() == MAX_DEPTH
    with pytest.raises(Invalid, match="200 levels"):
        parse_rule({"not": rule})
    for _ in range(5_000):
        rule = {"not": rule}
    with pytest.raises(Invalid, match="200 levels"):
        parse_rule(rule)


def test_a_rule_may_hold_five_hundred_conditions_and_no_more() -> None:
    assert parse_rule({"all": [COUNT] * MAX_CONDITIONS})
    with pytest.raises(Invalid, match="500 conditions"):
        parse_rule({"all": [COUNT] * (MAX_CONDITIONS + 1)})


def test_a_rule_writes_itself_back_as_it_was_read() -> None:
    orders = [_orders(measure, where, window, test) for measure, tests in TESTS.items()
              for where, window, test in zip(WHERES, WINDOWS, tests, strict=False)]
    orders += [{"orders": "count", "nth": -1, "at_least": 1}, *SEQUENCES]
    for value in [*CUSTOMER, *FACTS, *orders, {"segment": "vip"}, {"all": [{"any": [COUNT]}, {"not": COUNT}]}]:
        rule = parse_rule(value)
        assert parse_rule(rule.to_json()) == rule
        assert hash(parse_rule(value)) == hash(rule)

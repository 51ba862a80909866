"""Every word of the rule language can be said, chosen and read back in the builder: new entries fail here first."""

import json
from dataclasses import replace
from typing import Any

import pytest

from segments.language import rules
from segments.language.fields import CHANNELS, CONSENT_STATES, CUSTOMER_FIELDS, MEASURES, WHERE
from segments.language.operators import fitting
from segments.language.rules import parse_rule
from segments.language.told_measures import SCORE_LABELS
from tests.web.test_builder_draft import AROUND as SPARE
from tests.web.test_builder_draft import filled_in
from web.builder import measured, person
from web.builder.draft import Line
from web.builder.lines import MENU, NEW, problem_of, read_line, say, source_of
from web.builder.measure_words import MEASURE_WORDS, WHERE_WORDS
from web.builder.parts import Chip, Choice, Fields, Picker, Text
from web.builder.view import plain

AROUND = replace(SPARE, stores=lambda: {"s1": "Lübeck"}, properties=lambda _event: ("page",))
VALUES: dict[str, Any] = {
    "is": "a", "is_not": "a", "in": ["a", "b"], "not_in": ["a"], "contains": "a", "starts_with": "a", "equals": 3,
    "at_least": 3, "at_most": 3, "more_than": 3, "less_than": 3, "between": [3, 5], "before": "2020-05-01",
    "after": "2020-05-01", "within_days": 30, "is_set": True, "is_not_set": True}
SHARES = {**VALUES, "equals": 0.3, "at_least": 0.125, "at_most": 1, "more_than": 0, "less_than": 0.3,
          "between": [0.25, 0.5]}
WINDOWS = [{"last_days": 90}, {"last_months": 2}, {"last_quarters": 1, "calendar": True}, {"last_years": 3},
           {"between_days_ago": [30, 90]}, {"from": "2025-01-01", "until": "2026-01-01"}, {"from": "2025-01-01"},
           {"until": "2026-01-01"}]
FURNITURE = {"category": ["furniture"]}


def known_measures() -> list[tuple[str, str]]:
    return [(source, measure) for source, measures in MEASURES.items() for measure in measures]


def measured_rules() -> list[dict[str, Any]]:
    """Each measure with each operator; one `where` word, window and place each."""
    found: list[dict[str, Any]] = []
    for source, measure in known_measures():
        entry = MEASURES[source][measure]
        kind = "number" if entry.kind in ("cents", "share") else entry.kind
        where = {"where": FURNITURE} if entry.needs_where else {}
        for operator in fitting(kind):
            value = (SHARES if entry.kind == "share" else VALUES)[operator]
            found.append({source: measure, **where, operator: value})
        if source == "orders" and entry.single:
            found += [{source: measure, "nth": nth, **where, **_some(entry.kind)} for nth in (1, -2, 7)]
    for source, words in WHERE.items():
        measure = next(iter(MEASURES[source]), "")
        found += [{source: measure, "where": {word: 1250 if word == "min_unit_price" else ["a", "b"]}, "at_least": 1}
                  for word in words if measure]
    return found + [{"orders": "count", "window": window, "at_least": 1} for window in WINDOWS]


def _some(kind: str) -> dict[str, Any]:
    tests: dict[str, dict[str, Any]] = {"instant": {"within_days": 30}, "share": {"at_least": 0.5}}
    return tests.get(kind, {"at_least": 2})


def other_rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"customer": name, operator: VALUES[operator]}
        for name, field in CUSTOMER_FIELDS.items() for operator in fitting(field.kind)]
    found += [{"customer": "attributes.shoe", operator: VALUES[operator]} for operator in fitting("text")]
    found += [{"customer": "attributes.points", operator: VALUES[operator]} for operator in fitting("number")]
    found += [{"consent": channel, "is": state} for channel in CHANNELS for state in CONSENT_STATES]
    found += [{"preferred_channel": [channel]} for channel in CHANNELS]
    found += [
        {"bought": FURNITURE, way: {"brand": ["Oak"], "min_unit_price": 999}, "within_days": 60}
        for way in ("then", "then_not")]
    found.append({"bought": {}, "then": {}, "within_days": 1, "window": {"last_days": 90}})
    found += [{"events": "cart abandoned", "where": {"page": ["/sale"]}, "window": {"last_days": 2}, operator: value}
              for operator, value in VALUES.items() if operator in fitting("number")]
    found += [{"relations": "count", operator: VALUES[operator]} for operator in fitting("number")]
    found += [{"score": name, operator: VALUES[operator]} for name in (*SCORE_LABELS, "own") for operator in fitting(
        "number")]
    found += [{"near": {"store": "any", "km": 25}}, {"near": {"store": "s1", "km": 2.5}},
              {"near": {"latitude": 52.5, "longitude": -13.4, "km": 50}}]
    return found


def test_every_condition_is_said_without_a_problem_and_comes_back_as_it_was() -> None:
    for rule in (*measured_rules(), *other_rules()):
        parse_rule(rule)
        line = Line(json.loads(json.dumps(rule)))
        assert problem_of(line, AROUND) is None, rule
        said = plain(say(line, AROUND))
        assert not any(word in said for word in ("_", "…", "None", "{", "True")), (rule, said)
        read_line(line, filled_in(line), AROUND)
        assert line.rule == rule


@pytest.mark.parametrize(("source", "measure"), known_measures())
def test_every_measure_has_words_and_can_be_chosen_with_each_operator(source: str, measure: str) -> None:
    assert measure in MEASURE_WORDS[source], f"web/builder/measure_words.py does not say {source} {measure}"
    entry = MEASURES[source][measure]
    first = next(iter(MEASURES[source]))
    line = Line({source: first, **({"where": FURNITURE} if entry.needs_where else {}), **_some(
        MEASURES[source][first].kind)})
    read_line(line, Fields({"measure": [measure]}), AROUND)
    assert problem_of(line, AROUND) is None
    for operator, _words in _options(line, "op"):
        read_line(line, Fields({"op": [operator]}), AROUND)
        typed = {"before": "2020-05-01", "after": "2020-05-01"}.get(operator, "50")
        read_line(line, Fields({"op": [operator], "value": [typed], "value2": ["60"]}), AROUND)
        assert operator in line.rule
        assert problem_of(line, AROUND) is None, line.rule


def _options(line: Line, name: str) -> list[tuple[str, str]]:
    return [option for chip in say(line, AROUND) if isinstance(chip, Chip) for part in chip.parts
            if isinstance(part, Choice) and part.name == name for option in part.options]


@pytest.mark.parametrize("source", sorted(MEASURES))
def test_every_word_of_where_has_a_field_of_its_own(source: str) -> None:
    measure = next(iter(MEASURES[source]), "any")
    named = {part.name for chip in measured.sentence(source, {source: measure, "at_least": 1}, today=AROUND.today)
             if isinstance(chip, Chip) and chip.name == "where" for part in chip.parts
             if isinstance(part, Picker | Text)}
    assert {f"where.{word}" for word in WHERE[source]} <= named
    assert set(WHERE[source]) <= {*WHERE_WORDS, "kind", "status"}


def test_every_fact_about_a_person_can_be_chosen() -> None:
    fields = next(part for part in person.customer({"customer": "city", "in": ["x"]}, today=AROUND.today,
                                                   attributes=AROUND.attributes) if isinstance(part, Chip))
    offered = fields.parts[0]
    assert isinstance(offered, Choice)
    assert {*CUSTOMER_FIELDS} - {"household_id"} <= set(dict(offered.options))  # two names of one fact


def test_every_kind_of_condition_has_an_entry_in_the_menu() -> None:
    kinds = set(rules._READERS) - {"all", "any", "not"}
    assert {source_of(rule) for _words, rule in NEW.values()} >= kinds
    assert {kind for _title, kinds in MENU for kind in kinds} == set(NEW) - {"segment", "sample"}


def test_a_share_is_typed_and_shown_as_a_percentage() -> None:
    line = Line({"orders": "revenue_share", "where": FURNITURE, "at_least": 0.5})
    assert "at least 50 %" in plain(say(line, AROUND))
    read_line(line, Fields({"op": ["at_least"], "value": ["12,5 %"]}), AROUND)
    assert line.rule["at_least"] == 0.125
    read_line(line, Fields({"op": ["at_least"], "value": ["150"]}), AROUND)
    assert problem_of(line, AROUND) == "A share lies between 0 and 100 %."
    late = Line({"orders": "overdue", "at_least": 1.5})
    assert plain(say(late, AROUND)).startswith("have let at least 150 % of their usual time")
    assert problem_of(late, AROUND) is None


def test_another_order_is_named_by_its_number_and_a_wrong_number_says_so() -> None:
    line = Line({"orders": "count", "nth": 1, "at_least": 1})
    read_line(line, Fields({"nth": ["other"]}), AROUND)
    assert line.rule["nth"] == 4
    read_line(line, Fields({"nth": ["other"], "nth.k": ["-3"]}), AROUND)
    assert "order number 3 from the end" in plain(say(line, AROUND))
    for typed in ("0", "soon"):
        read_line(line, Fields({"nth": ["other"], "nth.k": [typed]}), AROUND)
        assert problem_of(line, AROUND) == "Write which order: 4 for the fourth, −3 for the third from the end."
    read_line(line, Fields({"nth": [""]}), AROUND)
    assert "nth" not in line.rule


def test_amounts_are_in_the_currency_that_the_line_names_or_the_orders_have() -> None:
    named = Line({"orders": "revenue", "where": {"currency": ["SEK"]}, "at_least": 150_000})
    assert "SEK" in plain(say(named, AROUND))
    hostile = Line({"orders": "revenue", "where": {"currency": ["<b>"]}, "at_least": 150_000})
    assert say(hostile, AROUND)


def test_what_followed_turns_into_what_did_not_and_back() -> None:
    line = Line({"bought": FURNITURE, "then": {"brand": ["Oak"]}, "within_days": 60})
    read_line(line, Fields({"way": ["then_not"], "days": ["30"]}), AROUND)
    assert line.rule == {"bought": FURNITURE, "then_not": {"brand": ["Oak"]}, "within_days": 30}
    assert plain(say(line, AROUND)) == (
        "bought furniture in their whole history and did not buy Oak within 30 days after it")
    read_line(line, Fields({"days": ["soon"]}), AROUND)
    assert problem_of(line, AROUND) == "“soon” is no whole number. Write for example 60."


def test_a_distance_is_of_any_store_of_one_or_of_a_point() -> None:
    line = Line({"near": {"store": "any", "km": 25}})
    assert plain(say(line, AROUND)) == "live within 25 km of any store"
    read_line(line, Fields({"place": ["store"]}), AROUND)
    assert problem_of(line, AROUND) == "Choose a store."
    read_line(line, Fields({"place": ["store"], "store": ["s1"]}), AROUND)
    assert plain(say(line, AROUND)) == "live within 25 km of store Lübeck"
    read_line(line, Fields({"place": ["point"]}), AROUND)
    assert str(problem_of(line, AROUND)).startswith("The latitude is a number from −90 to 90")
    read_line(line, Fields({"place": ["point"], "latitude": ["52.5"], "longitude": ["200"]}), AROUND)
    assert str(problem_of(line, AROUND)).startswith("The longitude is a number")
    read_line(line, Fields({"place": ["point"], "latitude": ["52.5"], "longitude": ["13.4"], "km": ["far"]}), AROUND)
    assert line.rule == {"near": {"latitude": 52.5, "longitude": 13.4, "km": "far"}}
    assert problem_of(line, AROUND) == "Write a distance in kilometres, for example 25."


def test_an_event_is_picked_from_the_data_and_keeps_its_properties() -> None:
    line = Line({"events": "", "window": {"last_days": 2}, "at_least": 1})
    assert problem_of(line, AROUND) == "Choose an event."
    read_line(line, Fields({"event.there": [""], "event": ["viewed"]}), AROUND)
    assert line.rule["events"] == "viewed"
    read_line(line, Fields({"event.there": [""], "event": ["viewed", "cart"]}), AROUND)
    assert line.rule["events"] == "cart"
    offered = [part.name for chip in say(line, AROUND) if isinstance(chip, Chip) for part in chip.parts]
    assert "where.page" in offered  # a property that the data knows
    read_line(line, Fields({"where.page.there": [""], "where.page.add": ["/sale"]}), AROUND)
    assert line.rule["where"] == {"page": ["/sale"]}

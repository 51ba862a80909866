"""The draft behind the segment builder: written and read back the same, and every typed value kept or refused."""

import json
from datetime import date
from typing import Any

import pytest

from core.errors import Invalid
from segments.language.rules import parse_rule
from web.builder.draft import Group, Line, draft_of, path_text, read_path
from web.builder.lines import NEW, Around, problem_of, read_line, say
from web.builder.numbers import asked_for
from web.builder.parts import Chip, Choice, Fields, Picker, Text, Ticks
from web.builder.state import command, state_of, written
from web.wording.amounts import read_cents, read_decimal, read_whole, written_cents

AROUND = Around(date(2026, 3, 2), {"vip": "VIP"}, {"club": "boolean", "points": "number", "shoe": "text"}, "own")

RULES: list[dict[str, Any]] = [
    {"orders": "count", "where": {"category": ["furniture", "lighting"]}, "window": {"last_days": 365}, "at_least": 1},
    {"orders": "count", "window": {"last_days": 90}, "equals": 0},
    {"orders": "revenue", "where": {"currency": ["EUR"], "min_unit_price": 12_990}, "between": [1050, 150_000]},
    {"orders": "average_value", "more_than": 5000},
    {"orders": "quantity", "window": {"last_months": 2, "calendar": True}, "less_than": 2.5},
    {"orders": "distinct_products", "window": {"between_days_ago": [30, 90]}, "at_most": 3},
    {"orders": "open", "equals": 0},
    {"orders": "first_at", "before": "2020-05-01"},
    {"orders": "last_at", "window": {"from": "2025-01-01T08:30:00Z", "until": "2026-01-01"}, "within_days": 90},
    {"orders": "last_at", "is_not_set": True},
    {"contacts": "count", "where": {"kind": ["complaint"]}, "window": {"last_days": 30}, "at_least": 1},
    {"messages": "opened", "where": {"campaign": ["spring"]}, "at_least": 1},
    {"coupons": "redeemed", "where": {"offer": ["ten-percent"]}, "window": {"last_quarters": 1}, "equals": 0},
    {"customer": "country", "in": ["DE", "AT"]},
    {"customer": "city", "is": "Lübeck"},
    {"customer": "last_name", "starts_with": "O'Hara <b>"},
    {"customer": "email", "is_set": True},
    {"customer": "dunning_level", "at_least": 1},
    {"customer": "birthday", "after": "1990-01-01"},
    {"customer": "created_at", "within_days": 365},
    {"customer": "attributes.club", "is": False},
    {"customer": "attributes.points", "between": [1.5, 20]},
    {"customer": "attributes.shoe", "not_in": ["42", "43"]},
    {"consent": "email", "is": "granted"},
    {"consent": "phone", "not_in": ["denied", "withdrawn"]},
    {"consent": "sms", "is_not_set": True},
    {"preferred_channel": ["letter", "phone"]},
    {"preferred_channel": "email"},
    {"segment": "vip"},
    {"sample": {"percent": 12.5, "salt": "spring"}},
]


def filled_in(line: Line) -> Fields:
    """What a browser sends for a line that nobody touched: the value of every field that its chips show."""
    sent: dict[str, list[str]] = {}
    for chip in say(line, AROUND):
        if not isinstance(chip, Chip):
            continue
        for part in chip.parts:
            if isinstance(part, Choice):
                assert part.chosen in dict(part.options), part
                sent[part.name] = [part.chosen]
            elif isinstance(part, Text):
                sent[part.name] = [part.value]
            else:
                assert isinstance(part, Ticks | Picker)
                sent[f"{part.name}.there"] = [""]
                sent[part.name] = list(part.chosen)
    return Fields(sent)


@pytest.mark.parametrize("rule", RULES, ids=json.dumps)
def test_a_line_nobody_touched_comes_back_as_it_was(rule: dict[str, Any]) -> None:
    parse_rule(rule)
    line = Line(json.loads(json.dumps(rule)))
    assert problem_of(line, AROUND) is None
    read_line(line, filled_in(line), AROUND)
    assert line.rule == rule


@pytest.mark.parametrize("kind", NEW)
def test_everything_that_can_be_added_is_a_rule_or_says_what_is_missing(kind: str) -> None:
    line = Line(NEW[kind][1])
    problem = problem_of(line, AROUND)
    if problem is None:
        parse_rule(line.rule)
    else:
        assert kind in ("customer", "segment", "share", "event")
        assert "hoose" in problem


def test_a_rule_written_as_a_draft_and_read_again_means_the_same() -> None:
    rule = {"not": {"any": [{"all": [RULES[0], {"not": RULES[1]}]}, {"not": {"not": {"segment": "vip"}}}]}}
    draft = draft_of(rule)
    assert draft.mode == "none"
    assert draft.to_json() == {"not": {"any": [{"all": [RULES[0], {"not": RULES[1]}]}, {"segment": "vip"}]}}
    assert draft_of(json.loads(written(draft))) == draft


def sent(rule: dict[str, Any], **fields: str) -> dict[str, list[str]]:
    return {"rule": [json.dumps(rule, separators=(",", ":"))], **{name: [value] for name, value in fields.items()}}


def test_what_cannot_be_read_stays_as_it_was_typed_and_says_why() -> None:
    form = sent({"all": [RULES[3]]}, **{"r0-op": "more_than", "r0-value": "a lot"})
    state = state_of(form, AROUND)
    line = state.draft.rows[0]
    assert isinstance(line, Line)
    assert line.rule["more_than"] == "a lot"
    assert problem_of(line, AROUND) == "“a lot” is no number. Write it as 1500 or 1,500.50."
    with pytest.raises(Invalid, match="needs a number"):
        state.rule()


def test_two_ends_in_the_wrong_order_can_be_swapped() -> None:
    form = sent({"all": [RULES[2]]}, **{"r0-op": "between", "r0-value": "1,500", "r0-value2": "200"})
    state = state_of(form, AROUND)
    line = state.draft.rows[0]
    assert isinstance(line, Line)
    assert problem_of(line, AROUND) == "The lower number is above the upper one. Swap them?"
    command(state, "swap:0", {})
    assert line.rule["between"] == [20_000, 150_000]
    assert problem_of(line, AROUND) is None


def test_commands_change_the_rule_and_undo_and_redo_travel_through_it() -> None:
    state = state_of(sent({"all": RULES[:2]}), AROUND)
    begun = state.rule_text
    for text in ("add::spent", "copy:0", "not:1", "group:2", "add:2:segment", "delete:3"):
        command(state, text, {})
    assert state.draft.to_json() == {"all": [
        RULES[0], {"not": RULES[0]}, {"any": [RULES[1], {"segment": ""}]}]}
    changed = state.rule_text
    for _ in range(6):
        command(state, "undo", {})
    assert state.rule_text == begun
    with pytest.raises(Invalid, match="nothing to undo"):
        command(state, "undo", {})
    for _ in range(6):
        command(state, "redo", {})
    assert state.rule_text == changed


@pytest.mark.parametrize("text", ["delete:9", "delete:", "up:0.0", "add:0:spent", "add::nonsense", "ungroup:0",
                                  "delete:-1", "delete:x", "delete:" + "0." * 500])
def test_a_command_that_cannot_be_done_leaves_the_draft(text: str) -> None:
    state = state_of(sent({"all": RULES[:2]}), AROUND)
    with pytest.raises(Invalid):
        command(state, text, {})
    assert state.draft.to_json() == {"all": RULES[:2]}


@pytest.mark.parametrize("rule", ['{"all": [1, null, "x", {"orders": 7}, {"customer": {}}, {"sample": []}]}', "[]",
                                  '""',
                                  '{"any": {"a": 1}}', '{"orders": "count", "window": 7, "where": [1], "equals": {}}',
                                  '{"segment": 5}', '{"consent": []}', '{"preferred_channel": {"a": 1}}'])
def test_a_tampered_rule_is_shown_as_wrong_and_breaks_nothing(rule: str) -> None:
    state = state_of({"rule": [rule], "past": ["[1,"], "shown": ["x"], "r-mode": ["sideways"], "r0-op": ["between"],
                      "r9-op": ["is"], "seen_version": ["²"]}, AROUND)
    lines = [row for row in state.draft.rows if isinstance(row, Line)]
    for line in lines:
        assert say(line, AROUND)
        assert problem_of(line, AROUND) is not None


def test_bottomless_nesting_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="nested"):
        state_of({"rule": ['{"all":[' * 2000 + "]}" * 2000]}, AROUND)


def test_json_that_is_wrong_stays_in_its_field_and_names_its_place() -> None:
    state = state_of(sent({"all": RULES[:1]}), AROUND)
    text = '{"all": [\n  {"orders": "count", "window": {"last_day": 3}, "equals": 0}]}'
    command(state, "json", {"json": [text]})
    assert state.json_text == text
    assert state.json_problem is not None
    assert state.json_problem.startswith("all[0].orders.window: ")
    command(state, "json", {"json": ['{"all": [}']})
    assert state.json_problem == "This is not JSON: expecting value in line 1, column 10."
    assert state.draft.to_json() == {"all": RULES[:1]}


def test_lists_too_long_for_a_form_are_left_as_they_are() -> None:
    rule = {"customer": "customer_id", "in": [f"c{number}" for number in range(5000)]}
    line = Line(json.loads(json.dumps(rule)))
    chip = next(part for part in say(line, AROUND) if isinstance(part, Chip) and part.name == "test")
    assert isinstance(chip.parts[1], Picker)
    assert chip.parts[1].too_many
    read_line(line, Fields({"field": ["customer_id"], "op": ["in"]}), AROUND)
    assert line.rule == rule


def test_people_left_are_counted_after_each_line_and_each_alternative_by_itself() -> None:
    a, b, c = ({"segment": name} for name in "abc")
    draft = draft_of({"all": [a, {"any": [b, c]}, {"not": c}]})
    asked = {path_text(path): rule.to_json() if rule else None for path, rule in asked_for(draft, (), [])}
    assert asked == {
        "0": {"all": [a]}, "1": {"all": [a, {"any": [b, c]}]}, "1.0": {"all": [a, b]}, "1.1": {"all": [a, c]},
        "2": {"all": [a, {"any": [b, c]}, {"not": c}]},
    }
    none = {path_text(path): rule.to_json() if rule else None
            for path, rule in asked_for(draft_of({"not": {"any": [a, b]}}), (), [])}
    assert none == {"0": {"all": [{"not": a}]}, "1": {"all": [{"not": a}, {"not": b}]}}


def test_a_segment_cannot_hold_itself_or_one_that_is_not_there() -> None:
    assert problem_of(Line({"segment": "own"}), AROUND) == "A segment cannot hold itself. Choose another one."
    assert problem_of(Line({"segment": "gone"}), AROUND) == "There is no segment “gone”. Choose another one."


def test_paths_are_read_as_they_are_written() -> None:
    assert read_path(path_text((2, 0, 11))) == (2, 0, 11)
    assert read_path("") == ()
    assert Group().to_json() == {"all": []}


@pytest.mark.parametrize(("text", "cents"), [
    ("1500", 150_000), ("1,500", 150_000), ("1,500.50", 150_050), ("1.500,50", 150_050), ("€129.90", 12_990),
    ("129,9 EUR", 12_990), ("1 234 567.00", 123_456_700), ("0.05", 5), ("1.234.567", 123_456_700)])
def test_amounts_are_read_as_people_write_them(text: str, cents: int) -> None:
    assert read_cents(text) == cents
    assert read_cents(written_cents(cents)) == cents


@pytest.mark.parametrize("text", ["", "abc", "1.500", "1,2,3", "1.5.2", "12..3", "1e5", "0x10", "١٢", "1-2", "--5",
                                  "9" * 40, "nan", "Infinity", "1.005", "12 apples"])
def test_what_could_be_two_numbers_or_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_cents(text)


def test_whole_numbers_have_no_decimals() -> None:
    assert read_whole("1,000") == 1000
    assert read_decimal("-2.5") == -2.5
    with pytest.raises(Invalid, match="whole number"):
        read_whole("2.5")

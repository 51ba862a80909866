"""A letter that would arrive on the last days of its code is refused, with the way out."""

from typing import Any

import pytest

from journeys.graphs.letter_clock import letter_problems
from journeys.graphs.reading import parse_graph

FIRST = {"kind": "send", "content": "a", "offer": "ten", "next": "pause"}
LETTER = {"kind": "send", "content": "a", "offer": "ten", "channel": "letter", "next": "end"}


def problems(wait: dict[str, Any], letter: dict[str, Any] = LETTER, valid_days: int | None = 14) -> list[str]:
    """What is said of a first message, this wait and this letter."""
    graph = parse_graph({"entry": {"segment": "all"}, "start": "mail", "steps": {
        "mail": FIRST, "pause": {"kind": "wait", "next": "letter", **wait}, "letter": letter,
        "end": {"kind": "leave"}}})
    return [str(problem) for problem in letter_problems(graph, {"ten": valid_days})]


@pytest.mark.parametrize(("wait", "left"), [
    ({"days": 9}, "2 days left"), ({"days": 10}, "1 day left"), ({"days": 8, "hours": 24}, "2 days left"),
    ({"days": 12}, "after its code has ended"), ({"until": {"code_ends": "ten", "minus_days": 3}}, "0 days left"),
])
def test_a_letter_that_would_arrive_too_late_is_refused_with_the_way_out(wait: dict[str, Any], left: str) -> None:
    [told] = problems(wait)
    assert told.startswith("steps.letter.channel") and left in told and "send an e-mail instead" in told


@pytest.mark.parametrize(("wait", "letter", "valid_days"), [
    ({"days": 8}, LETTER, 14), ({"days": 20}, LETTER, None), ({"days": 20}, {**LETTER, "code": "new"}, 14),
    ({"days": 20}, {**LETTER, "channel": "email"}, 14), ({"days": 20}, {**LETTER, "offer": "other"}, 14),
    ({"until": {"code_ends": "ten", "minus_days": 6}}, LETTER, 14),
])
def test_a_letter_in_time_or_with_a_code_of_its_own_is_fine(
    wait: dict[str, Any], letter: dict[str, Any], valid_days: int | None
) -> None:
    assert problems(wait, letter, valid_days) == []


def test_the_longest_way_to_the_letter_counts_and_a_circle_ends() -> None:
    graph = parse_graph({"entry": {"segment": "all"}, "start": "mail", "steps": {
        "mail": {**FIRST, "next": "ask"},
        "ask": {"kind": "branch", "if": {"all": []}, "next": {"yes": "letter", "no": "pause"}},
        "pause": {"kind": "wait", "days": 9, "next": "again"},
        "again": {"kind": "branch", "if": {"all": []}, "next": {"yes": "ask", "no": "letter"}},
        "letter": LETTER, "end": {"kind": "leave"}}})
    assert len(list(letter_problems(graph, {"ten": 14}))) == 1


def reminders(wait: dict[str, Any], lead_days: int) -> list[str]:
    """What is said of a mail, this wait and a letter without a code."""
    graph = parse_graph({"entry": {"segment": "all"}, "start": "mail", "steps": {
        "mail": {"kind": "send", "content": "a", "next": "pause"},
        "pause": {"kind": "wait", "next": "letter", **wait},
        "letter": {"kind": "send", "content": "a", "channel": "letter", "next": "end"}, "end": {"kind": "leave"}}})
    return [str(problem) for problem in letter_problems(graph, {}, lead_days=lead_days)]


def test_a_reminder_by_letter_is_not_due_before_it_can_be_printed() -> None:
    assert reminders({"days": 2}, 0) == [] and reminders({"days": 4}, 3) == []
    [told] = reminders({"days": 2}, 3)
    assert told.startswith("steps.pause.days") and "2 days after" in told and "Wait 2 days longer" in told
    assert reminders({"until": "2027-01-01T00:00:00Z"}, 3) == [], "that day cannot be judged"


def test_the_print_shop_s_lead_time_eats_the_code_s_days_too() -> None:
    graph = parse_graph({"entry": {"segment": "all"}, "start": "mail", "steps": {
        "mail": FIRST, "pause": {"kind": "wait", "next": "letter", "days": 8}, "letter": LETTER,
        "end": {"kind": "leave"}}})
    assert list(letter_problems(graph, {"ten": 14})) == []
    [told] = letter_problems(graph, {"ten": 14}, lead_days=2)
    assert "0 days left" in told.message and "Send it 3 days earlier" in told.fix

"""A bad journey is told everything that is wrong with it, by place, at once."""

import copy
from typing import Any

import jsonschema_rs
import pytest

from campaigns.problems import InvalidPlan, Problem
from journeys.graphs.checking import check_graph
from journeys.graphs.graph import Branch, Send, Split, Wait, in_walking_order
from journeys.graphs.reading import parse_graph
from journeys.graphs.schema import graph_schema
from tests.journeys.shop import GRAPH, ONE_MAIL, with_steps

KNOWN: dict[str, Any] = {"known_segments": {"lapsed"}, "known_offers": {"ten-percent", "fifteen"},
                         "known_contents": {"offer-a", "reminder"}}
LEAVE = {"kind": "leave"}
SEND = {"kind": "send", "content": "offer-a", "next": "end"}


def places(graph: object) -> list[str]:
    """Where the problems are."""
    return [problem.place for problem in check_graph(graph, **KNOWN)]


def test_a_good_journey_has_no_problems_and_fits_its_schema() -> None:
    for graph in (GRAPH, ONE_MAIL):
        assert check_graph(graph, **KNOWN) == []
        jsonschema_rs.validate(graph_schema(), graph)


def test_steps_stand_in_the_order_people_walk_however_they_were_stored() -> None:
    steps = {
        "a_end": {"kind": "leave"}, "b_alone": {"kind": "leave"},
        "late": {"kind": "wait", "days": 3, "next": "mail"},
        "mail": {**SEND, "next": "a_end"},
        "z_first": {"kind": "branch", "if": {"preferred_channel": "letter"}, "next": {"yes": "late", "no": "a_end"}},
    }
    for stored in (steps, dict(reversed(steps.items()))):
        graph = parse_graph({"entry": {"segment": "lapsed"}, "start": "z_first", "steps": stored})
        assert in_walking_order(graph) == ("z_first", "late", "mail", "a_end", "b_alone")
    steps["late"] = {"kind": "branch", "if": {"preferred_channel": "letter"}, "next": {"yes": "back", "no": "mail"}}
    steps["back"] = {"kind": "jump", "next": "z_first"}
    circle = parse_graph({"entry": {"segment": "lapsed"}, "start": "z_first", "steps": steps})
    assert sorted(in_walking_order(circle)) == sorted(steps) and in_walking_order(circle)[0] == "z_first"


def test_a_graph_is_read_into_frozen_steps() -> None:
    graph = parse_graph({
        "entry": {"segment": "lapsed"}, "start": "b",
        "window": {"from": "2026-03-01", "until": "2026-04-01T00:00+02:00"},
        "steps": {
            "b": {"kind": "branch", "if": {"preferred_channel": "letter"}, "next": {"yes": "s", "no": "w"}},
            "s": {"kind": "split", "arms": {"A": 30, "B": 70}, "next": {"A": "m", "B": "end"}},
            "m": {"kind": "send", "content": "offer-a", "offer": "ten-percent", "code": "new", "fallback": True,
                  "channel": "letter", "next": "w"},
            "w": {"kind": "wait", "until": {"code_ends": "ten-percent", "minus_days": 3}, "next": "end"},
            "end": LEAVE}})
    assert isinstance(graph.steps["b"], Branch) and graph.steps["b"].next == {"yes": "s", "no": "w"}
    assert isinstance(graph.steps["s"], Split) and graph.steps["s"].arms == (("A", 30.0), ("B", 70.0))
    assert graph.steps["m"] == Send("m", "offer-a", "w", "ten-percent", "letter", fallback=True, new_code=True)
    assert graph.steps["w"] == Wait("w", "end", code_ends="ten-percent", minus_days=3)
    assert graph.ends_at is not None and graph.ends_at.isoformat() == "2026-03-31T22:00:00+00:00"
    assert graph.exit_when.redeemed and graph.exit_when.ordered


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("unknown key", {"hold_out": 10}, "hold_out"),
    ("unknown step kind", {"steps": {"mail": {"kind": "sned", "next": "end"}}}, "steps.mail.kind"),
    ("nobody to tell", {"steps": {"mail": {"kind": "webhook", "next": "end"}}}, "steps.mail.receiver"),
    ("unknown step key", {"steps": {"mail": {**SEND, "chanel": "email"}}}, "steps.mail.chanel"),
    ("missing start", {"start": None}, "start"),
    ("start that is not there", {"start": "nowhere"}, "start"),
    ("dangling next", {"steps": {"mail": {**SEND, "next": "nowhere"}}}, "steps.mail.next"),
    ("no next", {"steps": {"mail": {"kind": "send", "content": "offer-a"}}}, "steps.mail.next"),
    ("no content", {"steps": {"mail": {"kind": "send", "next": "end"}}}, "steps.mail.content"),
    ("missing content", {"steps": {"mail": {**SEND, "content": "gone"}}}, "steps.mail.content"),
    ("missing offer", {"steps": {"mail": {**SEND, "offer": "gone"}}}, "steps.mail.offer"),
    ("missing segment", {"entry": {"segment": "gone"}}, "entry.segment"),
    ("hold-out too large", {"holdout_percent": 51}, "holdout_percent"),
    ("window turned round", {"window": {"from": "2026-03-02", "until": "2026-03-01"}}, "window.until"),
    ("window that is no date", {"window": {"from": "soon"}}, "window.from"),
    ("families", {"unit": "family"}, "unit"),
    ("coming back", {"reentry": "always"}, "reentry"),
    ("wrong channel", {"steps": {"mail": {**SEND, "channel": "fax"}}}, "steps.mail.channel"),
    ("code without offer", {"steps": {"mail": {**SEND, "code": "new"}}}, "steps.mail.code"),
    ("exit by a wrong rule", {"exit_when": [{"orders": "cuont"}]}, "exit_when[0]"),
    ("exit by false", {"exit_when": [{"redeemed": False}]}, "exit_when[0].redeemed"),
    ("wait without length", {"steps": {"mail": {"kind": "wait", "next": "end"}}}, "steps.mail"),
    ("wait for ever", {"steps": {"mail": {"kind": "wait", "days": -1, "next": "end"}}}, "steps.mail.days"),
    ("wait at no time", {"steps": {"mail": {"kind": "wait", "at_local_time": "9:00", "next": "end"}}},
     "steps.mail.at_local_time"),
    ("wait twice", {"steps": {"mail": {"kind": "wait", "until": "2026-04-01", "days": 1, "next": "end"}}},
     "steps.mail.days"),
    ("wait for a code nobody gives",
     {"steps": {"mail": {"kind": "wait", "until": {"code_ends": "fifteen"}, "next": "end"}}},
     "steps.mail.until.code_ends"),
    ("shares that do not add up",
     {"steps": {"mail": {"kind": "split", "arms": {"A": 60, "B": 60}, "next": {"A": "end", "B": "end"}}}},
     "steps.mail.arms"),
    ("one arm", {"steps": {"mail": {"kind": "split", "arms": {"A": 100}, "next": {"A": "end"}}}}, "steps.mail.arms"),
    ("arm without a way",
     {"steps": {"mail": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "end"}}}}, "steps.mail.next.B"),
    ("branch without rule", {"steps": {"mail": {"kind": "branch", "next": {"yes": "end", "no": "end"}}}},
     "steps.mail.if"),
    ("branch with a third way",
     {"steps": {"mail": {"kind": "branch", "if": {"all": []}, "next": {"yes": "end", "no": "end", "maybe": "end"}}}},
     "steps.mail.next.maybe"),
    ("branch with a wrong rule",
     {"steps": {"mail": {"kind": "branch", "if": {"all": [{"orders": "count", "window": {"last_dayz": 3}}]},
                         "next": {"yes": "end", "no": "end"}}}}, "steps.mail.if.all[0].orders.window"),
]


@pytest.mark.parametrize(("change", "place"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_each_mistake_is_named_by_its_place(change: dict[str, Any], place: str) -> None:
    graph = copy.deepcopy(with_steps(mail=SEND, end=LEAVE))
    graph |= {name: value for name, value in change.items() if name != "steps"}
    graph["steps"] |= change.get("steps", {})
    assert place in [found if found == place else found[:len(place)] for found in places(graph)]


def test_an_unreachable_step_is_named() -> None:
    assert places(with_steps(mail=SEND, end=LEAVE, lost={**SEND, "content": "reminder"})) == ["steps.lost"]


def test_a_loop_without_a_wait_is_refused_and_one_with_a_wait_is_not() -> None:
    branch = {"kind": "branch", "if": {"all": []}, "next": {"yes": "again", "no": "end"}}
    again = {**SEND, "next": "ask"}
    [problem] = check_graph(with_steps(ask=branch, again=again, end=LEAVE), **KNOWN)
    assert problem == Problem("steps.ask", "People would run in a circle: ask to again to ask.",
                              "Put a wait of at least an hour into the circle.")
    waiting = with_steps(ask=branch, again={**SEND, "next": "rest"}, rest={"kind": "wait", "days": 1, "next": "ask"},
                         end=LEAVE)
    assert check_graph(waiting, **KNOWN) == []
    past = with_steps(ask=branch, again={**SEND, "next": "rest"},
                      rest={"kind": "wait", "until": "2026-01-01", "next": "ask"}, end=LEAVE)
    assert places(past) == ["steps.ask"], "an instant that is past lets people through at once"


@pytest.mark.parametrize(("wait", "enough"), [
    ({"hours": 1e-300}, False), ({"hours": 0.5}, False), ({"hours": 1}, True), ({"at_local_time": "09:00"}, True),
    ({"hours": 1e-300, "at_local_time": "09:00"}, False), ({"days": 1, "at_local_time": "09:00"}, True),
])
def test_a_circle_takes_at_least_an_hour_a_round(wait: dict[str, Any], enough: bool) -> None:
    round_trip = with_steps(ask={**SEND, "next": "rest"}, rest={"kind": "wait", **wait, "next": "ask"})
    heard = with_steps(ask={**SEND, "next": "rest"}, rest={
        "kind": "wait_for", "event": "seen", **wait, "next": {"yes": "ask", "timeout": "ask"}})
    expected = [] if enough else ["steps.ask"]
    assert (places(round_trip), places(heard)) == (expected, expected)


def test_a_journey_of_far_too_many_steps_is_told_that_alone() -> None:
    many = {f"step_{number}": {"kind": "wait", "days": 1, "next": f"step_{number}"} for number in range(10_000)}
    assert places(with_steps(**many)) == ["steps"]


def test_every_problem_is_told_at_once_of_form_and_of_meaning() -> None:
    graph = with_steps(mail={"kind": "send", "content": "gone", "offer": "gone", "next": "nowhere", "x": 1},
                       wait={"kind": "wait", "days": "3"})
    graph["unit"] = "family"
    assert {"unit", "steps.mail.x", "steps.mail.content", "steps.mail.offer", "steps.mail.next", "steps.wait.days",
            "steps.wait.next"} <= set(places(graph))
    with pytest.raises(InvalidPlan) as raised:
        parse_graph(graph)
    assert len(raised.value.problems) >= 4 and "This is nothing that can be drawn for" in str(raised.value)


@pytest.mark.parametrize("value", [None, [], "x", 3, {"steps": []}, {"steps": {"a": []}}, {"start": ["x"], "steps": {}},
                                   {"steps": {"a": {"kind": ["send"]}}, "entry": [], "exit_when": {}, "window": 3}])
def test_what_is_no_journey_at_all_is_told_so_and_never_breaks_the_reader(value: object) -> None:
    assert places(value)


def test_words_for_the_editor_say_what_is_meant() -> None:
    graph = with_steps(mail={**SEND, "chanel": "email"}, end=LEAVE)
    [problem] = check_graph(graph, **KNOWN)
    assert str(problem) == "steps.mail.chanel: Nothing is called chanel here. Did you mean channel?"

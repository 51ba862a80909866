"""A graph is laid out in the order in which people walk it, whatever order a database gave it back in."""

import json
from typing import Any

from journeys.graphs.writing import laid_out, written_graph

# As PostgreSQL gives it back: every object's names by their length, then by the alphabet.
STORED: dict[str, Any] = {
    "name": "Win-back",
    "entry": {"segment": "lapsed"},
    "start": "which",
    "steps": {
        "end": {"kind": "leave"},
        "lost": {"kind": "leave"},
        "which": {"arms": {"B": 50, "A": 50}, "kind": "split", "next": {"A": "mail_a", "B": "mail_b"}},
        "again": {"kind": "send", "next": "end", "content": "reminder"},
        "asked": {"if": {"where": {"category": ["furniture"]}, "orders": "count", "at_least": 1}, "kind": "branch",
                  "next": {"no": "again", "yes": "end"}},
        "mail_a": {"kind": "send", "next": "pause", "offer": "ten", "content": "hello"},
        "mail_b": {"kind": "send", "next": "pause", "offer": "fifteen", "content": "hello"},
        "pause": {"days": 7, "kind": "wait", "next": "asked"},
    },
    "holdout_percent": 10,
}


def test_steps_stand_in_the_order_in_which_people_come_to_them() -> None:
    # nobody comes to the last
    assert list(laid_out(STORED)["steps"]) == ["which", "mail_a", "mail_b", "pause", "asked", "again", "end", "lost"]


def test_each_part_says_what_it_is_first_and_where_it_leads_last() -> None:
    laid = laid_out(STORED)
    assert list(laid) == ["name", "entry", "holdout_percent", "start", "steps"]
    assert list(laid["steps"]["mail_a"]) == ["kind", "content", "offer", "next"]
    assert list(laid["steps"]["asked"]["if"]) == ["orders", "where", "at_least"]
    assert list(laid["steps"]["asked"]["next"]) == ["yes", "no"]
    assert list(laid["steps"]["which"]["arms"]) == ["A", "B"]


def test_laying_out_changes_nothing_and_is_the_same_for_every_order_before() -> None:
    backwards = json.loads(json.dumps(STORED), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert laid_out(STORED) == STORED == laid_out(backwards)
    assert written_graph(STORED) == written_graph(backwards) == written_graph(laid_out(STORED))


def test_a_draft_that_is_not_right_yet_is_laid_out_as_well() -> None:
    drafts: list[dict[str, Any]] = [
        {}, {"steps": []}, {"start": 7, "steps": {"b": 1, "a": None}}, {"start": "gone", "steps": {"b": {"next": [1]}}},
        {"start": "a", "steps": {"a": {"next": "b"}, "b": {"next": {"x": "a", "y": 3, "z": "gone"}}}},
        {"start": "s0", "steps": {f"s{n}": {"next": f"s{n + 1}"} for n in range(5000)}},
    ]
    for draft in drafts:
        assert laid_out(draft) == draft
    deep: dict[str, Any] = {}
    for _turn in range(2000):
        deep = {"not": deep}
    assert laid_out({"steps": {"a": deep}}) is not None
    assert list(laid_out(drafts[2])["steps"]) == ["a", "b"]
    assert list(laid_out(drafts[-1])["steps"])[:3] == ["s0", "s1", "s2"]

"""With organisations as units everybody of one gets the same arm or is left alone, and all of them enter."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from customers.models import Organisation, Relation
from journeys.editing.audience import audience
from journeys.entry.holding_out import set_global_percent
from journeys.graphs.checking import check_graph
from tests.delivery.ledger import KEY
from tests.journeys.shop import enrolments, furnish, go, questions, walk, with_steps

GRAPH: dict[str, Any] = {
    **with_steps(split={"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "pause", "B": "pause"}},
                 pause={"kind": "wait", "days": 3, "next": "end"}, end={"kind": "leave"}),
    "exit_when": [], "unit": "organisation", "holdout_percent": 30}
FIRMS = [range(start, start + 4) for start in range(1, 97, 4)]


def employ(database: Database, *, now: datetime) -> None:
    """24 organisations of four people; the others left one of them and stand alone."""
    with database.writing() as session:
        for number, people in enumerate(FIRMS, start=1):
            session.add(Organisation(id=number, external_id=f"F{number}", name=f"Firm {number}"))
            session.flush()
            session.add_all(Relation(external_id=f"r{person}", customer_id=person, organisation_id=number,
                                     kind="partner", since_at=now - timedelta(days=9)) for person in people)
        session.add_all(Relation(external_id=f"left{person}", customer_id=person, organisation_id=1, kind="partner",
                                 until_at=now - timedelta(days=1)) for person in range(97, 121))


def test_everybody_of_an_organisation_gets_the_same_and_all_of_them_enter(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 121), now=now)
    employ(database, now=now)
    go(database, GRAPH, now=now)
    lines = {line.part: line.people for line in audience(
        questions(database, tmp_path), "spring", now=now, secret_key=KEY).lines}
    walk(database, tmp_path, now=now, chunk=7)
    found = enrolments(database)
    drawn = {person: (each.held_out, each.arm) for person, each in found.items()}
    assert {each.state for each in found.values()} == {"active"} and len(found) == 120
    by_firm = [{drawn[person] for person in people} for people in FIRMS]
    assert all(len(each) == 1 for each in by_firm)
    assert set().union(*by_firm) == {(False, "A"), (False, "B"), (True, None)}
    assert len({drawn[person] for person in range(97, 121)}) == 3
    assert lines["held_out"] == sum(held for held, _arm in drawn.values())
    assert lines["arm:A"] == sum(arm == "A" for _held, arm in drawn.values())


def test_whom_the_house_leaves_alone_stays_out_so_that_an_organisation_is_whole(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 121), now=now)
    employ(sqlite_database, now=now)
    with sqlite_database.writing() as session:
        set_global_percent(session, 20, now=now)
    go(sqlite_database, GRAPH, now=now)
    walk(sqlite_database, tmp_path, now=now)
    found = enrolments(sqlite_database)
    out = {person for person, each in found.items() if each.left_reason == "left_alone"}
    assert 12 <= len(out) <= 40 and {found[person].state for person in out} == {"excluded"}
    assert all(len({(found[person].held_out, found[person].arm) for person in people if person not in out}) <= 1
               for people in FIRMS)


@pytest.mark.parametrize("step", [
    {"kind": "best_arm", "arms": ["A", "B"], "by": "redemptions", "days": 7, "next": {"A": "end", "B": "end"}},
    {"kind": "split", "arms": {"A": 10, "B": 10}, "rest": {"percent": 80, "by": "redemptions", "days": 7},
     "next": {"A": "end", "B": "end"}}])
def test_arms_that_are_chosen_meanwhile_are_for_people(step: dict[str, Any]) -> None:
    graph = {**with_steps(split=step, end={"kind": "leave"}), "unit": "organisation"}
    problems = check_graph(graph, known_segments={"lapsed"}, known_offers=set(), known_contents=set())
    assert [problem.place for problem in problems] == ["steps.split"]
    assert not check_graph({**graph, "unit": "customer"}, known_segments={"lapsed"}, known_offers=set(),
                           known_contents=set())

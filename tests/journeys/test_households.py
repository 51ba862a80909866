"""With households as units all who live together are drawn as one, and one of them is inside at a time."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from core.database import Database
from coupons.models import Redemption
from customers.models import Customer
from journeys.editing.audience import audience, people_in
from journeys.entry.admitting import enrol, may_enter
from journeys.graphs.checking import check_graph
from journeys.graphs.plans import load_plans
from journeys.graphs.schema import graph_schema
from tests.conftest import only_postgresql
from tests.delivery.ledger import KEY
from tests.journeys.shop import add_event, add_order, enrolments, furnish, go, passages, questions, walk, with_steps

HOMES: dict[str, Any] = {
    **with_steps(split={"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "pause", "B": "pause"}},
                 pause={"kind": "wait", "days": 3, "next": "end"}, end={"kind": "leave"}),
    "exit_when": [], "unit": "household"}


def live_together(database: Database, *homes: tuple[int, ...]) -> None:
    """These people share a household."""
    with database.writing() as session:
        for number, people in enumerate(homes):
            session.execute(update(Customer).where(Customer.id.in_(people)).values(household=f"H{number}"))


def test_the_best_customer_of_each_household_enters_whatever_the_chunks(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 10), now=now)
    live_together(database, (1, 8, 9), (3, 4))
    add_order(database, 9, at=now - timedelta(days=90))
    add_order(database, 8, at=now - timedelta(days=90), cancelled=True)
    go(database, HOMES, now=now)
    walk(database, tmp_path, now=now, chunk=2)
    lines = {line.part: line.people for line in audience(
        questions(database, tmp_path), "spring", now=now, secret_key=KEY).lines}
    assert (lines["start"], lines["household"], lines["reached"]) == (9, 3, 6)
    assert people_in(questions(database, tmp_path), "spring", "household", now=now, secret_key=KEY)[1] == [1, 4, 8]
    found = enrolments(database)
    assert {person for person, each in found.items() if each.state == "active"} == {2, 3, 5, 6, 7, 9}
    assert {(person, each.left_reason) for person, each in found.items() if each.state == "excluded"} == {
        (1, "household"), (8, "household"), (4, "household")}


def test_arm_and_hold_out_are_drawn_for_the_household(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    """Whoever of a household enters gets the same: asked here by letting each of them enter once."""
    furnish(sqlite_database, range(1, 61), now=now, ends_in_days=90)
    live_together(sqlite_database, *[(number, number + 30) for number in range(1, 31)])
    go(sqlite_database, {**HOMES, "entry": {"event": "visit"}, "reentry": {"after_days": 10}, "holdout_percent": 40},
       now=now)
    for people, at in ((range(1, 31), now + timedelta(hours=1)), (range(31, 61), now + timedelta(hours=2)),
                       (range(31, 61), now + timedelta(days=60))):
        walk(sqlite_database, tmp_path, now=at - timedelta(minutes=30))
        for person in people:
            add_event(sqlite_database, person, "visit", at=at)
        walk(sqlite_database, tmp_path, now=at)
    first = {person: passages(sqlite_database, person)[0] for person in range(1, 31)}
    held = [person for person, each in first.items() if each.held_out]
    assert held and Counter(each.arm for each in first.values())["A"] > 3
    for person in range(1, 31):
        mates = passages(sqlite_database, person + 30)
        # At two hours somebody of the household is inside; after 60 days they may come, unless held out until the end.
        assert mates[0].left_reason == "household"
        if person not in held:
            assert [(each.held_out, each.arm) for each in mates[1:]] == [(False, first[person].arm)]


def test_people_without_a_household_stand_for_themselves(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 13), now=now)
    go(sqlite_database, HOMES, now=now)
    walk(sqlite_database, tmp_path, now=now)
    assert {each.state for each in enrolments(sqlite_database).values()} == {"active"}


@pytest.mark.parametrize("unit", ["family", 3, None])
def test_other_units_are_told(unit: object) -> None:
    problems = check_graph({**HOMES, "unit": unit}, known_segments={"lapsed"}, known_offers=set(), known_contents=set())
    assert [problem.place for problem in problems] == ["unit"]
    assert graph_schema()["properties"]["unit"]["enum"] == ["customer", "household", "organisation"]


def test_what_anybody_of_the_household_orders_ends_the_passage_within_one_tick(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 7), now=now)
    live_together(database, (1, 2), (3, 4))
    steps = HOMES["steps"] | {"pause": {"kind": "wait_for", "ordered": {"category": ["books"]}, "days": 9,
                                        "next": {"yes": "more", "timeout": "end"}},
                              "more": {"kind": "wait", "days": 5, "next": "end"}}
    go(database, {**HOMES, "steps": steps, "exit_when": [{"ordered": True}]}, now=now)
    walk(database, tmp_path, now=now)
    inside = {person for person, each in enrolments(database).items() if each.state == "active"}
    assert inside == {1, 3, 5, 6}
    add_order(database, 4, at=now + timedelta(hours=1), category="books")
    add_order(database, 5, at=now + timedelta(hours=1), category="books", number="2")
    walk(database, tmp_path, now=now + timedelta(hours=2))
    assert {person for person, each in enrolments(database).items() if each.step == "more"} == {3, 5}
    add_order(database, 2, at=now + timedelta(hours=3))
    walk(database, tmp_path, now=now + timedelta(hours=4))
    found = enrolments(database)
    assert found[1].left_reason == "ordered" and {found[person].state for person in (3, 5, 6)} == {"active"}


def test_a_code_that_somebody_else_of_the_household_redeems_counts_for_whom_it_was_meant(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 4), now=now)
    live_together(sqlite_database, (1, 2))
    go(sqlite_database, {**HOMES, "exit_when": [{"redeemed": True}]}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        session.add(Redemption(public_id="r", code_text="X", campaign="spring", customer_id=2, shop="", order_ref="1",
                               origin=f"enrolment:{enrolments(sqlite_database)[1].id}", discount_cents=100,
                               currency="EUR", state="redeemed", redeemed_at=now + timedelta(hours=1)))
    walk(sqlite_database, tmp_path, now=now + timedelta(hours=2))
    assert enrolments(sqlite_database)[1].left_reason == "redeemed"
    assert enrolments(sqlite_database)[3].state == "active"


@only_postgresql
def test_of_two_who_are_let_in_at_once_by_two_doors_one_of_the_household_enters(
    database: Database, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    live_together(database, (1, 2))
    go(database, {**HOMES, "entry": {"api": True}}, now=now)
    with database.reading() as session:
        [plan] = load_plans(session.connection(), states=("running",)).values()

    def let_in() -> None:
        with database.writing() as other:
            assert may_enter(other, plan)
            enrol(other, plan, [2], now=now, cause="second")

    door = threading.Thread(target=let_in)
    with database.writing() as session:
        assert may_enter(session, plan)
        assert enrol(session, plan, [1], now=now, cause="first") == 1
        door.start()
        for _look in range(600):  # until the other waits for us, or does not
            door.join(0.05)
            with database.reading() as looking:
                waiting = looking.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                              " AND datname = current_database()"))
            if waiting or not door.is_alive():
                break
    door.join()
    assert {person: each.state for person, each in enrolments(database).items()} == {1: "active", 2: "excluded"}

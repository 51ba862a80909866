"""Journeys that start on coming into a segment or leaving it: nobody twice, nobody who was there before."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from campaigns.problems import InvalidPlan
from core.database import Database
from customers.models import Customer
from journeys.editing.editing import pause, resume
from journeys.entry import following
from journeys.graphs.plans import load_plans
from journeys.graphs.steps import held_out
from journeys.models import Enrolment, Version
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh
from segments.membership.snapshots import freeze
from segments.saving.saved import save_segment
from tests.journeys.shop import ONE_MAIL, add_order, enrolments, furnish, go, ledger, questions, walk

DAY = timedelta(days=1)


def door(on: str, segment: str = "buyers") -> dict[str, Any]:
    """One mail for whoever passes the door of a segment."""
    return ONE_MAIL | {"entry": {"segment": segment, "on": on}}


def buyers(database: Database, *, now: datetime, at_least: int = 1, days: int = 10) -> None:
    """The segment of people with an order in the last days."""
    rule = {"orders": "count", "window": {"last_days": days}, "at_least": at_least}
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule(rule), now=now)


def look(database: Database, folder: Path, now: datetime, *, chunk: int | None = None) -> None:
    """Refresh the segment, then do the journeys' duties."""
    refresh(database, questions(database, folder), "buyers", now=now)
    walk(database, folder, now=now, chunk=chunk)


def buy(database: Database, people: list[int], at: datetime, number: str = "1") -> None:
    """An order outside the campaign's goal, so that nobody leaves for it."""
    for person in people:
        add_order(database, person, at=at, category="lamps", number=number)


def test_who_comes_in_after_the_publishing_enters_and_who_was_in_before_does_not(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 7), now=now)
    buyers(database, now=now)
    buy(database, [1, 2], now - DAY)
    look(database, tmp_path, now)
    go(database, door("entering"), now=now)
    walk(database, tmp_path, now=now)
    assert enrolments(database) == {}
    buy(database, [3, 4], now)
    look(database, tmp_path, now + DAY)
    assert sorted(enrolments(database)) == [3, 4]
    look(database, tmp_path, now + 2 * DAY)
    buy(database, [5], now + 2 * DAY)
    look(database, tmp_path, now + 3 * DAY)
    assert sorted(enrolments(database)) == [3, 4, 5]
    assert sorted(message.customer_id for message in ledger(database)) == [3, 4, 5]


def test_who_leaves_after_the_publishing_enters_a_journey_that_starts_on_leaving(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 5), now=now)
    buyers(database, now=now)
    buy(database, [1], now - 11 * DAY)
    buy(database, [2], now - 8 * DAY)
    buy(database, [3], now - DAY)
    look(database, tmp_path, now - 2 * DAY)
    look(database, tmp_path, now)
    go(database, door("leaving"), now=now)
    look(database, tmp_path, now + 3 * DAY)
    assert sorted(enrolments(database)) == [2]
    look(database, tmp_path, now + 20 * DAY)
    assert sorted(enrolments(database)) == [2, 3]


def test_a_first_look_and_a_changed_rule_let_nobody_enter(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 7), now=now)
    buyers(database, now=now)
    buy(database, [1], now - DAY)
    buy(database, [2], now - 20 * DAY)
    go(database, door("entering"), now=now)
    look(database, tmp_path, now)
    assert enrolments(database) == {}
    buyers(database, now=now, days=30)
    look(database, tmp_path, now + DAY)
    assert enrolments(database) == {}
    buyers(database, now=now, days=31)  # moves nobody, and is no reason to overlook who comes next
    look(database, tmp_path, now + 2 * DAY)
    buy(database, [3], now + 2 * DAY)
    look(database, tmp_path, now + 3 * DAY)
    assert sorted(enrolments(database)) == [3]


def test_coming_in_again_is_no_second_entry(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1], now=now, ends_in_days=100)
    buyers(database, now=now)
    look(database, tmp_path, now)
    go(database, door("entering"), now=now)
    for days in (1, 20, 40):
        buy(database, [1], now + days * DAY, number=str(days))
        look(database, tmp_path, now + (days + 1) * DAY)
        look(database, tmp_path, now + (days + 15) * DAY)
    with database.reading() as session:
        assert session.scalars(select(Enrolment.customer_id)).all() == [1]


class Killed(BaseException):
    """The process dies."""


def dies(database: Database, now: datetime, *, statement: int) -> bool:
    """Follow the door and die at that statement; False when it ended before."""
    seen = 0

    def die(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            raise Killed

    event.listen(database.engine, "before_cursor_execute", die)
    try:
        following.tick(database, now=now, limit=3)
        return False
    except Killed:
        return True
    finally:
        event.remove(database.engine, "before_cursor_execute", die)


def test_dying_at_any_statement_enrols_nobody_twice_and_forgets_nobody(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 8), now=now)
    buyers(database, now=now)
    look(database, tmp_path, now)
    go(database, door("entering"), now=now)
    buy(database, list(range(1, 8)), now)
    refresh(database, questions(database, tmp_path), "buyers", now=now + DAY)
    deaths = 0
    while dies(database, now + DAY, statement=deaths + 1):
        deaths += 1
    assert deaths > 10
    with database.reading() as session:
        assert sorted(session.scalars(select(Enrolment.customer_id))) == list(range(1, 8))
    assert following.tick(database, now=now + DAY, limit=3) == 0


def test_the_hold_out_is_the_same_sticky_draw_as_for_every_entry(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 41), now=now)
    buyers(database, now=now)
    look(database, tmp_path, now)
    go(database, door("entering") | {"holdout_percent": 30}, now=now)
    buy(database, list(range(1, 41)), now)
    look(database, tmp_path, now + DAY, chunk=7)
    people = enrolments(database)
    with database.reading() as session:
        numbers = {row[0]: row[1] for row in session.execute(select(Customer.id, Customer.external_id))}
    drawn = held_out("winback", [numbers[one] for one in people], percent=30)
    assert [person.held_out for person in people.values()] == drawn
    assert 0 < sum(drawn) < 40


def test_a_newer_version_goes_on_at_the_same_door_and_a_pause_forgets_nobody(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 6), now=now)
    buyers(database, now=now)
    look(database, tmp_path, now)
    go(database, door("entering"), now=now)
    buy(database, [1], now)
    refresh(database, questions(database, tmp_path), "buyers", now=now + DAY)  # nobody looked yet
    second = go(database, door("entering") | {"name": "Again"}, now=now + DAY)
    with database.writing() as session:
        pause(session, "winback", now=now + DAY)
    buy(database, [2], now + DAY)
    look(database, tmp_path, now + 2 * DAY)
    assert enrolments(database) == {}
    with database.writing() as session:
        resume(session, "winback", overdue="send", now=now + 3 * DAY)
    walk(database, tmp_path, now=now + 3 * DAY)
    people = enrolments(database)
    assert sorted(people) == [1, 2] and {person.version_id for person in people.values()} == {second.id}


def test_a_worker_that_knows_only_the_version_before_lets_nobody_in(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 4), now=now)
    buyers(database, now=now)
    look(database, tmp_path, now)
    go(database, door("entering"), now=now)
    with database.reading() as session:
        [before] = load_plans(session.connection(), states=("running",)).values()
    buy(database, [1], now)
    refresh(database, questions(database, tmp_path), "buyers", now=now + DAY)
    second = go(database, door("entering") | {"name": "Again"}, now=now + DAY)
    assert following._follow(database, before, now=now + DAY, limit=10) == 0
    assert enrolments(database) == {}
    walk(database, tmp_path, now=now + DAY)
    assert {number: person.version_id for number, person in enrolments(database).items()} == {1: second.id}


def test_who_moves_before_the_window_opens_does_not_enter(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 4), now=now)
    buyers(database, now=now)
    look(database, tmp_path, now)
    opens = now + 2 * DAY
    go(database, door("entering") | {"window": {"from": opens.isoformat()}}, now=now)
    buy(database, [1], now)
    look(database, tmp_path, now + DAY)
    buy(database, [2], opens)
    look(database, tmp_path, opens + DAY)
    assert sorted(enrolments(database)) == [2]


@pytest.mark.parametrize(("entry", "place"), [
    ({"segment": "buyers", "on": "birthday"}, "entry.on"), ({"on": "entering"}, "entry.on"),
    ({"segment": "buyers", "at": "entering"}, "entry.at"), ({"segment": "frozen", "on": "leaving"}, "entry.on"),
])
def test_an_entry_that_nobody_could_pass_is_named(
    sqlite_database: Database, tmp_path: Path, now: datetime, entry: dict[str, Any], place: str
) -> None:
    furnish(sqlite_database, [1], now=now)
    buyers(sqlite_database, now=now)
    with sqlite_database.writing() as session:
        freeze(session, "buyers", key="frozen", now=now)
    with pytest.raises(InvalidPlan) as error:
        go(sqlite_database, ONE_MAIL | {"entry": entry}, now=now)
    assert place in [problem.place for problem in error.value.problems]
    with sqlite_database.reading() as session:
        assert session.scalars(select(Version)).all() == []

"""A call step waits for the agent: people go on by what came of the call, or after the days it may take."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.errors import Invalid
from delivery.calls import open_calls, record_outcome, take_call, tidy
from journeys.editing.moving import take_over
from tests.delivery.ledger import KEY, SETTINGS
from tests.journeys.shop import add_order, codes, day, enrolments, furnish, go, ledger, path_of, walk, with_steps

LEAVE = {"kind": "leave"}
CALL: dict[str, Any] = {**with_steps(
    ring={"kind": "call", "content": "offer-a", "offer": "ten-percent", "days": 5,
          "next": {"reached": "end", "not_interested": "sorry", "not_reached": "pause"}},
    sorry={"kind": "jump", "next": "end"}, pause={"kind": "wait", "days": 1, "next": "end"}, end=LEAVE)}


def speak(database: Database, outcomes: dict[int, str], *, now: datetime) -> None:
    """An agent makes these people's calls."""
    with database.writing() as session:
        for task in open_calls(session, now=now):
            if task.customer_id in outcomes:
                take_call(session, task.id, agent="Kim", now=now, settings=SETTINGS)
                record_outcome(session, task.id, agent="Kim", outcome=outcomes[task.customer_id], now=now,
                               secret_key=KEY)


def test_people_go_on_by_what_came_of_the_call(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, (1, 2, 3, 4), now=now, channels=("phone",))
    go(database, CALL, now=now)
    day(database, tmp_path, {}, now=now)
    assert {(person.step, person.due_at) for person in enrolments(database).values()} == {("ring", None)}
    assert len(codes(database)) == 4 and {row.channel for row in ledger(database)} == {"phone"}
    later = now + timedelta(hours=2)
    speak(database, {1: "reached", 2: "not_interested", 3: "wrong_number", 4: "no_answer"}, now=later)
    day(database, tmp_path, {}, now=later)
    assert path_of(database, 1) == [("ring", "reached"), ("end", "left")]
    assert path_of(database, 2) == [("ring", "not_interested"), ("sorry", "jumped"), ("end", "left")]
    assert path_of(database, 3) == [("ring", "not_reached")]
    assert path_of(database, 4) == [], "it is tried again"
    day(database, tmp_path, {}, now=later)
    assert len(ledger(database)) == 4, "one call per visit"


def test_after_its_days_the_call_is_off_the_desk_and_the_person_goes_on(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now, channels=("phone",))
    go(database, CALL, now=now)
    day(database, tmp_path, {}, now=now)
    late = now + timedelta(days=5)
    with database.writing() as session:
        tidy(session.connection(), now=late, limit=10)
    walk(database, tmp_path, now=late)
    assert path_of(database, 1) == [("ring", "not_reached")]
    assert ledger(database)[0].state == "expired"
    assert [code.state for code in codes(database)] == ["revoked"], "nobody heard it"


def test_whoever_may_not_be_called_is_not_reached_with_the_reason(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now, channels=("phone",), consents=("email",))
    go(sqlite_database, CALL, now=now)
    walk(sqlite_database, tmp_path, now=now)
    assert path_of(sqlite_database, 1) == [("ring", "not_reached")]
    assert (ledger(sqlite_database)[0].state, codes(sqlite_database)) == ("suppressed", [])


def test_an_order_takes_the_call_off_the_desk(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, (1,), now=now, channels=("phone",))
    go(sqlite_database, CALL, now=now)
    day(sqlite_database, tmp_path, {}, now=now)
    add_order(sqlite_database, 1, at=now + timedelta(hours=1))
    walk(sqlite_database, tmp_path, now=now + timedelta(hours=1))
    assert enrolments(sqlite_database)[1].left_reason == "ordered"
    with sqlite_database.reading() as session:
        assert open_calls(session, now=now + timedelta(hours=1)) == []


def test_people_who_wait_for_a_call_are_not_moved_from_under_it(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now, channels=("phone",))
    go(sqlite_database, CALL, now=now)
    day(sqlite_database, tmp_path, {}, now=now)
    go(sqlite_database, {**CALL, "name": "again"}, now=now)
    with sqlite_database.writing() as session, pytest.raises(Invalid, match="wait there for a call"):
        take_over(session, "winback", number=1, step="ring", now=now)

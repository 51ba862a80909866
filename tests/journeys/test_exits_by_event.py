"""Exits act on the event itself: whoever says no, complains or fits a rule is out within one tick."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.database import Database
from customers.consents import record_consent
from customers.contacts import record_contact
from journeys.exits import exits
from journeys.models import Enrolment
from tests.journeys.shop import add_event, add_order, enrolments, furnish, go, ledger, walk, with_steps

LEAVE = {"kind": "leave"}
REST: dict[str, Any] = with_steps(
    mail={"kind": "send", "content": "offer-a", "next": "pause"}, pause={"kind": "wait", "days": 9, "next": "end"},
    end=LEAVE)


@pytest.mark.parametrize(("when", "act", "reason"), [
    ({"unsubscribed": True}, "no", "unsubscribed"),
    ({"complained": True}, "complaint", "complained"),
    ({"events": "returned", "at_least": 1}, "event", "rule"),
    ({"contacts": "count", "where": {"kind": ["complaint"]}, "at_least": 1}, "complaint", "rule"),
    ({"consent": "email", "is": "withdrawn"}, "no", "rule"),
    ({"orders": "revenue", "at_least": 100}, "order", "rule"),
])
def test_whoever_gives_a_reason_is_out_within_one_tick(
    sqlite_database: Database, tmp_path: Path, now: datetime, when: dict[str, Any], act: str, reason: str
) -> None:
    _plays(sqlite_database, tmp_path, now, when, act, reason)


def test_whoever_says_no_or_complains_is_out_within_one_tick_on_postgresql_too(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    _plays(database, tmp_path, now, {"unsubscribed": True}, "no", "unsubscribed")


def test_who_is_set_aside_after_an_error_leaves_like_everybody_and_what_waits_for_them_is_taken_back(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    go(database, REST, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        session.execute(update(Enrolment).values(state="failed", error="ValueError: x", due_at=None))
    add_order(database, 1, at=now + timedelta(hours=1))
    walk(database, tmp_path, now=now + timedelta(hours=2))
    found = enrolments(database)
    assert (found[1].state, found[1].left_reason, found[1].error) == ("exited", "ordered", None)
    assert (found[2].state, found[2].error) == ("failed", "ValueError: x")
    assert {row.customer_id: row.state for row in ledger(database)} == {1: "cancelled", 2: "queued"}


def _plays(database: Database, folder: Path, now: datetime, when: dict[str, Any], act: str, reason: str) -> None:
    furnish(database, (1, 2), now=now)
    go(database, {**REST, "exit_when": [when]}, now=now)
    walk(database, folder, now=now)
    later = now + timedelta(days=1)
    _do(database, act, later)
    walk(database, folder, now=later + timedelta(minutes=1))
    found = enrolments(database)
    assert (found[1].state, found[1].left_reason) == ("exited", reason)
    assert found[2].state == "active"
    assert {row.customer_id: row.state for row in ledger(database)} == {1: "cancelled", 2: "queued"}


def _do(database: Database, act: str, at: datetime) -> None:
    if act == "event":
        add_event(database, 1, "returned", at=at - timedelta(minutes=1))
        return
    if act == "order":
        add_order(database, 1, at=at - timedelta(minutes=1))
        return
    with database.writing() as session:
        if act == "no":
            record_consent(session, 1, channel="email", state="withdrawn", at=at - timedelta(minutes=1), now=at)
        else:
            record_contact(session, 1, external_id="k1", kind="complaint", direction="in", now=at)


def test_a_no_that_comes_while_a_round_is_at_work_is_heard_by_the_next_one(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    go(sqlite_database, {**REST, "exit_when": [{"unsubscribed": True}]}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    at = now + timedelta(days=1)
    _do(sqlite_database, "no", at + timedelta(seconds=63))  # said three seconds after the round began
    assert exits.tick(sqlite_database, now=at, limit=10) == 0
    assert exits.tick(sqlite_database, now=at + timedelta(seconds=4), limit=10) == 1
    assert exits.tick(sqlite_database, now=at + timedelta(seconds=4), limit=10) == 0


def test_what_was_said_before_entering_lets_nobody_leave(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    with sqlite_database.writing() as session:
        record_consent(session, 1, channel="phone", state="withdrawn", at=now - timedelta(days=1), now=now)
    go(sqlite_database, {**REST, "exit_when": [{"unsubscribed": True}, {"complained": True}]}, now=now)
    walk(sqlite_database, tmp_path, now=now + timedelta(hours=1))
    assert enrolments(sqlite_database)[1].state == "active"

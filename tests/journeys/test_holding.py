"""A paused journey says nothing more: not on the phone, and not what a channel just refused for now."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from campaigns.models import Campaign
from core.database import Database
from core.errors import Conflict
from delivery import sending
from delivery.calls import open_calls, record_outcome, take_call, tidy
from delivery.channels import Envelope, Outcome, accepted, refused_for_now
from delivery.desk import calls_on_desk, desk_counts
from delivery.models import Message
from delivery.showing import count_open_calls
from journeys.editing.editing import end, pause, resume
from journeys.walk import errands
from journeys.walk.due import NEVER
from tests.conftest import only_postgresql
from tests.delivery.ledger import SETTINGS, sink
from tests.journeys.shop import ONE_MAIL, add_order, codes, day, deliver, enrolments, furnish, go, ledger, path_of, walk
from tests.journeys.test_calling import CALL, speak


class Meanwhile:
    """A channel that answers everything alike, and while it is at it something happens."""

    name = "email"

    def __init__(self, happens: Callable[[], object], answer: Outcome | None = None) -> None:
        self.happens, self.answer = happens, answer or refused_for_now(451, "later")

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        """Answer them."""
        self.happens()
        return [self.answer] * len(envelopes)


def on_desk(database: Database, *, now: datetime) -> list[int]:
    """Who may be called now, asked in the three ways the desk asks."""
    with database.reading() as session:
        found = [task.customer_id for task in open_calls(session, now=now)]
        assert len(calls_on_desk(session, now=now)) == count_open_calls(session, now=now) == len(found)
        assert desk_counts(session, now=now)[0] == len(found)
        return sorted(found)


@pytest.mark.parametrize("overdue", ["send", "shift"])
def test_calls_leave_the_desk_with_a_pause_and_come_back_with_the_days_they_had_left(
    database: Database, tmp_path: Path, now: datetime, overdue: str
) -> None:
    furnish(database, (1, 2), now=now, channels=("phone",), ends_in_days=60)
    go(database, CALL, now=now)
    day(database, tmp_path, {}, now=now)
    assert on_desk(database, now=now) == [1, 2]
    with database.reading() as session:
        first = open_calls(session, now=now)[0].id
    stopped, goes_on = now + timedelta(days=2), now + timedelta(days=22)
    with database.writing() as session:
        pause(session, "winback", now=stopped)
    late = now + timedelta(days=6)
    assert on_desk(database, now=late) == []
    with database.writing() as session, pytest.raises(Conflict, match="is paused"):
        take_call(session, first, agent="Kim", now=late, settings=SETTINGS)
    with database.writing() as session:
        assert tidy(session.connection(), now=late, limit=10) == 0, "its five days do not pass"
    with database.writing() as session:
        resume(session, "winback", overdue=overdue, now=goes_on)
    day(database, tmp_path, {}, now=goes_on)
    assert on_desk(database, now=goes_on) == [1, 2]
    assert {row.expires_at for row in ledger(database)} == {goes_on + timedelta(days=3)}
    speak(database, {1: "reached"}, now=goes_on)
    with database.writing() as session:
        assert tidy(session.connection(), now=goes_on + timedelta(days=3), limit=10) == 1
    walk(database, tmp_path, now=goes_on + timedelta(days=3))
    assert [path_of(database, number)[0] for number in (1, 2)] == [("ring", "reached"), ("ring", "not_reached")]


def test_calls_are_left_out_after_a_pause_and_nobody_is_called_after_the_campaigns_end(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now, channels=("phone",), ends_in_days=4)
    go(database, CALL, now=now)
    day(database, tmp_path, {}, now=now)
    for overdue, state in (("shift", "handed_over"), ("skip", "cancelled")):
        with database.writing() as session:
            pause(session, "winback", now=now + timedelta(hours=1))
            resume(session, "winback", overdue=overdue, now=now + timedelta(days=3))
        [call] = ledger(database)
        assert (call.state, call.expires_at) == (state, now + timedelta(days=4))
    walk(database, tmp_path, now=now + timedelta(days=3))
    assert on_desk(database, now=now + timedelta(days=3)) == []
    assert path_of(database, 1) == [("ring", "not_reached")]
    assert [code.state for code in codes(database)] == ["revoked"]


def test_a_call_that_an_agent_makes_while_the_journey_is_paused_is_written_down(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now, channels=("phone",))
    go(sqlite_database, CALL, now=now)
    day(sqlite_database, tmp_path, {}, now=now)
    with sqlite_database.writing() as session:
        [task] = open_calls(session, now=now)
        take_call(session, task.id, agent="Kim", now=now, settings=SETTINGS)
    with sqlite_database.writing() as session:
        pause(session, "winback", now=now)
        take_call(session, task.id, agent="Kim", now=now, settings=SETTINGS)  # the page is loaded again
    with sqlite_database.writing() as session:
        record_outcome(session, task.id, agent="Kim", outcome="reached", now=now, secret_key=SETTINGS.secret_key)
    assert [(row.state, row.due_at) for row in ledger(sqlite_database)] == [("sent", now)]


@pytest.mark.parametrize("overdue", ["send", "skip"])
def test_what_a_channel_refuses_for_now_while_the_journey_is_paused_waits_for_it_to_go_on(
    database: Database, tmp_path: Path, now: datetime, overdue: str
) -> None:
    furnish(database, (1,), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)

    def stop() -> None:
        with database.writing() as session:
            pause(session, "winback", now=now)

    deliver(database, {"email": Meanwhile(stop)}, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now + timedelta(days=1))
    assert [row.state for row in ledger(database)] == ["queued"], "nothing leaves during the pause"
    with database.writing() as session:
        resume(session, "winback", overdue=overdue, now=now + timedelta(days=2))
    day(database, tmp_path, channels, now=now + timedelta(days=2))
    assert [row.state for row in ledger(database)] == ["sent" if overdue == "send" else "cancelled"]


@only_postgresql
def test_a_pause_that_comes_while_an_answer_is_written_down_holds_what_goes_back_to_the_queue(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(database, (1,), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)

    def stop() -> None:
        with database.writing() as session:
            pause(session, "winback", now=now)

    stopping, write_down = threading.Thread(target=stop), sending._write_down

    def meanwhile(*given: Any, **named: Any) -> int:
        stopping.start()
        stopping.join(0.5)
        return write_down(*given, **named)

    monkeypatch.setattr(sending, "_write_down", meanwhile)
    deliver(database, {"email": Meanwhile(lambda: None)}, now=now)
    stopping.join(60)
    monkeypatch.undo()
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now + timedelta(days=1))
    assert [row.state for row in ledger(database)] == ["queued"]


@pytest.mark.parametrize("overdue", ["send", "skip"])
def test_of_a_large_journey_nothing_goes_out_from_the_pause_on_and_what_waits_is_held_part_by_part(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, overdue: str
) -> None:
    furnish(database, range(1, 8), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    monkeypatch.setattr(errands, "AT_ONCE", 3)
    monkeypatch.setattr(errands.go_on, "__kwdefaults__", {"limit": 3})
    with database.writing() as session:
        pause(session, "winback", now=now)
    assert sum(row.due_at >= NEVER for row in ledger(database)) == 3
    channels, _ = sink(tmp_path)
    deliver(database, channels, now=now)
    assert {row.state for row in ledger(database)} == {"queued"}
    with database.writing() as session, pytest.raises(Conflict, match="still being held"):
        resume(session, "winback", overdue=overdue, now=now)
    assert errands.tick(database, now=now, limit=3) == 2
    assert all(row.due_at >= NEVER for row in ledger(database))
    with database.writing() as session:
        resume(session, "winback", overdue=overdue, now=now + timedelta(days=1))
    day(database, tmp_path, channels, now=now + timedelta(days=1))
    assert [row.state for row in ledger(database)] == ["sent" if overdue == "send" else "cancelled"] * 7


def test_what_a_worker_has_claimed_is_put_back_when_its_campaign_was_paused_before_the_hand_over(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause may not have seen the claim: both were under way."""
    furnish(database, (1, 2, 3), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    monkeypatch.setattr(sending, "HANDED_OVER_AT_ONCE", 2)

    def stop() -> None:
        with database.writing() as session:
            session.execute(update(Campaign).values(state="paused"))

    deliver(database, {"email": Meanwhile(stop, accepted())}, now=now)
    assert sorted((row.state, row.due_at) for row in ledger(database)) == [
        ("queued", NEVER), ("sent", now), ("sent", now)]


def test_what_is_claimed_waits_and_what_has_gone_stands_in_no_queue_when_a_pause_comes(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:  # another worker is about to hand this one over
        session.execute(update(Message).where(Message.customer_id == 2).values(state="claimed", worker=77))

    def stop() -> None:
        with database.writing() as session:
            pause(session, "winback", now=now)

    deliver(database, {"email": Meanwhile(stop, accepted(250))}, now=now)
    assert [(row.customer_id, row.state, row.due_at) for row in ledger(database)] == [
        (1, "sent", now), (2, "queued", NEVER)]


def test_a_pause_that_is_over_before_the_channel_answers_holds_nothing(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)

    def stop_and_go() -> None:
        with database.writing() as session:
            pause(session, "winback", now=now)
        with database.writing() as session:
            resume(session, "winback", overdue="send", now=now)

    deliver(database, {"email": Meanwhile(stop_and_go)}, now=now)
    assert [(row.state, row.due_at) for row in ledger(database)] == [("queued", now + timedelta(minutes=5))]


@pytest.mark.parametrize("why", ["ordered", "ended"])
def test_what_a_channel_refuses_for_now_is_not_tried_again_with_somebody_who_has_left(
    database: Database, tmp_path: Path, now: datetime, why: str
) -> None:
    furnish(database, (1,), now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)

    def leave() -> None:
        if why == "ordered":
            add_order(database, 1, at=now)
        else:
            with database.writing() as session:
                end(session, "winback", now=now)
        walk(database, tmp_path, now=now)

    deliver(database, {"email": Meanwhile(leave)}, now=now)
    channels: dict[str, Any]
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now + timedelta(days=1))
    assert enrolments(database)[1].left_reason == why
    assert [row.state for row in ledger(database)] == ["expired"]

"""The call desk: nobody is called who said no, and every call leaves its outcome."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, Invalid
from customers.consents import current_consents, record_consent
from customers.models import Address, Suppression
from delivery.calls import (
    ATTEMPTS_LIMIT,
    CallSheet,
    NoCall,
    open_calls,
    record_outcome,
    release_call,
    take_call,
)
from delivery.models import CallTask, Message, MessageEvent
from delivery.sending import rescue
from tests.delivery.ledger import KEY, SETTINGS, add_content, add_messages, messages, prepared, run, states


def _on_desk(database: Database, people: list[int], now: datetime, **columns: object) -> dict[int, int]:
    """Phone messages on the desk; returns the task's id per person."""
    prepared(database, people, now=now, channel="phone", **columns)
    run(database, {}, now=now)
    with database.reading() as session:
        return {row[0]: row[1] for row in session.execute(select(CallTask.customer_id, CallTask.id))}


def _take(database: Database, task_id: int, now: datetime, agent: str = "Kim") -> CallSheet | NoCall:
    with database.writing() as session:
        return take_call(session, task_id, agent=agent, now=now, settings=SETTINGS)


def _record(database: Database, task_id: int, outcome: str, now: datetime, agent: str = "Kim") -> CallTask:
    with database.writing() as session:
        return record_outcome(session, task_id, agent=agent, outcome=outcome, now=now, secret_key=KEY)


def test_a_phone_message_becomes_an_open_call_that_no_workers_death_makes_uncertain(
    database: Database, now: datetime
) -> None:
    _on_desk(database, [1], now)
    message = messages(database)[1]
    assert (message.state, message.worker, message.sent_at) == ("handed_over", None, None)
    assert rescue(database, now=now) == 0
    with database.reading() as session:
        assert [task.customer_id for task in open_calls(session, now=now)] == [1]


def test_a_call_that_reached_the_person_is_sent(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1, 2], now)
    later = now + timedelta(hours=2)
    for person, outcome in ((1, "reached"), (2, "not_interested")):
        sheet = _take(database, tasks[person], later)
        assert isinstance(sheet, CallSheet)
        assert (sheet.name, sheet.number) == (f"Ada Nr{person}", f"+4930{person:07}")
        assert sheet.script == f"Offer the code CODE{person}."
        _record(database, tasks[person], outcome, later)
        message = messages(database)[person]
        assert (message.state, message.sent_at, message.expected_at, message.cost_cents) == ("sent", later, later, 400)


def test_recording_the_same_outcome_twice_changes_nothing(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    _take(database, tasks[1], now)
    _record(database, tasks[1], "reached", now)
    _record(database, tasks[1], "reached", now + timedelta(minutes=1))
    with pytest.raises(Conflict):
        _record(database, tasks[1], "no_answer", now)
    message = messages(database)[1]
    assert (message.sent_at, message.cost_cents) == (now, 400)
    with database.reading() as session:
        assert len(session.scalars(select(MessageEvent)).all()) == 1


def test_a_call_nobody_answered_stays_open_for_later_and_ends_after_the_last_attempt(
    database: Database, now: datetime
) -> None:
    tasks = _on_desk(database, [1], now)
    for attempt in range(1, ATTEMPTS_LIMIT + 1):
        assert isinstance(_take(database, tasks[1], now), CallSheet)
        task = _record(database, tasks[1], "no_answer", now)
        if attempt < ATTEMPTS_LIMIT:
            assert (task.state, task.due_at) == ("open", now + timedelta(hours=24))
            assert states(database) == {1: "handed_over"}
            with database.reading() as session:
                assert open_calls(session, now=now) == []
        now = now + timedelta(hours=24)
    message = messages(database)[1]
    assert (message.state, message.reason) == ("failed", "not reached in 5 calls")


def test_a_callback_is_due_when_the_person_asked_for_it(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    _take(database, tasks[1], now)
    with database.writing() as session:
        task = record_outcome(session, tasks[1], agent="Kim", outcome="callback", again_at=now + timedelta(hours=3),
                              now=now, secret_key=KEY)
    assert (task.state, task.due_at) == ("open", now + timedelta(hours=3))


def test_a_wrong_number_gives_the_number_up(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    _take(database, tasks[1], now)
    _record(database, tasks[1], "wrong_number", now)
    message = messages(database)[1]
    assert (message.state, message.reason) == ("failed", "phone number does not work")
    with database.reading() as session:
        assert session.scalars(select(Address.channel).where(Address.undeliverable_at == now)).all() == ["phone"]


def test_do_not_call_withdraws_the_consent_at_once_and_takes_other_calls_off_the_desk(
    database: Database, now: datetime
) -> None:
    tasks = _on_desk(database, [1], now)
    with database.writing() as session:
        add_messages(session, [1], now=now, channel="phone", revision=add_content(session, now=now),
                     occasion="send.2.0")
    run(database, {}, now=now, name="second")
    _take(database, tasks[1], now)
    _record(database, tasks[1], "do_not_call", now)
    with database.reading() as session:
        assert current_consents(session.connection(), [1], channel="phone", now=now) == ["withdrawn"]
        assert [(row.channel, row.reason) for row in session.scalars(select(Suppression))] == [("phone", "objected")]
        assert open_calls(session, now=now) == []
        assert session.scalars(select(CallTask.state).order_by(CallTask.id)).all() == ["done", "withdrawn"]
        assert session.scalars(select(Message.state).order_by(Message.id)).all() == ["failed", "suppressed"]


def test_opening_a_call_asks_again_whether_the_person_may_be_called(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    with database.writing() as session:
        record_consent(session, 1, channel="phone", state="withdrawn", now=now)
    assert _take(database, tasks[1], now) == NoCall("said no to calls")
    message = messages(database)[1]
    assert (message.state, message.reason) == ("suppressed", "said no to calls")
    with pytest.raises(Conflict, match="done or was withdrawn"):
        _take(database, tasks[1], now)


def test_a_call_whose_time_is_over_is_not_made(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1, 2], now, expires_at=[now + timedelta(days=1)] * 2)
    assert _take(database, tasks[1], now + timedelta(days=1)) == NoCall("expired before sending")
    run(database, {}, now=now + timedelta(days=1), name="sweep")
    assert states(database) == {1: "expired", 2: "expired"}


def test_one_call_is_for_one_agent_until_it_is_put_back(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    _take(database, tasks[1], now)
    with pytest.raises(Conflict, match="Kim has taken this call"):
        _take(database, tasks[1], now, agent="Lou")
    with pytest.raises(Conflict, match="not yours"):
        _record(database, tasks[1], "reached", now, agent="Lou")
    with database.writing() as session:
        release_call(session, tasks[1], agent="Kim")
    with pytest.raises(Conflict), database.writing() as session:
        release_call(session, tasks[1], agent="Kim")
    assert isinstance(_take(database, tasks[1], now, agent="Lou"), CallSheet)


def test_a_call_that_was_taken_and_left_is_open_again_after_an_hour(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    _take(database, tasks[1], now)
    run(database, {}, now=now + timedelta(minutes=59), name="early")
    with database.reading() as session:
        assert open_calls(session, now=now) == []
    run(database, {}, now=now + timedelta(minutes=60), name="late")
    with database.reading() as session:
        assert len(open_calls(session, now=now)) == 1
    _record(database, tasks[1], "reached", now + timedelta(minutes=61))  # Kim was on the phone all the while
    assert states(database) == {1: "sent"}


def test_an_unknown_outcome_is_refused_with_the_ones_there_are(database: Database, now: datetime) -> None:
    tasks = _on_desk(database, [1], now)
    with pytest.raises(Invalid, match="use one of reached"):
        _record(database, tasks[1], "great", now)

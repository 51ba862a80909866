"""The ledger's entrance: one row per occasion and person, whoever asks how often."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from core.database import Database
from delivery.models import CallTask, Message
from delivery.outbox import MessageColumns, cancel, passages_settled_since, queue
from tests.delivery.ledger import add_content, add_messages, add_people, messages, prepared, run, states


def test_asked_twice_for_the_same_occasion_the_row_is_left_alone_and_its_id_returned(
    database: Database, now: datetime
) -> None:
    first = prepared(database, [1, 2], now=now)
    with database.writing() as session:
        revision = add_content(session, now=now)
        add_people(session, [3], now=now)
        again = add_messages(session, [3, 2, 1, 3], now=now + timedelta(days=1), revision=revision)
    assert again[1:3] == [first[1], first[0]] and again[0] == again[3] and again[0] not in first
    assert messages(database)[1].queued_at == now
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(Message)).scalar_one() == 3


def test_two_transactions_that_queue_the_same_occasion_at_once_make_one_row(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2], now=now)
        revision = add_content(session, now=now)
    found: list[list[int]] = []

    def other() -> None:
        with database.writing() as session:
            found.append(add_messages(session, [1, 2], now=now, revision=revision))

    thread = threading.Thread(target=other)
    with database.writing() as session:
        ids = add_messages(session, [1], now=now, revision=revision)
        thread.start()
        thread.join(0.5)  # on PostgreSQL it now waits for our row
    thread.join()
    assert found[0][0] == ids[0] and len(states(database)) == 2


def test_public_ids_cannot_be_guessed_from_each_other(database: Database, now: datetime) -> None:
    prepared(database, [1, 2, 3], now=now)
    ids = {message.public_id for message in messages(database).values()}
    assert len(ids) == 3 and all(len(public_id) == 32 for public_id in ids)


def test_a_decision_to_stay_silent_is_a_row_that_is_settled_at_once(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2], now=now)
        queue(session.connection(), MessageColumns(
            occasion=["1.send.1.0", "2.send.1.0"], customer_id=[1, 2], origin=["enrolment:1", "enrolment:2"],
            state=["withheld", "suppressed"], reason=[None, "no consent for e-mail"], queued_at=now,
        ))
    ledger = messages(database)
    assert {number: (row.state, row.settled_at, row.channel) for number, row in ledger.items()} == {
        1: ("withheld", now, None), 2: ("suppressed", now, None)}
    assert ledger[2].reason == "no consent for e-mail" and ledger[1].values == {}


def test_a_row_cannot_enter_the_ledger_as_sent(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now)
        with pytest.raises(ValueError, match="cannot enter the ledger as sent"):
            queue(session.connection(), MessageColumns(
                occasion=["1"], customer_id=[1], origin=["test"], state=["sent"], queued_at=now))


def test_leaving_a_journey_takes_back_what_has_not_left_the_house(database: Database, now: datetime) -> None:
    prepared(database, [1, 2], now=now)
    prepared_calls = [3, 4]
    prepared(database, prepared_calls, now=now, channel="phone")
    run(database, {}, now=now)
    with database.writing() as session:
        session.execute(text("UPDATE call_tasks SET state = 'taken' WHERE customer_id = 4"))
        assert cancel(session.connection(), [1, 3, 4, 99], reason="redeemed", now=now) == 2
        assert cancel(session.connection(), [1, 3], reason="redeemed", now=now) == 0
    assert states(database) == {1: "cancelled", 2: "queued", 3: "cancelled", 4: "handed_over"}
    assert messages(database)[1].reason == "redeemed"
    assert messages(database)[4].expires_at == now  # the agent finishes this call; nobody tries again
    with database.reading() as session:
        found = dict(tuple(row) for row in session.execute(select(CallTask.customer_id, CallTask.state)))
    assert found == {3: "withdrawn", 4: "taken"}


def test_the_floors_above_are_told_whose_messages_have_settled_and_nothing_is_missed(
    database: Database, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    with database.reading() as session:
        found, cursor = passages_settled_since(session.connection(), cursor=0)
    assert found == []
    with database.writing() as session:
        cancel(session.connection(), [2], reason="ordered", now=now)
    with database.reading() as session:
        found, cursor = passages_settled_since(session.connection(), cursor=cursor)
        assert found == [2]
        assert passages_settled_since(session.connection(), cursor=cursor)[0] == []

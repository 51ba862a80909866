"""Sending: no message twice, no silent loss, no word to someone who said no."""

import csv
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from core.database import Database
from core.leases import enlist
from customers.consents import record_consent
from customers.models import Address, Customer, Suppression
from delivery.channels import Envelope, Outcome, accepted, refused_for_now, refused_permanently
from delivery.channels.memory import MemoryChannel, doubles, received
from delivery.channels.print_run import LetterChannel
from delivery.claiming import claim
from delivery.feedback import stop_channel
from delivery.models import Message
from delivery.outbox import cancel
from delivery.sending import rescue, settle, tick
from tests.conftest import only_postgresql
from tests.delivery.ledger import (
    KEY,
    SETTINGS,
    add_content,
    add_messages,
    add_people,
    messages,
    prepared,
    run,
    sink,
    states,
)


class Killed(BaseException):
    """Stands for kill -9: nothing below a tick catches it."""


@contextmanager
def killed_at(database: Database, number: int) -> Iterator[None]:
    """Die at the `number`-th statement or commit of this engine."""
    count = 0

    def counted(*_arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Killed

    event.listen(database.engine, "before_cursor_execute", counted)
    event.listen(database.engine, "commit", counted)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", counted)
        event.remove(database.engine, "commit", counted)


class Answering:
    """A channel that calls a hook for each batch and answers what the hook returns."""

    name = "email"

    def __init__(self, answer: Callable[[Sequence[Envelope]], list[Outcome]]) -> None:
        self.answer = answer
        self.got: list[int] = []

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        self.got += [envelope.ledger_id for envelope in envelopes]
        return self.answer(envelopes)


def test_a_queued_message_goes_out_once_and_the_ledger_says_when(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1, 2, 3], now=now)
    channels, path = sink(tmp_path)
    assert run(database, channels, now=now) == 3
    assert run(database, channels, now=now, name="again") == 0
    assert sorted(mail.address for mail in received(path)) == [f"c{number}@example.com" for number in (1, 2, 3)]
    message = messages(database)[1]
    assert (message.state, message.sent_at, message.expected_at, message.cost_cents) == ("sent", now, now, 1)
    assert message.settled_at == message.released_at == message.handed_over_at == now
    assert b"CODE1" in received(path)[0].body and b"List-Unsubscribe:" in received(path)[0].body


def test_a_message_that_is_not_due_yet_waits(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1], now=now, due_at=[now + timedelta(days=1)])
    channels, path = sink(tmp_path)
    assert run(database, channels, now=now) == 0
    assert run(database, channels, now=now + timedelta(days=1), name="later") == 1
    assert len(received(path)) == 1


def test_killed_at_every_statement_nothing_goes_out_twice_and_only_the_chunk_in_flight_is_uncertain(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    channels, path = sink(tmp_path)
    with database.writing() as session:
        revision = add_content(session, now=now)
    for number in range(1, 200):
        people = list(range(number * 10, number * 10 + 4))
        with database.writing() as session:
            add_people(session, people, now=now, channels=("email", "phone"))
            add_messages(session, people[:3], now=now, revision=revision)
            add_messages(session, people[3:], now=now, revision=revision, channel="phone")
        first, died = enlist(database, f"first{number}"), False
        try:
            with killed_at(database, number):
                tick(database, now=now, limit=100, worker=first.number, channels=channels, settings=SETTINGS)
        except Killed:
            died = True
        before = {mail.ledger_id for mail in received(path)}
        first.release()
        rescue(database, now=now)
        run(database, channels, now=now, name=f"second{number}")
        ledger = messages(database, people)
        arrived = {mail.ledger_id for mail in received(path)}
        assert doubles(path) == {}
        assert ledger[people[3]].state == "handed_over"  # lies on the call desk, in nobody's hands
        for person in people[:3]:
            message = ledger[person]
            assert message.state in ("sent", "uncertain"), (number, message.state)
            if message.state == "sent":
                assert message.id in arrived
            else:
                assert message.id in before or message.id not in arrived
        if not died:
            assert {message.state for person, message in ledger.items() if person != people[3]} == {"sent"}
            break
    else:
        pytest.fail("the tick never came to its end")
    assert number > 20
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM call_tasks")).scalar_one() == number


def test_killed_while_the_outside_takes_the_chunk_the_whole_chunk_is_uncertain_and_never_repeated(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1, 2, 3], now=now)
    path = tmp_path / "sink.db"
    outside = MemoryChannel(path, name="email")

    def die_after_two(envelopes: Sequence[Envelope]) -> list[Outcome]:
        outside.send_many(envelopes[:2], now=now)
        raise Killed

    first = enlist(database, "first")
    with pytest.raises(Killed):
        tick(database, now=now, limit=10, worker=first.number, channels={"email": Answering(die_after_two)},
             settings=SETTINGS)
    assert rescue(database, now=now) == 0  # its holder still lives
    first.release()
    assert rescue(database, now=now) == 3
    assert run(database, {"email": outside}, now=now, name="second") == 0
    assert states(database) == {1: "uncertain", 2: "uncertain", 3: "uncertain"}
    assert len(received(path)) == 2


def test_what_a_dead_worker_had_only_claimed_waits_again(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1], now=now)
    first = enlist(database, "first")
    with database.writing() as session:
        claim(session.connection(), now=now, limit=10, worker=first.number, channels=["email"], secret_key=KEY)
    assert states(database) == {1: "claimed"}
    first.release()
    assert rescue(database, now=now) == 1
    message = messages(database)[1]
    assert (message.state, message.worker, message.claimed_at) == ("queued", None, None)
    channels, path = sink(tmp_path)
    run(database, channels, now=now, name="second")
    assert len(received(path)) == 1


def test_a_worker_takes_back_what_its_own_broken_tick_left(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1], now=now)
    worker = enlist(database, "worker")

    def die(_envelopes: Sequence[Envelope]) -> list[Outcome]:
        raise Killed

    with pytest.raises(Killed):
        tick(database, now=now, limit=10, worker=worker.number, channels={"email": Answering(die)}, settings=SETTINGS)
    channels, path = sink(tmp_path)
    tick(database, now=now, limit=10, worker=worker.number, channels=channels, settings=SETTINGS)
    worker.release()
    assert states(database) == {1: "uncertain"} and received(path) == []


def test_a_worker_given_up_too_early_may_still_say_what_became_of_its_messages(
    database: Database, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    worker = enlist(database, "slow")

    def slow(envelopes: Sequence[Envelope]) -> list[Outcome]:
        worker.release()
        assert rescue(database, now=now) == 2
        assert set(states(database).values()) == {"uncertain"}
        return [accepted(250), refused_for_now(451, "later")]

    tick(database, now=now, limit=10, worker=worker.number, channels={"email": Answering(slow)}, settings=SETTINGS)
    assert states(database) == {1: "sent", 2: "failed"}


def test_a_worker_given_up_too_early_hands_over_nothing_that_another_has_claimed_since(
    database: Database, now: datetime
) -> None:
    people = list(range(1, 56))
    prepared(database, people, now=now)
    slow, other = enlist(database, "slow"), enlist(database, "other")

    def overtaken(envelopes: Sequence[Envelope]) -> list[Outcome]:
        slow.release()
        rescue(database, now=now)
        with database.writing() as session:
            claim(session.connection(), now=now, limit=100, worker=other.number, channels=["email"], secret_key=KEY)
        return [accepted()] * len(envelopes)

    channel = Answering(overtaken)
    tick(database, now=now, limit=100, worker=slow.number, channels={"email": channel}, settings=SETTINGS)
    assert len(channel.got) == 50
    with database.reading() as session:
        held = session.scalars(select(Message.state).where(Message.worker == other.number)).all()
    assert held == ["claimed"] * 5
    other.release()


def test_a_settlement_leaves_rows_alone_that_are_not_this_workers(database: Database, now: datetime) -> None:
    ids = prepared(database, [1], now=now)
    with database.writing() as session:
        connection = session.connection()
        assert settle(connection, {ids[0]: accepted()}, now=now, worker=1, settings=SETTINGS) == 0
        session.execute(text("UPDATE messages SET state = 'handed_over', worker = 7"))
        assert settle(connection, {ids[0]: accepted()}, now=now, worker=1, settings=SETTINGS) == 0
        assert settle(connection, {ids[0]: accepted()}, now=now, worker=7, settings=SETTINGS) == 1


def test_a_message_cancelled_after_the_claim_stays_here(database: Database, now: datetime) -> None:
    people = list(range(1, 56))
    prepared(database, people, now=now)

    def cancel_the_rest(envelopes: Sequence[Envelope]) -> list[Outcome]:
        with database.writing() as session:
            cancel(session.connection(), people, reason="redeemed", now=now)
        return [accepted()] * len(envelopes)

    channel = Answering(cancel_the_rest)
    run(database, {"email": channel}, now=now)
    found = list(states(database).values())
    assert (found.count("sent"), found.count("cancelled"), len(channel.got)) == (50, 5, 50)


def test_a_consent_withdrawn_after_queueing_silences_the_message(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    with database.writing() as session:
        record_consent(session, 1, channel="email", state="withdrawn", now=now)
    channels, path = sink(tmp_path)
    run(database, channels, now=now + timedelta(seconds=1))
    assert states(database) == {1: "suppressed", 2: "sent"}
    assert messages(database)[1].reason == "said no to e-mail"
    assert [mail.address for mail in received(path)] == ["c2@example.com"]


@only_postgresql  # the write lock of SQLite is the customer's lock
def test_the_claim_waits_for_a_withdrawal_under_way(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1], now=now)
    channels, path = sink(tmp_path)
    sender = threading.Thread(target=run, args=(database, channels), kwargs={"now": now + timedelta(seconds=1)})
    with database.writing() as session:
        record_consent(session, 1, channel="email", state="withdrawn", now=now)
        sender.start()
        _until_waiting(database, sender)
    sender.join()
    assert received(path) == [] and states(database) == {1: "suppressed"}


def _until_waiting(database: Database, thread: threading.Thread) -> None:
    """Return when another session waits for a lock, or the thread is through without."""
    waiting = text("SELECT count(*) FROM pg_stat_activity"
                   " WHERE wait_event_type = 'Lock' AND datname = current_database()")
    for _attempt in range(6000):  # two minutes
        with database.engine.connect() as connection:
            if connection.execute(waiting).scalar_one() or not thread.is_alive():
                return
        time.sleep(0.02)


@only_postgresql  # writers take turns on SQLite
def test_a_no_recorded_while_a_claim_holds_the_row_neither_waits_for_it_nor_is_lost(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1], now=now)
    with database.writing() as session:
        session.execute(select(Message.id).with_for_update())  # as a claim does before it asks for the customer
        done = threading.Event()

        def say_no() -> None:
            with database.writing() as other:
                stop_channel(other, 1, "email", reason="unsubscribed", source="test", now=now, secret_key=KEY)
            done.set()

        person = threading.Thread(target=say_no)
        person.start()
        assert done.wait(120)
        person.join()
    channels, path = sink(tmp_path)
    run(database, channels, now=now)
    assert received(path) == [] and states(database) == {1: "suppressed"}


@only_postgresql  # one worker acts at a time on SQLite
def test_two_workers_at_once_send_every_message_once(database: Database, tmp_path: Path, now: datetime) -> None:
    people = list(range(1, 121))
    prepared(database, people, now=now)
    channels, path = sink(tmp_path)
    workers = [threading.Thread(target=run, args=(database, channels),
                                kwargs={"now": now, "name": f"w{number}", "limit": 7}) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(states(database).values()) == {"sent"}
    assert len(received(path)) == 120 and doubles(path) == {}


def test_one_person_gets_one_message_per_batch(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    with database.writing() as session:
        revision = add_content(session, now=now)
        add_messages(session, [1], now=now, revision=revision, occasion="send.2.0")
    sizes: list[int] = []

    def count(envelopes: Sequence[Envelope]) -> list[Outcome]:
        sizes.append(len(envelopes))
        return [accepted()] * len(envelopes)

    run(database, {"email": Answering(count)}, now=now)
    assert sizes == [1, 1]


def test_a_message_whose_time_is_over_expires(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1, 2], now=now, expires_at=[now, now + timedelta(seconds=1)])
    run(database, sink(tmp_path)[0], now=now)
    assert states(database) == {1: "expired", 2: "sent"}
    assert messages(database)[1].reason == "expired before sending"


def test_a_person_whose_mail_cannot_be_built_fails_alone(database: Database, tmp_path: Path, now: datetime) -> None:
    prepared(database, [1, 2, 3], now=now)
    with database.writing() as session:
        session.execute(text("UPDATE addresses SET value = 'no address' WHERE customer_id = 1 AND channel = 'email'"))
        session.execute(text("UPDATE messages SET \"values\" = '{\"code\": [1]}' WHERE customer_id = 2"))
    channels, _path = sink(tmp_path)
    run(database, channels, now=now)
    assert states(database) == {1: "failed", 2: "failed", 3: "sent"}
    assert "no e-mail address" in (messages(database)[1].reason or "")


def test_a_refusal_for_now_is_tried_again_later_with_growing_pauses_and_fails_in_the_end(
    database: Database, now: datetime
) -> None:
    prepared(database, [1], now=now)
    channel = Answering(lambda envelopes: [refused_for_now(451, "4.2.0 later")] * len(envelopes))
    pauses = []
    for attempt in range(1, SETTINGS.attempts_limit + 1):
        assert run(database, {"email": channel}, now=now, name=f"w{attempt}") == 1
        message = messages(database)[1]
        assert message.attempt == attempt
        pauses.append(message.due_at - now)
        now = max(now, message.due_at)
    assert pauses[:3] == [timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=80)]
    assert (message.state, message.reason) == ("failed", "451 4.2.0 later")
    assert len(channel.got) == SETTINGS.attempts_limit


def test_an_address_that_does_not_exist_is_given_up_and_a_refusal_about_us_is_not(
    database: Database, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    answers = [refused_permanently(550, "5.1.1 unknown", "address"), refused_permanently(550, "5.7.1 policy", "us")]
    run(database, {"email": Answering(lambda envelopes: answers)}, now=now)
    assert states(database) == {1: "failed", 2: "failed"}
    with database.reading() as session:
        dead = session.execute(select(Address.customer_id).where(Address.undeliverable_at.is_not(None))).scalars().all()
        assert dead == [1]
        assert session.execute(select(Suppression.reason)).scalars().all() == ["bounced"]


def test_a_channel_that_breaks_leaves_its_messages_uncertain(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)

    def broken(_envelopes: Sequence[Envelope]) -> list[Outcome]:
        raise RuntimeError("no idea")

    run(database, {"email": Answering(broken)}, now=now)
    assert states(database) == {1: "uncertain"}


def test_a_channel_that_is_not_set_up_keeps_its_messages(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    assert run(database, {}, now=now) == 0
    assert states(database) == {1: "queued"}


def test_letters_are_printed_with_a_manifest_and_arrive_two_working_days_later(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1, 2], now=now, channel="letter")
    friday = now + timedelta(days=4)
    run(database, {"letter": LetterChannel(tmp_path)}, now=friday)
    message = messages(database)[1]
    assert (message.state, message.sent_at, message.cost_cents) == ("sent", friday, 91)
    assert message.expected_at == friday + timedelta(days=3)  # Saturday, Monday: nothing moves on Sunday
    folder = tmp_path / "letters" / friday.date().isoformat()
    assert (folder / f"{message.public_id}.pdf").read_bytes().startswith(b"%PDF")
    lines = (folder / "manifest.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and message.public_id in lines[1] and "CODE1" in lines[1]


def test_no_cell_of_the_manifest_is_run_by_the_print_shop_s_spreadsheet(tmp_path: Path, now: datetime) -> None:
    letter = Envelope(1, "m1", "letter", "\u200b=1+1, Ulm", b"%PDF", subject="\uff0bHello")
    LetterChannel(tmp_path).send_many([letter], now=now)
    manifest = tmp_path / "letters" / now.date().isoformat() / "manifest.csv"
    [row] = list(csv.reader(manifest.read_text(encoding="utf-8").splitlines()))[1:]
    assert row[2:4] == ["'\u200b=1+1, Ulm", "'\uff0bHello"]


@only_postgresql  # writers take turns on SQLite
def test_the_ledger_may_be_written_to_while_a_sender_holds_the_customer(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    with database.writing() as session:
        assert session.execute(select(func.count()).select_from(Customer)).scalar_one() == 1
        stop_channel(session, 1, "letter", reason="objected", source="test", now=now, secret_key=KEY)
        done = threading.Event()

        def queue_another() -> None:
            with database.writing() as other:
                add_messages(other, [1], now=now, revision=1, occasion="send.2.0")
            done.set()

        runner = threading.Thread(target=queue_another)
        runner.start()
        assert done.wait(120)
        runner.join()

"""Which statement counts, and what an objection blocks."""

import threading
from datetime import datetime, timedelta

import pytest

from core.database import Database
from core.errors import Invalid, NotFound
from customers.consents import current_consents, lock_customers, object_to, record_consent
from customers.people import find_customer
from customers.suppression import address_hash, address_hashes, suppressed
from tests.customers.files import SECRET, Desk


def _people(desk: Desk) -> list[int]:
    desk.load("customers", "customer_id,email,phone,street,last_name,country\n"
                           "C1,a@example.com,+49301234567,Weg 1,Lee,DE\n"
                           "C2,A@Example.com,,,,\nC3,,,,,\n")
    with desk.database.reading() as session:
        return [find_customer(session, number).id for number in ("C1", "C2", "C3")]


def _states(desk: Desk, ids: list[int], now: datetime) -> list[str | None]:
    with desk.database.reading() as session:
        return current_consents(session.connection(), ids, channel="email", now=now)


def test_the_newest_statement_up_to_now_counts(desk: Desk, now: datetime) -> None:
    ids = _people(desk)
    with desk.database.writing() as session:
        record_consent(session, ids[0], channel="email", state="granted", now=now)
        record_consent(session, ids[0], channel="email", state="withdrawn", now=now + timedelta(hours=1))
        record_consent(session, ids[1], channel="phone", state="granted", now=now)
    assert _states(desk, ids, now - timedelta(seconds=1)) == [None, None, None]
    assert _states(desk, ids, now) == ["granted", None, None]
    assert _states(desk, list(reversed(ids)), now + timedelta(hours=1)) == [None, None, "withdrawn"]


@pytest.mark.parametrize("order", [("granted", "withdrawn"), ("withdrawn", "granted"), ("denied", "granted")])
def test_of_two_statements_at_one_instant_the_refusal_counts(desk: Desk, now: datetime, order: tuple[str, str]) -> None:
    ids = _people(desk)
    with desk.database.writing() as session:
        for state in order:
            record_consent(session, ids[0], channel="email", state=state, now=now)
    assert _states(desk, ids[:1], now) == [next(state for state in order if state != "granted")]


def test_recording_a_statement_twice_keeps_one_row(desk: Desk, now: datetime) -> None:
    [first, *_] = _people(desk)
    for _ in range(2):
        with desk.database.writing() as session:
            record_consent(session, first, channel="email", state="granted", now=now)
    assert desk.rows("SELECT count(*) FROM consents") == [(1,)]


def test_an_objection_withdraws_and_blocks_the_address_for_everybody_who_has_it(desk: Desk, now: datetime) -> None:
    ids = _people(desk)
    with desk.database.writing() as session:
        object_to(session, ids[0], channel="email", source="link", now=now, secret_key=SECRET)
        object_to(session, ids[0], channel="email", source="link", now=now, secret_key=SECRET)
        object_to(session, ids[2], channel="email", source="call", now=now, secret_key=SECRET)
    assert _states(desk, ids, now) == ["withdrawn", None, "withdrawn"]
    with desk.database.reading() as session:
        connection = session.connection()
        assert suppressed(connection, ids, channel="email", secret_key=SECRET) == [True, True, False]
        assert suppressed(connection, ids, channel="letter", secret_key=SECRET) == [False, False, False]
        assert suppressed(connection, ids, channel="email", secret_key="another-secret-key") == [False] * 3
    [(stored, reason)] = desk.rows("SELECT address_hash, reason FROM suppressions")
    assert reason == "objected" and "example" not in stored
    assert stored == address_hash("email", "a@example.com", secret_key=SECRET)


def test_a_block_on_sms_leaves_calls_open(desk: Desk, now: datetime) -> None:
    ids = _people(desk)
    with desk.database.writing() as session:
        object_to(session, ids[0], channel="sms", source=None, now=now, secret_key=SECRET)
    with desk.database.reading() as session:
        blocked = {channel: suppressed(session.connection(), ids[:1], channel=channel, secret_key=SECRET)[0]
                   for channel in ("sms", "phone")}
    assert blocked == {"sms": True, "phone": False}


def test_a_statement_needs_a_known_channel_state_basis_and_customer(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        for bad in ({"channel": "fax"}, {"state": "maybe"}, {"basis": "because"}):
            with pytest.raises(Invalid):
                record_consent(session, 1, **{"channel": "email", "state": "granted", **bad}, now=now)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            record_consent(session, 99, channel="email", state="granted", now=now)


def test_a_withdrawal_waits_for_whoever_holds_the_customer(desk: Desk, now: datetime) -> None:
    [first, *_] = _people(desk)
    done = threading.Event()

    def withdraw() -> None:
        with desk.database.writing() as session:
            object_to(session, first, channel="email", source=None, now=now, secret_key=SECRET)
        done.set()

    thread = threading.Thread(target=withdraw)
    with desk.database.writing() as session:
        assert lock_customers(session.connection(), [first, 999]) == [first]
        thread.start()
        assert not done.wait(0.3)
    thread.join(120)
    assert done.is_set()


@pytest.mark.parametrize("secret_key", ["k", "k" * 64, "k" * 65, "schlüssel"])
def test_many_addresses_are_hashed_as_each_alone(secret_key: str) -> None:
    values = ["a@example.com", "", "straße 1", "x" * 300]
    assert address_hashes("letter", values, secret_key=secret_key) == [
        address_hash("letter", value, secret_key=secret_key) for value in values]

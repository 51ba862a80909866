"""Codes are issued once per offer, customer and origin; their window is fixed on the code."""

import threading
from datetime import datetime, timedelta
from os import urandom

import pytest
from sqlalchemy import func, select

from core.codes import check
from core.database import Database
from core.errors import Conflict, NotFound
from coupons.codes.issuing import issue, revoke, revoke_origins, start_validity
from coupons.models import Code
from coupons.offers.offers import save_offer
from coupons.states import CODE_MOVES, move, shown_state
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


def test_issuing_again_gives_the_same_codes_and_new_ones_only_to_new_people(database: Database, now: datetime) -> None:
    make_customers(database, 5, now=now)
    offer = make_offer(database, now=now, prefix="HEY")
    first = make_codes(database, offer, [1, 2, 3], now=now)
    again = make_codes(database, offer, [3, 4, 2, 2], now=now + timedelta(days=9))
    assert [again[0], again[2], again[3]] == [first[2], first[1], first[1]]
    assert again[1].code not in {issued.code for issued in first}
    assert all(issued.code.startswith("HEY") and check(issued.code) for issued in [*first, *again])
    assert make_codes(database, offer, [5, 1], now=now)[1] == first[0]
    assert make_codes(database, offer, [1], now=now, origin="other")[0].code != first[0].code
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Code)) == 6


def test_a_code_that_is_taken_is_drawn_again(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    draws = [bytes(12), bytes(12), bytes(range(12))]
    for customer in (1, 2):
        with database.writing() as session:
            issue(session.connection(), offer.id, customer_ids=[customer], origins=["x"], campaign=None,
                  counts_from=[now], now=now, random_bytes=lambda _size: draws.pop(0))
    assert draws == []
    with database.reading() as session:
        assert len(set(session.scalars(select(Code.code)))) == 2


def test_a_taken_code_in_a_batch_leaves_one_code_for_each_person(database: Database, now: datetime) -> None:
    make_customers(database, 150, now=now)
    offer = make_offer(database, now=now)
    # The two highest codes are equal, so most of the batch is stored before they meet.
    draws = [b"".join(bytes([min(place, 148) // 16, min(place, 148) % 16, *[0] * 10]) for place in range(150))]
    with database.writing() as session:
        issued = issue(session.connection(), offer.id, customer_ids=range(1, 151), origins=["x"] * 150, campaign=None,
                       counts_from=[now] * 150, now=now,
                       random_bytes=lambda size: draws.pop() if draws else urandom(size))
    assert draws == []
    with database.reading() as session:
        stored = {row[0]: row[1] for row in session.execute(select(Code.customer_id, Code.code))}
        assert session.scalar(select(func.count()).select_from(Code)) == 150
    assert [stored[customer] for customer in range(1, 151)] == [each.code for each in issued]
    assert len(set(stored.values())) == 150


def test_a_broken_source_of_randomness_is_not_asked_for_ever(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    with pytest.raises(RuntimeError, match="random"), database.writing() as session:
        issue(session.connection(), offer.id, customer_ids=[1, 2], origins=["x", "x"], campaign=None,
              counts_from=[now, now], now=now, random_bytes=bytes)


def test_two_workers_issuing_for_the_same_people_give_each_one_code(database: Database, now: datetime) -> None:
    customers = make_customers(database, 200, now=now)
    offer = make_offer(database, now=now)
    start = threading.Barrier(4)
    seen: list[list[str]] = []

    def worker() -> None:
        start.wait()
        seen.append([issued.code for issued in make_codes(database, offer, customers, now=now)])

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(codes == seen[0] for codes in seen)


def test_a_code_works_at_once_and_ends_by_the_offers_end_or_its_days_from_the_arrival(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    end = now + timedelta(days=20)
    offer = make_offer(database, now=now, valid_days=14, valid_until=end)
    with database.writing() as session:
        early, late = issue(session.connection(), offer.id, customer_ids=[1, 2], origins=["x", "x"], campaign=None,
                            counts_from=[now + timedelta(days=2), now + timedelta(days=10)], now=now)
    assert (early.valid_from, early.valid_until) == (now, now + timedelta(days=16))
    assert (late.valid_from, late.valid_until) == (now, end)
    with database.writing() as session:
        save_offer(session, offer.key, name="Longer", kind="percent", percent=10, valid_days=99, now=now)
    assert make_codes(database, offer, [1], now=now, origin="x")[0].valid_until != early.valid_until
    with database.reading() as session:
        assert session.get_one(Code, early.code_id).valid_until == early.valid_until


def test_validity_counts_anew_from_the_expected_arrival_but_not_for_used_or_withdrawn_codes(
    database: Database, now: datetime
) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, valid_days=14)
    codes = make_codes(database, offer, [1, 2, 3], now=now)
    ids = [issued.code_id for issued in codes]
    use(database, ask(codes[1].code), now=now)
    arrival = now + timedelta(days=3)
    with database.writing() as session:
        assert revoke(session.connection(), [ids[2]], reason="stopped", now=now) == 1
        assert start_validity(session.connection(), ids, counts_from=[arrival] * 3, now=now) == 1
    with database.reading() as session:
        assert [session.get_one(Code, code_id).valid_from for code_id in ids] == [now, now, now]
        assert session.get_one(Code, ids[0]).valid_until == arrival + timedelta(days=14)


def test_only_unused_codes_are_withdrawn_and_only_once(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    codes = make_codes(database, make_offer(database, now=now, limit_per_code=2), [1, 2, 3], now=now)
    use(database, ask(codes[0].code), now=now)
    with database.writing() as session:
        connection = session.connection()
        assert revoke_origins(connection, ["enrolment:1", "enrolment:2", "none"], reason="exit", now=now) == 1
        assert revoke(connection, [issued.code_id for issued in codes], reason="again", now=now) == 1
        assert revoke(connection, [], reason="nothing", now=now) == 0
    with database.reading() as session:
        rows = session.execute(select(Code.state, Code.revoked_reason).order_by(Code.id)).all()
    assert sorted((state, reason or "") for state, reason in rows) == [
        ("issued", ""), ("revoked", "again"), ("revoked", "exit")]


def test_an_offer_switched_off_issues_nothing_new_but_still_shows_what_it_issued(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    first = make_codes(database, offer, [1], now=now)
    make_offer(database, now=now, active=False)
    assert make_codes(database, offer, [1], now=now) == first
    with pytest.raises(Conflict, match="switched off"):
        make_codes(database, offer, [2], now=now)
    assert use(database, ask(first[0].code), now=now).status == 201
    with database.writing() as session, pytest.raises(NotFound):
        issue(session.connection(), 999, customer_ids=[], origins=[], campaign=None, counts_from=[], now=now)


def test_expired_is_what_an_issued_code_is_at_its_end(now: datetime) -> None:
    assert shown_state("issued", now, now=now) == "expired"
    assert shown_state("issued", now + timedelta(microseconds=1), now=now) == "issued"
    assert shown_state("redeemed", now, now=now) == "redeemed"
    assert shown_state("issued", None, now=now) == "issued"


def test_a_move_that_the_table_does_not_allow_is_refused(database: Database, now: datetime) -> None:
    assert "redeemed" not in CODE_MOVES["revoked"]
    with database.writing() as session, pytest.raises(ValueError, match="not moved"):
        move(session.connection(), [1], "redeemed", reason="", now=now)

"""Pools: filled from the generator or a file, handed out once each, and never used before they are handed out."""

import itertools
import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, func, select

from core.codes import check, pattern_codes
from core.database import Database
from core.errors import Conflict, Invalid
from coupons.checks.invariants import drift
from coupons.codes.issuing import issue, issue_what_there_is, take_back_unsent
from coupons.codes.pools import (
    CHUNK,
    add_public_codes,
    codes_of_pool,
    configure_source,
    generate_pool,
    import_pool,
    list_pools,
    pools_running_low,
)
from coupons.codes.stopping import Target, reach
from coupons.models import Batch, Code, Offer
from tests.coupons.factories import ask, make_customers, make_offer, use


def fill(database: Database, lines: list[str], *, now: datetime, name: str = "file"
         ) -> tuple[int, list[tuple[int, str, str]]]:
    """Import lines; returns the batch and what was rejected."""
    rejected: list[tuple[int, str, str]] = []
    batch = import_pool(database, "ten-percent", enumerate(lines, start=1), name=name, now=now,
                        reject=lambda *entry: rejected.append(entry))
    return batch, rejected


def hand_out(database: Database, offer: Offer, customers: list[int], *, now: datetime,
             origin: str = "enrolment") -> list[str | None]:
    """Issue to these customers; None where the pool had no more."""
    with database.writing() as session:
        given = issue_what_there_is(
            session.connection(), offer.id, customer_ids=customers, campaign="spring", now=now,
            origins=[f"{origin}:{customer}" for customer in customers], counts_from=[now] * len(customers))
    return [None if one is None else one.code for one in given]


def test_a_pool_is_imported_with_what_was_rejected_by_line(database: Database, now: datetime) -> None:
    offer = make_offer(database, now=now)
    batch, rejected = fill(database, ["save-0001", "SAVE 0002", "save0001", "x", "", "SAVE-OOO3"], now=now)
    assert rejected == [
        (3, "save0001", "the same code stands earlier in the file"),
        (4, "x", "a code has 4 to 64 letters and digits"), (5, "", "a code has 4 to 64 letters and digits")]
    second, again = fill(database, ["SAVE0002", "SAVE0004"], now=now)
    assert again == [(1, "SAVE0002", "there is such a code already")]
    with database.reading() as session:
        pools = list_pools(session)
        assert [(pool.id, pool.codes, pool.rejected, pool.stock) for pool in pools] == [
            (batch, 3, 3, 3), (second, 1, 1, 1)]
        assert [code for code, *_ in codes_of_pool(session, batch)] == ["save-0001", "SAVE 0002", "SAVE-OOO3"]
        assert session.get_one(Offer, offer.id).code_source == "pool"


def test_nobody_redeems_a_code_that_lies_in_stock(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    fill(database, ["SAVE0001"], now=now)
    assert use(database, ask("SAVE0001"), now=now).reason == "unknown_code"
    assert hand_out(database, offer, [1], now=now) == ["SAVE0001"]
    assert use(database, ask("SAVE0001", "o2"), now=now).status == 201
    with database.reading() as session:
        assert drift(session.connection()) == []


def test_codes_are_handed_out_once_each_and_an_empty_pool_leaves_the_rest_without(
    database: Database, now: datetime
) -> None:
    customers = make_customers(database, 4, now=now)
    offer = make_offer(database, now=now, valid_days=14)
    fill(database, ["SAVE0001", "SAVE0002", "SAVE0003"], now=now)
    assert hand_out(database, offer, customers, now=now) == ["SAVE0001", "SAVE0002", "SAVE0003", None]
    assert hand_out(database, offer, customers, now=now) == ["SAVE0001", "SAVE0002", "SAVE0003", None]
    with pytest.raises(Conflict, match="no code left for 1 of 1"), database.writing() as session:
        issue(session.connection(), offer.id, customer_ids=[4], origins=["x"], campaign=None, counts_from=[now],
              now=now)
    with database.writing() as session:
        configure_source(session, offer.key, source="pool_first", low_stock=5, now=now)
    made = hand_out(database, offer, customers, now=now)[3]
    assert made is not None and check(made)


def test_two_workers_never_hand_out_the_same_code(database: Database, now: datetime) -> None:
    customers = make_customers(database, 40, now=now)
    offer = make_offer(database, now=now)
    fill(database, [f"SAVE{number:04}" for number in range(40)], now=now)
    given: list[str | None] = []

    def work(part: list[int]) -> None:
        for customer in part:
            given.extend(hand_out(database, offer, [customer], now=now))

    threads = [threading.Thread(target=work, args=(customers[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == len(set(given)) == 40 and None not in given


def test_a_code_that_never_went_out_returns_to_its_pool_and_others_are_withdrawn(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    fill(database, ["SAVE0001"], now=now)
    with database.writing() as session:
        configure_source(session, offer.key, source="pool_first", low_stock=None, now=now)
    hand_out(database, offer, [1, 2], now=now)
    with database.writing() as session:
        ids = session.scalars(select(Code.id)).all()
        assert take_back_unsent(session.connection(), ids, reason="its message failed", now=now) == 2
    with database.reading() as session:
        rows = session.execute(select(Code.state, Code.customer_id, Code.revoked_reason).order_by(Code.id)).all()
        assert [tuple(row) for row in rows] == [("stock", None, None), ("revoked", 2, "its message failed")]
    assert hand_out(database, offer, [2], now=now, origin="again") == ["SAVE0001"]


def test_generated_pools_follow_prefix_and_pattern_and_are_hard_to_guess(database: Database, now: datetime) -> None:
    offer = make_offer(database, now=now, prefix="S4VE")
    generate_pool(database, offer.key, 50, name="plain", now=now)
    with database.writing() as session:
        session.get_one(Offer, offer.id).pattern = "WIN-####-####"
    batch = generate_pool(database, offer.key, 60, name="pattern", now=now)
    with database.reading() as session:
        codes = [code for code, *_ in codes_of_pool(session, batch)]
        plain = session.scalars(select(Code.code).where(Code.batch_id == batch - 1)).all()
    assert len(set(codes)) == 60 and all(code.startswith("W1N") and len(code) == 11 for code in codes)
    assert len(set(plain)) == 50 and all(code.startswith("S4VE") and check(code) for code in plain)
    with database.writing() as session:
        session.get_one(Offer, offer.id).pattern = "WIN-###"
    with pytest.raises(Invalid, match="too few #"):
        generate_pool(database, offer.key, 60, name="guessable", now=now)
    draws = itertools.cycle([b"\x00" * 16, b"\x01" * 16])
    assert pattern_codes(2, "A#-##", random_bytes=lambda size: next(draws)[:size]) == ["A000", "A000"]


def test_a_low_stock_is_told_before_it_is_empty(sqlite_database: Database, now: datetime) -> None:
    customers = make_customers(sqlite_database, 3, now=now)
    offer = make_offer(sqlite_database, now=now)
    fill(sqlite_database, ["SAVE0001", "SAVE0002", "SAVE0003"], now=now)
    with sqlite_database.writing() as session:
        configure_source(session, offer.key, source="pool", low_stock=1, now=now)
    with sqlite_database.reading() as session:
        assert pools_running_low(session) == []
    hand_out(sqlite_database, offer, customers[:2], now=now)
    with sqlite_database.reading() as session:
        assert [(low.key, left) for low, left in pools_running_low(session)] == [(offer.key, 1)]


def test_a_large_pool_is_read_a_piece_at_a_time(sqlite_database: Database, now: datetime) -> None:
    make_offer(sqlite_database, now=now)
    ahead, most = 0, 0

    def lines() -> itertools.chain[tuple[int, str]]:
        def numbered() -> object:
            nonlocal ahead
            for number in range(3 * CHUNK + 7):
                ahead = number
                yield number, f"POOL{number:08}"
        return itertools.chain(numbered())  # type: ignore[arg-type]

    def stored(done: int) -> None:
        nonlocal most
        most = max(most, ahead + 1 - done)

    import_pool(sqlite_database, "ten-percent", lines(), name="large", now=now, reject=lambda *_entry: None,
                progress=stored, piece=CHUNK)
    with sqlite_database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Code)) == 3 * CHUNK + 7
        assert session.scalars(select(Batch.codes)).all() == [3 * CHUNK + 7]
    assert most == 0


def test_public_codes_are_everybodys_and_know_where_they_hang(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    with database.writing() as session:
        written = add_public_codes(session, offer.key, [("Sommer-Berlin", "Berlin"), ("Sommer-Ulm", "Ulm")],
                                   name="Posters", uses=2, now=now)
    assert written == ["S0MMERBER11N", "S0MMERU1M"]
    assert use(database, ask("sommer berlin", "o1", customer="c1"), now=now).status == 201
    assert use(database, ask("sommer berlin", "o2", customer="c2"), now=now).status == 201
    assert use(database, ask("sommer berlin", "o3"), now=now).reason == "limit_reached"
    with pytest.raises(Conflict), database.writing() as session:
        add_public_codes(session, offer.key, [("SOMMER-ULM", None)], name="again", uses=None, now=now)
    with database.reading() as session:
        assert drift(session.connection()) == []


def test_counting_a_pool_of_any_size_sorts_none_of_its_codes_in_memory(
    sqlite_database: Database, now: datetime
) -> None:
    make_offer(sqlite_database, now=now)
    batch, _rejected = fill(sqlite_database, [f"CODE{number}" for number in range(9)], now=now)
    heard: list[tuple[str, Any]] = []
    event.listen(sqlite_database.engine, "before_cursor_execute",
                 lambda _connection, _cursor, statement, parameters, *_more: heard.append((statement, parameters)))
    with sqlite_database.reading() as session:
        assert [pool.stock for pool in list_pools(session)] == [9]
        assert reach(session, Target("batch", str(batch)), now=now).stock == 9
        asked = [each for each in heard if "FROM codes" in each[0]]
        plans = [row[3] for statement, parameters in asked for row in session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert len(asked) == 2 and not [step for step in plans if "TEMP B-TREE" in step], plans

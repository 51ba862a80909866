"""Proof: redeem, roll back, reserve and lapse at once on one offer, killed at random, and the invariants hold.

Small and seeded always; the full hammer (8 processes of 16 threads on PostgreSQL, 4 processes on SQLite, kill -9) with
the proofs. The mutation run takes out one condition or lock after the other and must turn the hammer red.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select

from core.database import Database
from coupons.checks.invariants import INVARIANTS, broken
from coupons.models import CancelledOrder, LimitUse, Offer, Redemption, Reservation
from tests.conftest import only_postgresql
from tests.coupons import hammering
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.coupons.hammering import Hammering


def furnish(database: Database, *, now: datetime) -> list[str]:
    """One offer with every limit, tight enough that each is met; five codes of three customers, two uses each."""
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, limit_per_code=2, limit_per_customer=3, limit_total=6, budget_cents=2_750)
    codes = [*make_codes(database, offer, [1, 2, 3], now=now, origin="a"),
             *make_codes(database, offer, [1, 2], now=now, origin="b")]
    return [code.code for code in codes]


def whole(database: Database) -> list[str]:
    """What is broken."""
    with database.reading() as session:
        return [f"{one.invariant}: {one.text}" for one in broken(session.connection())]


def met(database: Database) -> Counter[str]:
    """How often each verb changed something: a hammer that hits nothing proves nothing."""
    with database.reading() as session:
        uses = session.scalars(select(Redemption.state)).all()
        held = session.scalars(select(Reservation.state)).all()
        cancelled = len(session.scalars(select(CancelledOrder.order_ref)).all())
    return Counter({
        "redeemed": len(uses), "rolled back": uses.count("rolled_back"), "cancelled": cancelled,
        "reserved": len(held), **Counter(held)})


def test_the_five_invariants_are_named() -> None:
    assert set(INVARIANTS) == {"limits", "once", "rollback", "counters", "lapse"}


def test_a_small_hammer_breaks_nothing(database: Database, now: datetime) -> None:
    codes = furnish(database, now=now)
    errors = hammering.run(database, codes, seed=7, threads=6, steps=15, begun=time.time())
    assert errors == []
    assert whole(database) == []
    assert met(database)["redeemed"] and met(database)["reserved"]


def passed(database: Database) -> list[str]:
    """What is broken, and customers beyond the limit that stood from the beginning."""
    with database.reading() as session:
        beyond = session.execute(
            select(LimitUse.who).join(Offer, Offer.id == LimitUse.offer_id)
            .where(LimitUse.who != "", LimitUse.used + LimitUse.reserved > Offer.limit_per_customer)).all()
    return [*whole(database), *(f"limits: {row.who}" for row in beyond)]


# Each takes one condition out of the statements on their way to the database; every one must be noticed where the offer
# has that limit alone.
MUTATIONS: dict[str, tuple[dict[str, Any], Callable[[str], str]]] = {
    "the code's limit": ({"limit_per_code": 1}, lambda sql: sql.replace(
        "<= codes.use_limit", "<= codes.use_limit + 1000")),
    "the customer's limit": ({"limit_per_code": 90, "limit_per_customer": 3}, lambda sql: sql.replace(
        "%(most)s::BIGINT IS NULL", "TRUE")),
    "the total limit": ({"limit_per_code": 90, "limit_total": 6}, lambda sql: sql.replace(
        "offers.limit_total IS NULL", "TRUE")),
    "the budget": ({"limit_per_code": 90, "budget_cents": 2_750}, lambda sql: sql.replace(
        "offers.budget_cents IS NULL", "TRUE")),
}


@pytest.mark.proofs
@only_postgresql
@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("mutated", [False, True])
def test_the_hammer_notices_every_condition_that_is_taken_out(
    database: Database, now: datetime, name: str, mutated: bool
) -> None:
    terms, mutation = MUTATIONS[name]
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, **terms)
    # A fresh code for every round: at its beginning all threads want the same first use.
    codes = [code.code for turn in range(40)
             for code in make_codes(database, offer, [1], now=now, origin=f"round:{turn}")]
    changed, gap_seconds = 0, 0.02

    def mutate(_connection: object, _cursor: object, statement: str, parameters: object, _context: object,
               _many: bool) -> tuple[str, object]:
        nonlocal changed
        if statement.startswith("UPDATE codes"):
            time.sleep(gap_seconds)  # between looking and taking, so that the others come in between
        text = mutation(statement) if mutated else statement
        changed += text != statement
        return text, parameters

    event.listen(database.engine, "before_cursor_execute", mutate, retval=True)
    for seed, code in enumerate(codes if mutated else codes[:2]):
        gap_seconds = 0.02 + seed / 100  # a busy machine lets the others in later
        hammering.run(database, [code], seed=seed, threads=8, steps=20, begun=time.time())
        if passed(database):
            break
    assert (changed > 0) == mutated
    assert bool(passed(database)) == mutated


ENOUGH = {"redeemed": 12, "rolled back": 4, "cancelled": 4, "reserved": 6, "spent": 1, "released": 1, "lapsed": 2}
"""How often each verb has to have changed something before the hammer may end."""


def wait_until(reached: Callable[[], bool]) -> None:
    """However slow the machine is; one that is stuck fails."""
    until = time.monotonic() + hammering.PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < until, "the hammer hits nothing more"
        time.sleep(0.02)


@pytest.mark.proofs
def test_the_full_hammer_with_kills_breaks_nothing(database: Database, database_url: str, now: datetime) -> None:
    codes = furnish(database, now=now)
    count, threads = (4, 4) if database.is_sqlite else (8, 16)
    begun, draw = time.time(), random.Random(11)

    def start(seed: int) -> Hammering:
        return Hammering(database_url, codes, seed=seed, threads=threads, begun=begun)

    running = [start(seed) for seed in range(count)]
    for process in running:
        process.wait_until_ready()
    for seed in range(count, count + 4):
        seen = sum(met(database).values()) + draw.randrange(4)  # the moment of the kill is the chance that is tested
        wait_until(lambda seen=seen: sum(met(database).values()) > seen)
        running.pop(draw.randrange(len(running))).kill()
        running.append(start(seed))
        running[-1].wait_until_ready()
    wait_until(lambda: all(met(database)[verb] >= enough for verb, enough in ENOUGH.items()))
    assert [error for process in running for error in process.end()] == []
    assert whole(database) == []

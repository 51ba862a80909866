"""Each lock keeps one promise: the course of the race that needs it goes well with it and wrong without it.

Every race is played the one way that matters (see stage.py) on PostgreSQL; on SQLite writers take turns anyway. With
the proofs the lock is taken out of the statements on their way, and the promise must break.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.errors import Conflict
from coupons.checks.invariants import broken
from coupons.codes.issuing import issue, start_validity
from coupons.codes.pools import add_public_codes, generate_pool, import_pool
from coupons.locking import in_turn
from coupons.models import Code, CodeRenewal, Offer, Redemption
from coupons.offers.offers import save_offer
from coupons.till.desk import renew_code
from coupons.till.redeeming import cancel_order, roll_back
from coupons.till.requests import Answer
from coupons.till.reserving import deciding, free_lapsed, release, reserve
from tests.conftest import only_postgresql
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.coupons.stage import Change, Stage

Course = Callable[[Database, datetime, Stage], bool]
"""Plays one race and says whether the promise was kept."""

USE, WRITE = "UPDATE codes", "INSERT INTO redemptions"


def _codes(database: Database, now: datetime, count: int = 2, **terms: Any) -> list[str]:
    """One customer with so many codes of one offer."""
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, **terms)
    return [make_codes(database, offer, [1], now=now, origin=f"r{turn}")[0].code for turn in range(count)]


def _well(database: Database) -> bool:
    with database.reading() as session:
        return broken(session.connection()) == []


def _live(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Redemption.id)).where(Redemption.state == "redeemed")) or 0


def _edit(database: Database, now: datetime, **terms: Any) -> Offer:
    with database.writing() as session:
        return save_offer(session, "ten-percent", name="x", kind="percent", percent=10, now=now, **terms)


def _hold(database: Database, code: str, now: datetime, *, seconds: int = 60, order: str = "o1") -> Answer:
    return deciding(database, lambda connection: reserve(
        connection, ask(code, order), ttl_seconds=seconds, now=now), now=now)


def _fine(result: object) -> bool:
    return not isinstance(result, Exception)


def _two_uses(database: Database, now: datetime, stage: Stage, codes: tuple[str, str], orders: tuple[str, str],
              stop: str, email: str | None = None) -> tuple[int, int]:
    """One use stopped at `stop` until another is done or waits; their statuses."""
    stage.before("one", stop, lambda: stage.meanwhile(
        "two", lambda: use(database, ask(codes[1], orders[1], email=email), now=now)))
    stage.play("one", lambda: use(database, ask(codes[0], orders[0], email=email), now=now))
    stage.settle()
    return getattr(stage.results["one"], "status", 0), getattr(stage.results["two"], "status", 0)


def cancelled_meanwhile(database: Database, now: datetime, stage: Stage) -> bool:
    """An order is cancelled while a code is redeemed for it."""
    [code] = _codes(database, now, 1)
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: database.small(
        lambda connection: cancel_order(connection, shop="", order_ref="o1", now=now))))
    stage.play("one", lambda: use(database, ask(code), now=now))
    stage.settle()
    return _live(database) == 0 and _well(database)


def two_that_do_not_combine(database: Database, now: datetime, stage: Stage) -> bool:
    """Two codes that do not go together on one order."""
    one, two = _codes(database, now, combines="none")
    return _two_uses(database, now, stage, (one, two), ("o1", "o1"), USE) == (201, 422)


def reserved_beside(database: Database, now: datetime, stage: Stage) -> bool:
    """One is reserved while the other, that does not go with it, is redeemed for the order."""
    one, two = _codes(database, now, combines="none")
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: use(database, ask(two), now=now)))
    stage.play("one", lambda: _hold(database, one, now))
    stage.settle()
    return [getattr(stage.results[name], "status", 0) for name in ("one", "two")] == [201, 422]


def two_first_orders(database: Database, now: datetime, stage: Stage) -> bool:
    """Two first orders of one customer."""
    one, two = _codes(database, now, first_order_only=True)
    return _two_uses(database, now, stage, (one, two), ("o1", "o2"), USE) == (201, 422)


def two_first_orders_of_a_guest(database: Database, now: datetime, stage: Stage) -> bool:
    """Two first orders of somebody whom the shop names and nobody knows."""
    offer = make_offer(database, now=now, first_order_only=True)
    with database.writing() as session:
        codes = add_public_codes(session, offer.key, [("ONE1", None), ("TWO2", None)], name="", uses=None, now=now)
    return _two_uses(database, now, stage, (codes[0], codes[1]), ("o1", "o2"), USE, "new@example.com") == (201, 422)


def one_code(database: Database, now: datetime, stage: Stage) -> bool:
    """The last use of a code."""
    [code] = _codes(database, now, 1)
    return _two_uses(database, now, stage, (code, code), ("o1", "o2"), WRITE) == (201, 409) and _well(database)


def one_customer(database: Database, now: datetime, stage: Stage) -> bool:
    """A customer's last use of an offer, with two codes."""
    one, two = _codes(database, now, limit_per_customer=1)
    return _two_uses(database, now, stage, (one, two), ("o1", "o2"), WRITE) == (201, 409) and _well(database)


def last_of_all(database: Database, now: datetime, stage: Stage) -> bool:
    """The last use of an offer, with two codes."""
    one, two = _codes(database, now, limit_total=1)
    return _two_uses(database, now, stage, (one, two), ("o1", "o2"), WRITE) == (201, 409) and _well(database)


def last_money(database: Database, now: datetime, stage: Stage) -> bool:
    """The last of a budget, with two codes."""
    one, two = _codes(database, now, budget_cents=6_000)
    return _two_uses(database, now, stage, (one, two), ("o1", "o2"), WRITE) == (201, 409) and _well(database)


def limited_meanwhile(database: Database, now: datetime, stage: Stage) -> bool:
    """An offer gets a limit while a use is under way that does not count on it yet."""
    [code] = _codes(database, now, 1)
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: _edit(database, now, limit_total=5)))
    stage.play("one", lambda: use(database, ask(code), now=now))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


def limited_while_taken_back(database: Database, now: datetime, stage: Stage) -> bool:
    """An offer gets a limit while a redemption is taken back that did not count on it."""
    [code] = _codes(database, now, 1)
    name = use(database, ask(code), now=now).body["id"]
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: _edit(database, now, limit_total=5)))
    stage.play("one", lambda: database.small(lambda connection: roll_back(connection, name, now=now)))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


def limited_while_released(database: Database, now: datetime, stage: Stage) -> bool:
    """An offer gets a limit while a reservation is given up that did not count on it."""
    [code] = _codes(database, now, 1)
    name = _hold(database, code, now).body["id"]
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: _edit(database, now, limit_total=5)))
    stage.play("one", lambda: database.small(lambda connection: release(connection, name, now=now)))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


def edited_between_two_uses(database: Database, now: datetime, stage: Stage) -> bool:
    """An offer is edited between one use that has counted on it and one that is about to."""
    one, two = _codes(database, now, limit_total=9)
    stage.before("one", WRITE, lambda: stage.meanwhile("two", lambda: use(database, ask(two, "o2"), now=now)))
    stage.before("two", "UPDATE offers", lambda: stage.meanwhile("three", lambda: _edit(database, now, limit_total=8)))
    stage.play("one", lambda: use(database, ask(one), now=now))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


def lapsed_while_redeemed(database: Database, now: datetime, stage: Stage) -> bool:
    """A reservation lapses, by another's clock, while its order is redeemed."""
    [code] = _codes(database, now, 1, limit_total=9)
    _hold(database, code, now)
    later = now + timedelta(seconds=61)
    stage.before("one", USE, lambda: stage.meanwhile("two", lambda: free_lapsed(database, now=later)))
    stage.play("one", lambda: use(database, ask(code), now=now))
    stage.settle()
    return _live(database) == 1 and _well(database)


def lapsed_twice(database: Database, now: datetime, stage: Stage) -> bool:
    """Two workers free what has lapsed."""
    [code] = _codes(database, now, 1, limit_total=9)
    _hold(database, code, now)
    later = now + timedelta(seconds=61)
    stage.before("one", "UPDATE reservations", lambda: stage.meanwhile(
        "two", lambda: free_lapsed(database, now=later)))
    stage.play("one", lambda: free_lapsed(database, now=later))
    stage.settle()
    return stage.results == {"one": 1, "two": 0} and _well(database)


def released_twice(database: Database, now: datetime, stage: Stage) -> bool:
    """One reservation is given up from two sides."""
    [code] = _codes(database, now, 1, limit_total=9)
    name = _hold(database, code, now).body["id"]
    again = lambda: database.small(lambda connection: release(connection, name, now=now))
    stage.before("one", "UPDATE reservations", lambda: stage.meanwhile("two", again))
    stage.play("one", again)
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


def taken_back_twice(database: Database, now: datetime, stage: Stage) -> bool:
    """One redemption is taken back from two sides: both hear the same."""
    [code] = _codes(database, now, 1)
    name = use(database, ask(code), now=now).body["id"]
    again = lambda: database.small(lambda connection: roll_back(connection, name, now=now))
    stage.before("one", "UPDATE redemptions", lambda: stage.meanwhile("two", again))
    stage.play("one", again)
    stage.settle()
    return stage.results["one"] == stage.results["two"] and _well(database)


def changed_at_every_look(database: Database, now: datetime, stage: Stage) -> bool:
    """Somebody takes a code's use and gives it back each time we have looked: the second look is the last."""
    [code] = _codes(database, now, 1)

    def spoil(used: int, state: str) -> None:
        with database.engine.begin() as other:
            if other.execute(select(Code.id).with_for_update(skip_locked=True)).first() is not None:
                other.exec_driver_sql("UPDATE codes SET used = %s, state = %s", (used, state))
        (stage.after if used else stage.before)("one", USE, lambda: spoil(1 - used, "issued" if used else "redeemed"))

    stage.before("one", USE, lambda: spoil(1, "redeemed"))
    stage.play("one", lambda: use(database, ask(code), now=now))
    return getattr(stage.results["one"], "status", 0) == 201


def used_while_its_days_are_set(database: Database, now: datetime, stage: Stage) -> bool:
    """A code is used while its days are counted anew: it waits until they are."""
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, valid_days=14), [1], now=now)
    stage.after("one", "codes JOIN offers", lambda: stage.meanwhile(
        "two", lambda: use(database, ask(code.code), now=now)))

    def start() -> int:
        with database.writing() as session:
            return start_validity(session.connection(), [code.code_id], counts_from=[now], now=now)

    stage.play("one", start)
    stage.settle()
    return stage.waited == {"two"}


def one_code_of_a_pool(database: Database, now: datetime, stage: Stage) -> bool:
    """Two workers hand out of one pool."""
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    generate_pool(database, offer.key, 2, name="", now=now)

    def hand_out(customer: int) -> str:
        with database.writing() as session:
            return issue(session.connection(), offer.id, customer_ids=[customer], origins=[f"e:{customer}"],
                         campaign=None, counts_from=[now], now=now)[0].code

    stage.after("one", "SKIP LOCKED", lambda: stage.meanwhile("two", lambda: hand_out(2)))
    stage.play("one", lambda: hand_out(1))
    stage.settle()
    return len(set(map(str, stage.results.values()))) == 2


def one_pool_filled_twice(database: Database, now: datetime, stage: Stage) -> bool:
    """Two files with the same code come at once: the second is told so."""
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    rejected: list[str] = []

    def fill() -> int:
        return import_pool(database, offer.key, [(1, "SUMMER2026")], name="", now=now,
                           reject=lambda _number, text, _why: rejected.append(text))

    fill_name = "nextval(CAST"
    stage.before("one", fill_name, lambda: stage.meanwhile("two", fill))
    stage.play("one", fill)
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and rejected == ["SUMMER2026"]


def renewed_twice(database: Database, now: datetime, stage: Stage) -> bool:
    """Two agents give one expired code more days: one is told that it had them."""
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, valid_days=1), [1], now=now)
    later = now + timedelta(days=3)

    def renew(agent: str) -> datetime:
        with database.writing() as session:
            return renew_code(session, code.code, agent=agent, reason="letter late", days=3, now=later)

    stage.before("one", "INSERT INTO code_renewals", lambda: stage.meanwhile("two", lambda: renew("b")))
    stage.play("one", lambda: renew("a"))
    stage.settle()
    with database.reading() as session:
        renewals = session.scalar(select(func.count(CodeRenewal.id)))
    return renewals == 1 and isinstance(stage.results["two"], Conflict)


@only_postgresql
def test_an_offer_edited_between_two_uses_holds_nobody_up_for_good(database: Database, now: datetime) -> None:
    with Stage(database) as stage:
        kept = edited_between_two_uses(database, now, stage)
    assert kept, stage.results


@only_postgresql
def test_who_is_given_up_to_break_a_ring_does_it_again(database: Database, now: datetime) -> None:
    """An order with two codes of one offer is cancelled while another order uses the second of them."""
    one, two = _codes(database, now, limit_per_code=5, limit_total=9)
    for code in (one, two):
        assert use(database, ask(code), now=now).status == 201
    with Stage(database) as stage:
        other = lambda: stage.meanwhile("two", lambda: use(database, ask(two, "o2"), now=now))
        stage.before("one", USE, lambda: stage.before("one", USE, other))
        stage.play("one", lambda: in_turn(database, lambda connection: cancel_order(
            connection, shop="", order_ref="o1", now=now)))
    assert (stage.results["one"], getattr(stage.results["two"], "status", stage.results["two"])) == (2, 201)
    assert _live(database) == 1 and _well(database)


def _cut(pattern: str, by: str = "") -> Change:
    return lambda sql: re.sub(pattern, by, sql)


def _in(table: str, change: Change) -> Change:
    """Only where this is read or changed."""
    return lambda sql: change(sql) if table in sql else sql


NO_ORDER_LOCK = _cut(r"pg_advisory_xact_lock\((?:[^()]|\([^()]*\))*\)", "0")
_NO_HOLD = _cut(r" FOR (NO KEY UPDATE|UPDATE|KEY SHARE)( OF \w+)?( NOWAIT| SKIP LOCKED)?\s*$")
# What is counted on is read as it was when the statement began, not as the row's lock found it.
# The state says the same as the count once a code is used up.
STALE_CODE = _in(USE, lambda sql: _cut(r"codes\.used \+", "(SELECT c.used FROM codes c WHERE c.id = %(code_id)s) +")(
    sql.replace("codes.state = 'issued'::VARCHAR", "TRUE")))
_STALE_ROW = _in("INTO limit_uses", _cut(
    r"limit_uses\.used \+", "(SELECT coalesce(max(l.used), 0) FROM limit_uses l WHERE l.who = %(who)s) +"))
_STALE_OFFER = _in("UPDATE offers", _cut(
    r"offers\.(used|spent_cents) \+", r"(SELECT o.\1 FROM offers o WHERE o.id = %(offer)s) +"))

LOCKS: dict[str, tuple[Course, Change]] = {
    "the order's, against a cancellation": (cancelled_meanwhile, NO_ORDER_LOCK),
    "the order's, against a second code": (two_that_do_not_combine, NO_ORDER_LOCK),
    "the order's, against a reservation": (reserved_beside, NO_ORDER_LOCK),
    "the customer's, against another first order": (two_first_orders, NO_ORDER_LOCK),
    "the guest's, against another first order": (two_first_orders_of_a_guest, NO_ORDER_LOCK),
    "the code's row, when it is counted on": (one_code, STALE_CODE),
    "the code's row, when it is looked at again": (changed_at_every_look, _in("FOR NO KEY UPDATE", _NO_HOLD)),
    "the code's row, when its days are set": (used_while_its_days_are_set, _in("FOR UPDATE OF codes", _NO_HOLD)),
    "the customer's counter": (one_customer, _STALE_ROW),
    "the offer's counter": (last_of_all, _STALE_OFFER),
    "the budget's counter": (last_money, _STALE_OFFER),
    "the offer, held by a use": (limited_meanwhile, _in("FOR KEY SHARE OF offers", _NO_HOLD)),
    "the offer, held by a rollback": (limited_while_taken_back, _in("FOR KEY SHARE", _NO_HOLD)),
    "the offer, held by a release": (limited_while_released, _in("FOR KEY SHARE", _NO_HOLD)),
    "the offer, held by its editor": (limited_meanwhile, _cut(r" FOR UPDATE( NOWAIT)?\s*$")),
    "the reservation that is spent": (lapsed_while_redeemed, _in("reservations.expires_at >", _NO_HOLD)),
    "the reservation that lapses": (lapsed_twice, _in("reservations.expires_at <=", _NO_HOLD)),
    "the reservation that is given up": (released_twice, _in("FROM reservations", _NO_HOLD)),
    "the redemption that is taken back": (taken_back_twice, _in("FROM redemptions", _NO_HOLD)),
    "the codes in stock": (one_code_of_a_pool, _in("SKIP LOCKED", _NO_HOLD)),
    "the pool that is filled": (one_pool_filled_twice, _in("FROM batches", _NO_HOLD)),
    "the code that is renewed": (renewed_twice, _in("FROM codes", _NO_HOLD)),
}


@only_postgresql
@pytest.mark.parametrize("name", LOCKS)
def test_with_its_lock_the_promise_is_kept(database: Database, now: datetime, name: str) -> None:
    with Stage(database) as stage:
        kept = LOCKS[name][0](database, now, stage)
    assert kept, stage.results


@pytest.mark.proofs
@only_postgresql
@pytest.mark.parametrize("name", LOCKS)
def test_without_its_lock_the_promise_is_broken(database: Database, now: datetime, name: str) -> None:
    course, without = LOCKS[name]
    with Stage(database, without=without) as stage:
        kept = course(database, now, stage)
    assert stage.changed
    assert not kept

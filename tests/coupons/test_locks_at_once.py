"""The short way of redeeming keeps the promises of the long one: its locks and its counters, played as in test_locks.

It is one statement, so an actor is stopped by a row that somebody else holds.
"""

from collections.abc import Callable
from datetime import datetime

import pytest

from core.database import Database
from coupons.till.redeeming import cancel_order
from tests.conftest import only_postgresql
from tests.coupons.factories import ask, use
from tests.coupons.stage import Change, Stage
from tests.coupons.test_locks import NO_ORDER_LOCK, STALE_CODE, _codes, _cut, _edit, _fine, _live, _well

Course = Callable[[Database, datetime, Stage], bool]
CODES, ROWS, OFFERS = (f"SELECT 1 FROM {table} FOR NO KEY UPDATE" for table in ("codes", "limit_uses", "offers"))


def _two(database: Database, now: datetime, stage: Stage, codes: tuple[str, str], orders: tuple[str, str],
         held: str) -> list[int]:
    """Two uses that both wait for what somebody holds; their statuses, the lower first."""
    with stage.holding(held):
        for actor, code, order in zip(("one", "two"), codes, orders, strict=True):
            stage.meanwhile(actor, lambda code=code, order=order: use(  # type: ignore[misc]
                database, ask(code, order), now=now))
    stage.settle()
    return sorted(getattr(result, "status", 0) for result in stage.results.values())


def one_code(database: Database, now: datetime, stage: Stage) -> bool:
    """The last use of a code."""
    [code] = _codes(database, now, 1)
    return _two(database, now, stage, (code, code), ("o1", "o2"), CODES) == [201, 409] and _well(database)


def one_customer(database: Database, now: datetime, stage: Stage) -> bool:
    """A customer's last use of an offer, with two codes."""
    before, one, two = _codes(database, now, 3, limit_per_customer=2)
    use(database, ask(before, "o0"), now=now)
    return _two(database, now, stage, (one, two), ("o1", "o2"), ROWS) == [201, 409] and _well(database)


def last_of_all(database: Database, now: datetime, stage: Stage) -> bool:
    """The last use of an offer, with two codes."""
    one, two = _codes(database, now, limit_total=1)
    return _two(database, now, stage, (one, two), ("o1", "o2"), OFFERS) == [201, 409] and _well(database)


def last_money(database: Database, now: datetime, stage: Stage) -> bool:
    """The last of a budget, with two codes."""
    one, two = _codes(database, now, budget_cents=6_000)
    return _two(database, now, stage, (one, two), ("o1", "o2"), OFFERS) == [201, 409] and _well(database)


def two_that_do_not_combine(database: Database, now: datetime, stage: Stage) -> bool:
    """Two codes that do not go together on one order."""
    one, two = _codes(database, now, combines="none")
    return _two(database, now, stage, (one, two), ("o1", "o1"), CODES.replace(
        "FOR NO", f"WHERE code = '{one}' FOR NO")) == [201, 422]


def cancelled_meanwhile(database: Database, now: datetime, stage: Stage) -> bool:
    """An order is cancelled while a code is redeemed for it."""
    [code] = _codes(database, now, 1)
    with stage.holding(CODES):
        stage.meanwhile("one", lambda: use(database, ask(code), now=now))
        stage.meanwhile("two", lambda: database.small(
            lambda connection: cancel_order(connection, shop="", order_ref="o1", now=now)))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _live(database) == 0 and _well(database)


def limited_meanwhile(database: Database, now: datetime, stage: Stage) -> bool:
    """An offer gets a limit while a use is under way that does not count on it yet."""
    [code] = _codes(database, now, 1)
    with stage.holding(CODES):
        stage.meanwhile("one", lambda: use(database, ask(code), now=now))
        stage.meanwhile("two", lambda: _edit(database, now, limit_total=5))
    stage.settle()
    return all(_fine(result) for result in stage.results.values()) and _well(database)


_FUNCTION = "'order_stands_alone'::regproc"
LOCKS: dict[str, tuple[Course, Change]] = {
    "the code's row": (one_code, STALE_CODE),
    "the customer's counter": (one_customer, _cut(
        r"limit_uses\.used \+", "(SELECT max(l.used) FROM limit_uses l) +")),
    "the offer's counter": (last_of_all, _cut(r"offers\.(used) \+", r"(SELECT o.\1 FROM offers o) +")),
    "the budget's counter": (last_money, _cut(r"offers\.(spent_cents) \+", r"(SELECT o.\1 FROM offers o) +")),
    "the order's, against a second code": (two_that_do_not_combine, NO_ORDER_LOCK),
    "the order's, against a cancellation": (cancelled_meanwhile, NO_ORDER_LOCK),
    "the offer's, against its editor": (limited_meanwhile, _cut(r"pg_advisory_xact_lock_shared\([^)]*\)", "0")),
}


@only_postgresql
@pytest.mark.parametrize("name", LOCKS)
def test_with_its_lock_the_promise_is_kept(database: Database, now: datetime, name: str) -> None:
    with Stage(database, slowly=False) as stage:
        kept = LOCKS[name][0](database, now, stage)
    assert kept, stage.results
    assert any("claimed AS" in statement for statement in stage.heard), "the long way was taken"


@pytest.mark.proofs
@only_postgresql
@pytest.mark.parametrize("name", LOCKS)
def test_without_its_lock_the_promise_is_broken(database: Database, now: datetime, name: str) -> None:
    course, without = LOCKS[name]
    with database.engine.begin() as connection:  # two of the locks are taken in a function
        function = connection.exec_driver_sql(f"SELECT pg_get_functiondef({_FUNCTION})").scalar_one()
        connection.exec_driver_sql(without(function))
    with Stage(database, slowly=False, without=without) as stage:
        kept = course(database, now, stage)
    assert stage.changed or without(function) != function
    assert not kept

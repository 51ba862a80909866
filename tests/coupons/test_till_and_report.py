"""A till redeems while the order's own report comes in: whoever is first, it is one redemption."""

import itertools
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select

from core.database import Database
from coupons.checks.invariants import drift
from coupons.models import Code, Redemption
from coupons.till.reported import Recorded, ReportedUse, record_use
from coupons.till.requests import Answer
from coupons.till.reserving import deciding
from customers.models import Order
from tests.conftest import only_postgresql
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.coupons.stage import Stage
from tests.coupons.test_redeeming_races import together


def _told(database: Database, code: str, order: str, now: datetime) -> Recorded:
    reported = ReportedUse("s", order, code, 5_800, "EUR", 58_000, now)
    return deciding(database, lambda connection: record_use(connection, reported, now=now), now=now)


def _redeemed(database: Database, code: str, order: str, now: datetime) -> Answer:
    return use(database, ask(code, order, shop="s"), now=now)


def _shop(database: Database, now: datetime, uses: int, orders: int = 1) -> list[str]:
    """Codes, one for each stored order o0, o1..."""
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=uses, limit_total=99, limit_per_customer=99)
    with database.writing() as session:
        session.add_all(Order(shop="s", external_id=f"o{number}", customer_id=1, ordered_at=now, currency="EUR",
                              total_cents=58_000, cancelled=False) for number in range(orders))
    return [make_codes(database, offer, [1], now=now, origin=f"r{number}")[0].code for number in range(orders)]


def _one_each(database: Database, orders: int) -> None:
    with database.reading() as session:
        assert session.scalars(select(Code.used)).all() == [1] * orders
        rows = session.execute(select(Redemption.order_ref, Redemption.state, Redemption.flags)).all()
        assert sorted(rows) == [(f"o{number}", "redeemed", "") for number in range(orders)]
        assert drift(session.connection()) == []


@pytest.mark.parametrize("uses", [1, 3])
def test_report_and_till_at_once_are_one_redemption(database: Database, now: datetime, uses: int) -> None:
    orders = 6
    codes = _shop(database, now, uses, orders)
    for number in range(orders):
        till: Callable[[], Answer] = lambda number=number: _redeemed(  # type: ignore[misc]
            database, codes[number], f"o{number}", now)
        told, decided = together([
            lambda number=number: _told(database, codes[number], f"o{number}", now), till])
        assert isinstance(told, Recorded) and isinstance(decided, Answer)
        assert decided.status == (200 if told.created else 201)
        assert decided.body["id"] == told.public_id
    _one_each(database, orders)


@only_postgresql
@pytest.mark.parametrize("uses", [1, 3])
def test_in_every_course_they_are_one_redemption(database: Database, now: datetime, uses: int) -> None:
    courses = list(itertools.product((_told, _redeemed), ("UPDATE codes", "INTO redemptions")))
    codes = _shop(database, now, uses, len(courses))
    for number, (first, stop) in enumerate(courses):
        _in_this_course(database, codes[number], f"o{number}", now, first, stop)
    _one_each(database, len(courses))


def _in_this_course(database: Database, code: str, order: str, now: datetime, first: Callable[..., object], stop: str
                    ) -> None:
    second = _redeemed if first is _told else _told
    with Stage(database) as stage:
        stage.before("one", stop, lambda: stage.meanwhile("two", lambda: second(database, code, order, now)))
        stage.play("one", lambda: first(database, code, order, now))
    told, decided = (stage.results[name] for name in (("one", "two") if first is _told else ("two", "one")))
    assert isinstance(told, Recorded) and isinstance(decided, Answer), stage.results
    assert decided.body["id"] == told.public_id

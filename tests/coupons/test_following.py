"""An order that the shop takes back gives its coupon back, whatever door the news came through."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from core.cursors import head, prune
from core.database import Database
from coupons.checks.invariants import drift
from coupons.models import Code, Redemption
from coupons.till import following
from customers.models import Order
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


def _order(database: Database, number: str, *, now: datetime, cancelled: bool = False) -> None:
    with database.writing() as session:
        session.add(Order(shop="", external_id=number, customer_id=1, ordered_at=now, currency="EUR",
                          total_cents=58_000, cancelled=cancelled))


def _states(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Redemption.state).order_by(Redemption.id)))


def test_the_coupon_of_a_cancelled_order_is_free_again_and_a_late_redemption_is_refused(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    [code] = make_codes(database, offer, [1], now=now)
    [other] = make_codes(database, offer, [1], now=now, origin="second")
    assert use(database, ask(code.code, "o1"), now=now).status == 201
    _order(database, "o1", now=now)
    assert following.tick(database, now=now, limit=100) == 0
    assert _states(database) == ["redeemed"]
    with database.writing() as session:
        session.execute(update(Order).values(cancelled=True, status="cancelled"))
    assert following.tick(database, now=now + timedelta(hours=1), limit=100) == 1
    assert _states(database) == ["rolled_back"]
    assert following.tick(database, now=now + timedelta(hours=2), limit=100) == 0
    late = use(database, ask(other.code, "o1"), now=now + timedelta(hours=3))
    assert (late.status, late.body["reason"]) == (409, "order_cancelled")
    assert use(database, ask(code.code, "o2"), now=now + timedelta(hours=3)).status == 201
    with database.reading() as session:
        assert drift(session.connection()) == []


def test_a_redemption_after_the_cancellation_is_refused_even_when_nothing_was_redeemed_before(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    _order(database, "o1", now=now, cancelled=True)
    following.tick(database, now=now, limit=100)
    assert use(database, ask(code.code, "o1"), now=now).body["reason"] == "order_cancelled"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Code).where(Code.used > 0)) == 0


def test_who_missed_part_of_the_list_of_changes_looks_at_every_order(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    _order(database, "o1", now=now, cancelled=True)
    with database.writing() as session:
        prune(session.connection(), before=head(session.connection()) + 1)
    following.tick(database, now=now, limit=100)
    assert use(database, ask(code.code, "o1"), now=now).body["reason"] == "order_cancelled"


def test_imported_history_stays_as_the_shop_told_it(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    _order(database, "o1", now=now, cancelled=True)
    with database.writing() as session:
        session.add(Redemption(public_id="r1", code_text="OLD", shop="", order_ref="o1", discount_cents=500,
                               currency="EUR", state="redeemed", history=True, redeemed_at=now))
    following.tick(database, now=now, limit=100)
    assert _states(database) == ["redeemed"]

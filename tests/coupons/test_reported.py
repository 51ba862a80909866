"""A fact is recorded whatever our rules say, flagged where they would have refused, and breaks no counter."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from core.database import Database
from coupons.checks.invariants import drift
from coupons.codes.issuing import revoke
from coupons.models import Code, Offer, Redemption
from coupons.till.redeeming import cancel_order, roll_back
from coupons.till.reported import Recorded, ReportedUse, follow_returns, record_use
from coupons.till.reserving import deciding
from customers.models import Order
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


def told(database: Database, code: str, order: str = "o1", *, now: datetime, customer: int = 1, cents: int = 5_800,
         goods: int = 58_000, at: datetime | None = None) -> Recorded:
    """The shop reports an order of this customer that carries the code."""
    with database.writing() as session:
        if session.scalar(select(Order.id).where(Order.external_id == order)) is None:
            session.add(Order(shop="s", external_id=order, customer_id=customer, ordered_at=now, currency="EUR",
                              total_cents=goods, cancelled=False))
    reported = ReportedUse("s", order, code, cents, "EUR", goods, at or now)
    return deciding(database, lambda connection: record_use(connection, reported, now=now), now=now)


def fine(database: Database) -> bool:
    with database.reading() as session:
        return drift(session.connection()) == []


def test_a_second_use_of_a_single_code_is_recorded_over_the_limit_and_counts_for_none(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    code = make_codes(database, make_offer(database, now=now, limit_total=1, budget_cents=6_000), [1], now=now)[0].code
    assert told(database, code, now=now).flags == ()
    second = told(database, code, "o2", now=now)
    assert (second.flags, second.created) == (("over_limit",), True)
    with database.reading() as session:
        assert session.execute(select(Offer.used, Offer.spent_cents)).one() == (1, 5_800)
        assert session.execute(select(Code.used, Code.state)).one() == (1, "redeemed")
    assert fine(database)
    database.small(lambda connection: roll_back(connection, second.public_id, now=now))
    with database.reading() as session:
        assert session.execute(select(Code.used, Code.state)).one() == (1, "redeemed")
    assert fine(database)


def test_the_offers_limit_makes_a_fact_over_the_limit_too(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    codes = make_codes(database, make_offer(database, now=now, limit_total=1), [1, 2], now=now)
    assert told(database, codes[0].code, now=now).flags == ()
    assert told(database, codes[1].code, "o2", now=now, customer=2).flags == ("over_limit",)
    assert fine(database)


@pytest.mark.parametrize(("after", "flags"), [
    (timedelta(days=20), ("expired",)), (-timedelta(days=1), ("not_yet_valid",))])
def test_a_code_outside_its_window_is_flagged_and_used_up(
    database: Database, now: datetime, after: timedelta, flags: tuple[str, ...]
) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now, valid_days=14), [1], now=now)[0].code
    assert told(database, code, now=now + timedelta(days=30), at=now + after).flags == flags
    with database.reading() as session:
        assert session.scalar(select(Code.state)) == "redeemed"
    assert fine(database)


def test_unknown_withdrawn_and_other_peoples_codes_are_flagged(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    codes = make_codes(database, make_offer(database, now=now, holder="enforce"), [1, 2], now=now)
    assert told(database, "WELCOME5", now=now).flags == ("unknown_code",)
    assert told(database, "welcome5", now=now).created is False
    with database.writing() as session:
        revoke(session.connection(), [codes[0].code_id], reason="stopped", now=now)
    assert told(database, codes[0].code, "o2", now=now).flags == ("revoked",)
    assert told(database, codes[1].code, "o3", now=now, customer=1).flags == ("wrong_customer",)
    with database.reading() as session:
        assert session.scalar(select(func.count(Redemption.id))) == 3
    assert fine(database)


def test_the_same_order_and_code_is_one_redemption_whoever_told_it_first(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    first = told(database, code, now=now)
    again = told(database, code, now=now)
    decided = use(database, ask(code, "o1", shop="s"), now=now)
    assert first.public_id == again.public_id == decided.body["id"]
    assert decided.status == 200 and again.created is False
    assert fine(database)


def test_returns_are_followed_by_their_share_and_never_beyond_the_discount(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now, budget_cents=10_000), [1], now=now)[0].code
    told(database, code, now=now)

    def returned(cents: int) -> int:
        return database.small(lambda connection: follow_returns(
            connection, shop="s", order_ref="o1", goods_cents=58_000, returned_cents=cents, now=now))

    assert [returned(cents) for cents in (0, 19_999, 19_999, 25_000)] == [0, 1, 0, 1]
    with database.reading() as session:
        assert session.execute(select(Redemption.rolled_back_cents, Redemption.state)).one() == (2_500, "redeemed")
        assert session.scalar(select(Offer.spent_cents)) == 3_300
    assert returned(99_000) == 1
    assert returned(99_000) == 0
    with database.reading() as session:
        assert session.execute(select(Redemption.rolled_back_cents, Redemption.flags)).one() == (5_800, "refund_capped")
    assert fine(database)


def test_a_cancelled_order_takes_facts_back_too(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    told(database, code, now=now)
    told(database, "WELCOME5", now=now)
    assert database.small(lambda connection: cancel_order(connection, shop="s", order_ref="o1", now=now)) == 2
    assert fine(database)


def test_a_decision_for_somebody_else_is_flagged_where_the_offer_watches(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, holder="off")
    with database.writing() as session:
        session.execute(update(Offer).values(holder="flag"))
    codes = make_codes(database, offer, [1, 2], now=now)
    assert use(database, ask(codes[0].code, "o1", customer="c2"), now=now).status == 201
    assert use(database, ask(codes[1].code, "o2", customer="c2"), now=now).status == 201
    with database.reading() as session:
        assert session.scalars(select(Redemption.flags).order_by(Redemption.id)).all() == ["wrong_customer", ""]

"""The simulator says what the till would say, limits of customers and periods included, and writes nothing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.database import Database
from coupons.checks.invariants import drift
from coupons.till.requests import RedemptionRequest
from coupons.till.reserving import deciding, reserve
from coupons.till.simulating import simulate
from tests.coupons.factories import LAMP, ask, make_codes, make_customers, make_offer, use


def said(database: Database, what: str, request: RedemptionRequest, now: datetime) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(each.reason, each.rule) for each in simulate(session, what, request, now=now).against]


@pytest.mark.parametrize(("limits", "reason"), [
    ({"limit_per_customer": 1}, "limit_reached"), ({"limit_per_day": 1}, "limit_reached"),
    ({"limit_per_week": 1}, "limit_reached"), ({"limit_total": 1}, "limit_reached"),
    ({"budget_per_day_cents": 5_900}, "budget_exhausted"), ({"budget_cents": 5_900}, "budget_exhausted"),
])
def test_an_offer_that_the_till_would_refuse_for_its_limits_is_refused_here(
    database: Database, now: datetime, limits: dict[str, Any], reason: str
) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, **limits)
    one, two = (make_codes(database, offer, [1], now=now, origin=origin)[0].code for origin in "ab")
    asked = ask("", "basket", customer="c1")
    assert said(database, offer.key, asked, now) == []
    assert use(database, ask(one, customer="c1"), now=now).status == 201
    assert said(database, offer.key, asked, now) == [(reason, "limits")]
    assert use(database, ask(two, "basket", customer="c1"), now=now).reason == reason
    other = ask("", "basket", customer="c2")
    assert said(database, offer.key, other, now) == ([] if "limit_per_customer" in limits else [(reason, "limits")])
    later = now + timedelta(days=40)
    by_period = any("per_day" in name or "per_week" in name for name in limits)
    assert said(database, offer.key, asked, later) == ([] if by_period else [(reason, "limits")])


def test_a_discount_that_the_budget_still_covers_is_given(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, budget_cents=1_000)
    assert said(database, offer.key, ask("", "basket"), now) == [("budget_exhausted", "limits")]
    assert said(database, offer.key, ask("", "basket", lines=(LAMP,)), now) == []


def test_reservations_count_until_their_instant_and_nothing_is_written(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_total=1, limit_per_customer=1)
    [code] = make_codes(database, offer, [1], now=now)
    deciding(database, lambda connection: reserve(connection, ask(code.code), ttl_seconds=60, now=now), now=now)
    asked = ask("", "basket", customer="c1")
    assert said(database, offer.key, asked, now) == [("limit_reached", "limits")]
    over = now + timedelta(seconds=60)
    assert said(database, offer.key, asked, over) == []
    assert said(database, code.code, ask(code.code, "basket"), over) == []
    assert said(database, code.code, ask(code.code, "basket"), now) == [("limit_reached", "code")]
    assert said(database, offer.key, asked, now) == [("limit_reached", "limits")]
    with database.reading() as session:
        assert drift(session.connection()) == []

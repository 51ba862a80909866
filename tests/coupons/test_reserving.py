"""A use held for a basket: it counts until its instant, is spent by redeeming, and passes no limit."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Invalid, NotFound
from coupons.checks.invariants import broken
from coupons.models import Code, LimitUse, Offer, Reservation
from coupons.offers.counters import recount
from coupons.offers.offers import save_offer
from coupons.till.redeeming import roll_back, validate
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.reserving import asking, deciding, free_lapsed, release, reserve
from tests.coupons.factories import LAMP, ask, make_codes, make_customers, make_offer, use


def hold(database: Database, request: RedemptionRequest, *, now: datetime, seconds: int = 600) -> Answer:
    """Reserve in a transaction of its own."""
    return deciding(
        database, lambda connection: reserve(connection, request, ttl_seconds=seconds, now=now), now=now)


def counters(database: Database, code_id: int) -> tuple[int, int, int, int, int, int]:
    """Used and reserved of the code and of its offer, cents spent and cents reserved."""
    with database.reading() as session:
        code = session.get_one(Code, code_id)
        offer = session.get_one(Offer, code.offer_id)
        assert broken(session.connection()) == []
        return code.used, code.reserved, offer.used, offer.reserved, offer.spent_cents, offer.reserved_cents


def test_a_reservation_holds_a_use_and_redeeming_its_order_spends_it(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_total=1, budget_cents=5800, limit_per_customer=1)
    [code] = make_codes(database, offer, [1], now=now)
    held = hold(database, ask(code.code), now=now)
    assert held.status == 201
    assert held.body["id"].startswith("v_")
    assert held.body["expires_at"] == "2026-03-02T10:10:00Z"
    assert counters(database, code.code_id) == (0, 1, 0, 1, 0, 5800)
    assert use(database, ask(code.code, "o2"), now=now).reason == "limit_reached"
    assert hold(database, ask(code.code, "o2"), now=now).reason == "limit_reached"
    assert use(database, ask(code.code), now=now).status == 201
    assert counters(database, code.code_id) == (1, 0, 1, 0, 5800, 0)
    with database.reading() as session:
        assert session.scalars(select(Reservation.state)).all() == ["spent"]
        assert session.scalars(select(LimitUse.used)).all() == [1]


def test_a_reservation_is_spent_by_its_id_when_the_order_got_its_number_later(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    held = hold(database, ask(code.code, "basket-7"), now=now).body["id"]
    named = RedemptionRequest(code.code, ask(code.code, "o-9").order, reservation=held)
    assert use(database, ask(code.code, "o-9"), now=now).reason == "limit_reached"
    assert use(database, named, now=now).status == 201
    assert counters(database, code.code_id)[:2] == (1, 0)


def test_a_lapsed_reservation_is_counted_by_nobody_from_its_instant_on(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, limit_total=1, budget_cents=5800)
    one, two = make_codes(database, offer, [1, 2], now=now)
    hold(database, ask(one.code, "o1"), now=now, seconds=60)
    end = now + timedelta(seconds=60)

    def foreseen(at: datetime) -> Any:
        return asking(database, lambda connection: validate(connection, two.code, ask(two.code, "o2"), now=at), now=at)

    before = end - timedelta(microseconds=1)
    assert foreseen(before)["reason"] == "limit_reached"
    assert use(database, ask(two.code, "o2"), now=before).reason == "limit_reached"
    assert foreseen(end)["valid"] is True
    assert use(database, ask(two.code, "o3"), now=end).status == 201
    assert counters(database, one.code_id) == (0, 0, 1, 0, 5800, 0)


def test_redeeming_at_the_very_end_has_one_winner(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    hold(database, ask(code.code, "o1"), now=now, seconds=60)
    end = now + timedelta(seconds=60)
    assert use(database, ask(code.code, "o2"), now=end).status == 201
    assert use(database, ask(code.code, "o1"), now=end).reason == "already_redeemed"
    assert counters(database, code.code_id)[:2] == (1, 0)


def test_the_duty_frees_what_has_lapsed_and_running_twice_frees_nothing_more(
    database: Database, now: datetime
) -> None:
    customers = make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, limit_total=3, limit_per_customer=1, limit_per_code=2)
    codes = make_codes(database, offer, customers, now=now)
    for number, code in enumerate(codes):
        hold(database, ask(code.code, f"o{number}"), now=now, seconds=60 * (number + 1))
    later = now + timedelta(seconds=120)
    assert free_lapsed(database, now=later) == 2
    assert free_lapsed(database, now=later) == 0
    with database.reading() as session:
        assert session.scalars(select(Reservation.state).order_by(Reservation.id)).all() == [
            "lapsed", "lapsed", "held"]
        settled = session.scalars(select(Reservation.settled_at).order_by(Reservation.id)).first()
        assert settled == now + timedelta(seconds=60)
    assert counters(database, codes[2].code_id)[:4] == (0, 1, 0, 1)


def test_asking_again_renews_the_same_reservation_for_the_basket_as_it_is_then(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, budget_cents=10_000)
    [code] = make_codes(database, offer, [1], now=now)
    first = hold(database, ask(code.code), now=now)
    later = now + timedelta(seconds=30)
    again = hold(database, ask(code.code, lines=(LAMP,)), now=later)
    assert (again.status, again.body["id"], again.body["discount_cents"]) == (200, first.body["id"], 800)
    assert again.body["expires_at"] == "2026-03-02T10:10:30Z"
    assert counters(database, code.code_id) == (0, 1, 0, 0 + 1, 0, 800)


def test_a_reservation_outlives_the_codes_own_end_but_is_not_renewed_after_it(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    one, two = make_codes(database, make_offer(database, now=now, valid_days=1), [1, 2], now=now)
    eve = now + timedelta(days=1, seconds=-10)
    for code, order in ((one, "o1"), (two, "o2")):
        assert hold(database, ask(code.code, order), now=eve).status == 201
    after = now + timedelta(days=1, seconds=10)
    assert use(database, ask(one.code, "o1"), now=after).status == 201
    assert hold(database, ask(two.code, "o2"), now=after).reason == "expired"


def test_releasing_gives_back_at_once_and_can_be_repeated(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_total=1, budget_cents=5800)
    [code] = make_codes(database, offer, [1], now=now)
    held = hold(database, ask(code.code), now=now).body["id"]
    for _ in range(2):
        body = database.small(lambda connection: release(connection, held, now=now))
        assert (body["id"], body["state"]) == (held, "released")
    assert counters(database, code.code_id) == (0, 0, 0, 0, 0, 0)
    assert use(database, ask(code.code, "o2"), now=now).status == 201
    with pytest.raises(NotFound):
        database.small(lambda connection: release(connection, "v_none", now=now))


def test_a_budget_too_small_for_the_grown_basket_refuses_and_keeps_the_reservation(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, budget_cents=1000)
    [code] = make_codes(database, offer, [1], now=now)
    assert hold(database, ask(code.code, lines=(LAMP,)), now=now).status == 201
    assert use(database, ask(code.code), now=now).reason == "budget_exhausted"
    assert counters(database, code.code_id) == (0, 1, 0, 1, 0, 800)
    assert use(database, ask(code.code, lines=(LAMP,)), now=now).status == 201


def test_limits_set_while_something_is_reserved_count_it(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    one, two = make_codes(database, offer, [1, 2], now=now)
    hold(database, ask(one.code, "o1"), now=now)
    with database.writing() as session:
        save_offer(session, offer.key, name="x", kind="percent", percent=10, limit_total=1, limit_per_customer=1,
                   budget_cents=5800, now=now)
    assert counters(database, one.code_id) == (0, 1, 0, 1, 0, 5800)
    assert use(database, ask(two.code, "o2"), now=now).reason == "limit_reached"
    assert use(database, ask(one.code, "o1"), now=now).status == 201
    assert counters(database, one.code_id) == (1, 0, 1, 0, 5800, 0)


def test_a_limit_below_what_was_used_and_is_reserved_is_refused(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, limit_total=9, budget_cents=99_999)
    one, two = make_codes(database, offer, [1, 2], now=now)
    use(database, ask(one.code, "o1"), now=now)
    hold(database, ask(two.code, "o2"), now=now)

    def limit(**limits: int) -> str:
        try:
            with database.writing() as session:
                save_offer(session, offer.key, name="x", kind="percent", percent=10, now=now, **limits)
        except Invalid as error:
            return str(error)
        return ""

    assert limit(limit_total=1) == (
        "limit_total: 1 use was made already and 1 more are reserved. Set at least 2; then no more are accepted.")
    assert limit(budget_cents=11_599) == (
        "budget_cents: 5800 cents were given already and 5800 more are reserved. Set at least 11600; then no more are "
        "given.")
    assert limit(limit_total=2, budget_cents=11_600) == ""
    assert counters(database, one.code_id)[2:4] == (1, 1)


def test_a_reservation_that_lapsed_unfreed_does_not_stand_in_the_way_of_its_own_order(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=3), [1], now=now)
    first = hold(database, ask(code.code), now=now, seconds=60)
    again = hold(database, ask(code.code), now=now + timedelta(seconds=90))
    assert (first.status, again.status) == (201, 201)
    assert first.body["id"] != again.body["id"]
    assert counters(database, code.code_id)[:2] == (0, 1)


def test_an_order_that_has_redeemed_reserves_no_more(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=5), [1], now=now)
    use(database, ask(code.code), now=now)
    assert hold(database, ask(code.code), now=now).reason == "already_redeemed"


PERIODS: list[tuple[dict[str, Any], timedelta, timedelta]] = [
    ({"limit_per_day": 1}, timedelta(hours=12), timedelta(hours=13)),
    ({"limit_per_week": 1}, timedelta(days=6, hours=12), timedelta(days=6, hours=13)),
    ({"limit_per_month": 1}, timedelta(days=29, hours=11), timedelta(days=29, hours=12)),
    ({"limit_per_customer": 1, "customer_period": "day"}, timedelta(hours=12), timedelta(hours=13)),
]


def limit(database: Database, offer: Offer, **columns: Any) -> None:
    """Set columns of an offer as saving it would, and count anew."""
    with database.writing() as session:
        stored = session.get_one(Offer, offer.id)
        for name, value in columns.items():
            setattr(stored, name, value)
        stored.updated_at += timedelta(microseconds=1)
        session.flush()
        recount(session.connection(), offer.id)


@pytest.mark.parametrize(("columns", "same", "following"), PERIODS)
def test_limits_per_period_count_calendar_periods_in_the_offers_zone(
    database: Database, now: datetime, columns: dict[str, Any], same: timedelta, following: timedelta
) -> None:
    """10:00 UTC on Monday 2 March is 11:00 in Berlin: its day ends 13 hours later, its week on Sunday night, and March
    29 days and 12 hours later, for by then summer time has begun."""
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=9)
    [code] = make_codes(database, offer, [1], now=now)
    limit(database, offer, zone="Europe/Berlin", **columns)
    assert use(database, ask(code.code, "o1"), now=now).status == 201
    assert use(database, ask(code.code, "o2"), now=now + same).reason == "limit_reached"
    done = use(database, ask(code.code, "o3"), now=now + following)
    assert done.status == 201
    assert counters(database, code.code_id)[0] == 2
    database.small(lambda connection: roll_back(connection, done.body["id"], now=now + timedelta(days=90)))
    assert use(database, ask(code.code, "o4"), now=now + following).status == 201
    assert counters(database, code.code_id)[0] == 2


def test_a_budget_per_day_covers_what_is_reserved_too(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=9)
    [code] = make_codes(database, offer, [1], now=now)
    limit(database, offer, budget_per_day_cents=6600)
    assert hold(database, ask(code.code, "o1", lines=(LAMP,)), now=now).status == 201
    assert use(database, ask(code.code, "o2"), now=now).status == 201
    assert use(database, ask(code.code, "o3", lines=(LAMP,)), now=now).reason == "budget_exhausted"
    assert use(database, ask(code.code, "o1", lines=(LAMP,)), now=now).status == 201
    assert counters(database, code.code_id)[0] == 2


def test_one_e_mail_address_is_one_customer_where_the_offer_says_so(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, limit_per_customer=1)
    one, two, three = make_codes(database, offer, [1, 2, 3], now=now)
    limit(database, offer, customer_is="email")
    assert use(database, ask(one.code, "o1", email="Guest@Example.com"), now=now).status == 201
    assert use(database, ask(two.code, "o2", email="guest@example.com "), now=now).reason == "limit_reached"
    assert use(database, ask(two.code, "o2"), now=now).status == 201  # the holder's own address
    assert use(database, ask(three.code, "o3", email="c2@example.com"), now=now).reason == "limit_reached"
    assert counters(database, one.code_id)[:2] == (1, 0)

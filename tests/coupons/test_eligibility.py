"""Baskets and offers: what speaks against an order, and what the facts book adds to what the shop says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from coupons.models import Offer
from coupons.offers.discount import Line
from coupons.offers.eligibility import Basket, Companion, goes_with, left_for, objections, why_not
from coupons.offers.terms import Terms
from coupons.till.redeeming import validate
from coupons.till.requests import Order, RedemptionRequest
from customers.models import Order as BookedOrder
from customers.models import Product
from tests.coupons.factories import LAMP, SOFA, ask, make_codes, make_customers, make_offer, use

TEN = Terms(kind="percent", percent_bp=1000)
BASKET = Basket([SOFA, LAMP], 58_000, "EUR")
MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def terms(**rules: Any) -> Terms:
    return replace(TEN, **rules)


@pytest.mark.parametrize(("rules", "basket", "reason"), [
    ({}, {}, None),
    ({"minimum_cents": 58_000}, {}, None),
    ({"minimum_cents": 58_001}, {}, "minimum_not_met"),
    ({"minimum_cents": 1}, {"currency": "CHF"}, "not_applicable"),
    ({}, {"currency": "CHF"}, None),
    ({"minimum_items": 3}, {}, None),
    ({"minimum_items": 4}, {}, "minimum_not_met"),
    ({"minimum_items": 2, "categories": ["Furniture"]}, {}, "minimum_not_met"),
    ({"categories": ["garden"]}, {}, "not_applicable"),
    ({"skus": ["sofa-1"], "excluded_categories": ["lighting"]}, {}, None),
    ({"excluded_skus": ["SOFA-1", "LAMP-1"]}, {}, "not_applicable"),
    ({"brands": ["Kolm"]}, {}, "not_applicable"),
    ({"brands": ["kolm"]}, {"lines": [replace(SOFA, brand="KOLM")]}, None),
    ({"excluded_brands": ["kolm"]}, {"lines": [replace(SOFA, brand="KOLM")]}, "not_applicable"),
    ({"excludes_sale": True}, {"lines": [replace(SOFA, sale=True)]}, "not_applicable"),
    ({"excludes_sale": True}, {"lines": [replace(SOFA, sale=False)]}, None),
    ({}, {"lines": [replace(SOFA, non_discountable=True)]}, "not_applicable"),
    ({"first_order_only": True}, {"first_order": True}, None),
    ({"first_order_only": True}, {"first_order": False}, "not_applicable"),
    ({"first_order_only": True}, {}, "not_applicable"),
    ({"combines": "none"}, {}, None),
    ({"combines": "none"}, {"companions": [Companion("", "any", [])]}, "not_applicable"),
    ({}, {"companions": [Companion("", "none", [])]}, "not_applicable"),
    ({}, {"companions": [Companion("", "any", []), Companion("x", "any", [])]}, None),
    ({"kind": "free_item", "free_skus": ["lamp-1"], "free_items": 1}, {}, None),
    ({"kind": "free_item", "free_skus": ["pillow"], "free_items": 1}, {}, "not_applicable"),
    ({"kind": "free_item", "free_skus": ["lamp-1"], "free_items": 2, "categories": ["furniture"]}, {}, None),
    ({"kind": "free_item", "free_skus": ["lamp-1"], "free_items": 2, "categories": ["lighting"]}, {},
     "minimum_not_met"),
    ({"kind": "free_item", "free_skus": ["LAMP-1"], "free_items": 1, "minimum_items": 1, "skus": ["LAMP-1"]}, {}, None),
    ({"kind": "free_item", "free_skus": ["LAMP-1"], "free_items": 1, "minimum_items": 2, "skus": ["LAMP-1"]}, {},
     "minimum_not_met"),
    ({"kind": "fixed_price", "price_cents": 58_000}, {}, "not_applicable"),
    ({"kind": "fixed_price", "price_cents": 57_999}, {}, None),
    ({"kind": "free_shipping"}, {}, None),
    ({"kind": "free_shipping"}, {"shipping_cents": 0}, "not_applicable"),
    ({"kind": "free_shipping", "categories": ["garden"]}, {"shipping_cents": 490}, "not_applicable"),
])
def test_a_basket_gets_the_offer_or_hears_why_not(
    rules: dict[str, Any], basket: dict[str, Any], reason: str | None
) -> None:
    assert why_not(terms(**rules), replace(BASKET, **basket), MONDAY_NOON) == reason


def test_every_objection_names_its_rule() -> None:
    found = objections(terms(minimum_cents=60_000, categories=["garden"], weekdays=[2]), BASKET, MONDAY_NOON)
    assert [(each.reason, each.rule) for each in found] == [
        ("not_yet_valid", "weekdays"), ("minimum_not_met", "minimum_cents"), ("not_applicable", "goods")]


@pytest.mark.parametrize(("rules", "lines", "named"), [
    ({}, [replace(SOFA, quantity_milli=0)], ["goods"]), ({"categories": ["garden"]}, [], ["goods"]),
    ({"kind": "free_item", "free_skus": ["pillow"], "free_items": 1}, [SOFA], ["free_skus", "worth"]),
])
def test_goods_that_are_not_there_are_named_as_what_is_missing(
    rules: dict[str, Any], lines: list[Line], named: list[str]
) -> None:
    found = objections(terms(**rules), replace(BASKET, lines=lines), MONDAY_NOON)
    assert [(each.reason, each.rule) for each in found] == [("not_applicable", rule) for rule in named]


def test_other_codes_leave_nothing_when_they_took_more_than_there_is() -> None:
    spent = replace(BASKET, total_cents=1_000, companions=[Companion("", "any", [], 1_500)])
    assert left_for(TEN, spent) == 0
    assert left_for(TEN, replace(spent, total_cents=1_501)) == 1


@pytest.mark.parametrize(("start", "end", "open_at", "shut_at"), [
    (9 * 60, 17 * 60, [(9, 0), (16, 59)], [(8, 59), (17, 0)]), (600, 600, [(9, 59), (10, 0), (10, 1)], [])])
def test_hours_begin_with_their_first_minute_and_end_before_their_last(
    start: int, end: int, open_at: list[tuple[int, int]], shut_at: list[tuple[int, int]]
) -> None:
    """From an hour to itself is the whole day."""
    for hour, minute in [*open_at, *shut_at]:
        reason = why_not(terms(from_minute=start, until_minute=end), BASKET, MONDAY_NOON.replace(
            hour=hour, minute=minute))
        assert reason == (None if (hour, minute) in open_at else "not_yet_valid")


@pytest.mark.parametrize(("one", "other", "together"), [
    (("", "any", ()), ("", "any", ()), True),
    (("a", "any", ()), ("b", "classes", ("a",)), True),
    (("c", "any", ()), ("b", "classes", ("a",)), False),
    (("a", "classes", ("b",)), ("b", "classes", ("a",)), True),
    (("a", "classes", ("b",)), ("b", "classes", ("c",)), False),
    (("a", "none", ()), ("b", "classes", ("a",)), False),
])
def test_two_offers_go_together_when_each_admits_the_other(one: Any, other: Any, together: bool) -> None:
    assert goes_with(Companion(*one), Companion(*other)) is together
    assert goes_with(Companion(*other), Companion(*one)) is together


@pytest.mark.parametrize(("local", "opens"), [
    ((2026, 3, 6, 17, 59), False), ((2026, 3, 6, 18, 0), True), ((2026, 3, 7, 1, 59), True),
    ((2026, 3, 7, 2, 0), False), ((2026, 3, 7, 18, 0), False), ((2026, 3, 6, 1, 0), False)])
def test_a_night_belongs_to_the_weekday_it_began_on_in_the_offers_zone(local: Any, opens: bool) -> None:
    friday_night = terms(weekdays=[5], from_minute=18 * 60, until_minute=2 * 60, zone="Europe/Berlin")
    moment = datetime(*local, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert why_not(friday_night, BASKET, moment) == (None if opens else "not_yet_valid")


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(0, 1439), st.integers(1, 1440),
       st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
def test_hours_and_their_complement_share_no_moment_and_leave_none_out(
    naive: datetime, start: int, end: int, zone: str
) -> None:
    moment = naive.replace(tzinfo=UTC)
    if start == end % 1440:
        return
    inside = why_not(terms(from_minute=start, until_minute=end, zone=zone), BASKET, moment) is None
    outside = why_not(terms(from_minute=end % 1440, until_minute=start or 1440, zone=zone), BASKET, moment) is None
    assert inside is not outside


def _ask(code: str, **order: Any) -> RedemptionRequest:
    lines = order.pop("lines", (SOFA, LAMP))
    total = sum(line.amount_cents for line in lines)
    return RedemptionRequest(code, Order("o1", total, "EUR", lines, order.pop("shipping_cents", None)), **order)


def _foresee(database: Database, request: RedemptionRequest, now: datetime) -> Any:
    with database.reading() as session:
        return validate(session.connection(), request.code, request, now=now)


def test_what_the_facts_book_forbids_is_not_discounted_and_counts_as_on_sale_unless_the_shop_knows_better(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    with database.writing() as session:
        session.add(Product(sku="SOFA-1", non_discountable=True))
        session.add(Product(sku="LAMP-1", price_cents=5_000, sale_price_cents=4_000))
    plain = make_offer(database, now=now)
    no_sale = make_offer(database, now=now, key="no-sale")
    with database.writing() as session:
        session.get_one(Offer, no_sale.id).excludes_sale = True
    first, second = (make_codes(database, offer, [1], now=now)[0].code for offer in (plain, no_sale))
    found = _foresee(database, _ask(first), now)
    assert (found["discount_cents"], found["line_discounts_cents"]) == (800, [0, 800])
    insisting = (replace(SOFA, non_discountable=False), LAMP)
    assert _foresee(database, _ask(first, lines=insisting), now)["discount_cents"] == 800
    assert _foresee(database, _ask(second), now)["reason"] == "not_applicable"
    assert _foresee(database, _ask(second, lines=(SOFA, replace(LAMP, sale=False))), now)["discount_cents"] == 800
    assert use(database, _ask(first), now=now).body["discount_cents"] == 800


def test_an_offer_for_first_orders_asks_the_facts_book_and_the_ledger(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now)
    with database.writing() as session:
        session.get_one(Offer, offer.id).first_order_only = True
        for customer, cancelled in ((1, False), (2, True)):
            session.add(BookedOrder(external_id=f"old-{customer}", customer_id=customer, cancelled=cancelled,
                                    ordered_at=now - timedelta(days=9), currency="EUR", total_cents=1))
    one, two, three = make_codes(database, offer, [1, 2, 3], now=now)
    assert _foresee(database, _ask(one.code), now)["reason"] == "not_applicable"
    assert _foresee(database, _ask(one.code, customer_email="new@example.com"), now)["valid"]
    assert _foresee(database, _ask(three.code, customer_external_id="c1"), now)["reason"] == "not_applicable"
    assert use(database, _ask(two.code), now=now).status == 201
    [again] = make_codes(database, offer, [2], now=now, origin="again")
    assert use(database, replace(ask(again.code), order=Order("o2", 100, "EUR")), now=now).reason == "not_applicable"


def test_a_second_code_on_one_order_must_go_with_the_first(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    codes = {}
    for key, offer_class, combines, admitted in (("a", "goods", "classes", ["freight"]), ("b", "freight", "any", []),
                                                 ("c", "goods", "any", [])):
        offer = make_offer(database, now=now, key=key)
        with database.writing() as session:
            stored = session.get_one(Offer, offer.id)
            stored.offer_class, stored.combines, stored.combines_with = offer_class, combines, admitted
        codes[key] = make_codes(database, offer, [1], now=now)[0].code
    assert use(database, ask(codes["a"]), now=now).status == 201
    assert use(database, ask(codes["c"]), now=now).reason == "not_applicable"
    assert use(database, ask(codes["c"], "another"), now=now).status == 201
    assert use(database, ask(codes["b"]), now=now).status == 201
    assert use(database, ask(codes["a"]), now=now).status == 200


def test_free_shipping_is_worth_what_the_shop_says_it_costs(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    with database.writing() as session:
        stored = session.get_one(Offer, offer.id)
        stored.kind, stored.percent_bp = "free_shipping", None
    [code] = make_codes(database, offer, [1], now=now)
    silent = _foresee(database, _ask(code.code), now)
    assert (silent["valid"], silent["discount_cents"], silent["free_shipping"]) == (True, 0, True)
    assert _foresee(database, _ask(code.code, shipping_cents=0), now)["reason"] == "not_applicable"
    assert use(database, _ask(code.code, shipping_cents=590), now=now).body["discount_cents"] == 590


def test_free_shipping_and_a_code_for_goods_on_one_order_do_not_cut_each_other(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    freight = make_offer(database, now=now, key="freight", kind="free_shipping")
    gift = make_offer(database, now=now, key="gift", kind="fixed", amount_cents=58_000)
    half = make_offer(database, now=now, key="half", percent=50)
    one, again = (make_codes(database, freight, [1], now=now, origin=origin)[0].code for origin in "ab")
    whole, part = (make_codes(database, offer, [1], now=now)[0].code for offer in (gift, half))
    asked = _ask(one, shipping_cents=590)
    assert use(database, _ask(whole, shipping_cents=590), now=now).body["discount_cents"] == 58_000
    # The goods cost nothing any more; sending them does.
    assert _foresee(database, asked, now)["discount_cents"] == 590
    assert use(database, asked, now=now).body["discount_cents"] == 590
    assert use(database, _ask(part, shipping_cents=590), now=now).reason == "not_applicable"
    assert use(database, _ask(again, shipping_cents=590), now=now).reason == "not_applicable"
    assert use(database, _ask(again), now=now).reason == "not_applicable"


def test_what_free_shipping_took_off_leaves_the_goods_to_the_other_code(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    freight = make_offer(database, now=now, key="freight", kind="free_shipping")
    gift = make_offer(database, now=now, key="gift", kind="fixed", amount_cents=99_000)
    one, two = (make_codes(database, offer, [1], now=now)[0].code for offer in (freight, gift))
    assert use(database, _ask(one, shipping_cents=590), now=now).body["discount_cents"] == 590
    assert use(database, _ask(two, shipping_cents=590), now=now).body["discount_cents"] == 58_000


def test_what_a_shop_did_not_say_before_leaves_the_digest_of_a_request_as_it_was() -> None:
    request = RedemptionRequest("A", Order("o", 5, "EUR", (Line("s", "c", 1000, 5),)))
    assert request.digest == "e74d0f2bcf814ccc00b39d5232f508e56d0879bc1ad37db5c21f89c213e18a3d"
    said = replace(request, order=replace(request.order, shipping_cents=0))
    assert said.digest != request.digest

"""Offers: what may be saved, what may change once codes are out, and how they are said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from coupons.checks.invariants import broken
from coupons.models import Offer
from coupons.offers.offers import list_offers, offer_by_key, save_offer
from coupons.offers.wording import offer_words
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


@pytest.mark.parametrize(("fields", "place"), [
    ({"percent": 0}, "percent"), ({"percent": 100.01}, "percent"), ({"percent": "ten"}, "percent"),
    ({"percent": float("nan")}, "percent"), ({"percent": 0.001}, "percent"), ({"percent": None}, "percent"),
    ({"kind": "gift"}, "kind"), ({"amount_cents": 5}, "amount_cents"),
    ({"kind": "fixed"}, "amount_cents"), ({"kind": "fixed", "amount_cents": 0}, "amount_cents"),
    ({"kind": "fixed", "amount_cents": 2**70}, "amount_cents"), ({"minimum_cents": -1}, "minimum_cents"),
    ({"cap_cents": 0}, "cap_cents"), ({"currency": "euro"}, "currency"), ({"currency": "XQX"}, "currency"),
    ({"holder": "maybe"}, "holder"), ({"limit_per_code": 0}, "limit_per_code"),
    ({"limit_per_customer": 0}, "limit_per_customer"),
    ({"limit_total": True}, "limit_total"), ({"budget_cents": 2**63}, "budget_cents"),
    ({"valid_days": 0}, "valid_days"),
    ({"categories": ["a"], "excluded_categories": ["A"]}, "excluded_categories"), ({"categories": [" "]}, "categories"),
    ({"prefix": "OIL"}, "prefix"), ({"name": " "}, "name"),
    ({"pattern": "SALE-####"}, "pattern"), ({"pattern": "OIL-########"}, "pattern"),
    ({"pattern": "########", "prefix": "A"}, "prefix"),
    ({"valid_from": datetime(2026, 1, 1)}, "valid_from"), ({"valid_until": datetime(1999, 1, 1, tzinfo=UTC)},
                                                            "valid_until"),
    ({"kind": "free_item"}, "free_skus"), ({"kind": "free_item", "free_skus": ["a"], "free_items": 0}, "free_items"),
    ({"kind": "fixed_price"}, "price_cents"), ({"kind": "free_shipping", "percent": 10}, "percent"),
    ({"price_cents": 5}, "price_cents"), ({"free_skus": ["a"]}, "free_skus"), ({"free_items": 1}, "free_items"),
    ({"minimum_items": 0}, "minimum_items"), ({"skus": ["a"], "excluded_skus": ["A"]}, "excluded_skus"),
    ({"brands": ["a"], "excluded_brands": ["A"]}, "excluded_brands"), ({"skus": ["x" * 101]}, "skus"),
    ({"brands": [str(number) for number in range(2001)]}, "brands"), ({"combines": "all"}, "combines"),
    ({"combines": "classes"}, "combines_with"), ({"combines_with": ["a"]}, "combines_with"),
    ({"combines": "classes", "combines_with": ["Frei Haus"]}, "combines_with"), ({"offer_class": "ÖL"}, "offer_class"),
    ({"customer_period": "day"}, "limit_per_customer"), ({"customer_period": "year"}, "customer_period"),
    ({"customer_is": "name"}, "customer_is"), ({"limit_per_day": 0}, "limit_per_day"),
    ({"budget_per_week_cents": -1}, "budget_per_week_cents"), ({"weekdays": [0]}, "weekdays"),
    ({"weekdays": [8]}, "weekdays"), ({"weekdays": [True]}, "weekdays"), ({"from_minute": 60}, "until_minute"),
    ({"until_minute": 60}, "from_minute"), ({"from_minute": 0, "until_minute": 1440}, "until_minute"),
    ({"from_minute": 1440, "until_minute": 60}, "from_minute"), ({"zone": "Europe/Lübeck"}, "zone"),
    ({"return_rule": "reverse"}, "return_rule"), ({"return_rule": "burn", "minimum_cents": 1}, "return_rule"),
])
def test_terms_that_make_no_sense_are_refused_naming_the_field(
    sqlite_database: Database, now: datetime, fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make_offer(sqlite_database, now=now, **fields)
    assert refused.value.place == place


def test_an_end_before_the_beginning_and_a_key_with_spaces_are_refused(
    sqlite_database: Database, now: datetime
) -> None:
    with pytest.raises(Invalid, match="after the beginning"):
        make_offer(sqlite_database, now=now, valid_from=now, valid_until=now)
    with pytest.raises(Invalid, match="small letters"):
        make_offer(sqlite_database, now=now, key="Ten Percent")
    with sqlite_database.reading() as session, pytest.raises(NotFound, match="ten-percent"):
        offer_by_key(session, "ten-percent")


def test_the_second_of_two_tabs_is_told_that_somebody_saved(database: Database, now: datetime) -> None:
    seen = make_offer(database, now=now).updated_at
    make_offer(database, now=now, name="First tab", expected_updated_at=seen)
    with pytest.raises(Conflict, match="meanwhile"):
        make_offer(database, now=now, name="Second tab", expected_updated_at=seen)
    with database.reading() as session:
        assert [offer.name for offer in list_offers(session)] == ["First tab"]


def test_what_codes_are_worth_cannot_change_once_they_are_out_but_limits_can(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    make_offer(database, now=now, percent=12)
    [code] = make_codes(database, offer, [1], now=now)
    for change in ({"percent": 15}, {"minimum_cents": 1}, {"categories": ["a"]}, {"limit_per_code": 2}):
        with pytest.raises(Conflict, match="new offer") as refused:
            make_offer(database, now=now, **{"percent": 12, **change})
        assert refused.value.place in ("percent_bp", *change)
    use(database, ask(code.code), now=now)
    make_offer(database, now=now, percent=12, name="New name", limit_total=1)
    with pytest.raises(Invalid, match="given already"):
        make_offer(database, now=now, percent=12, budget_cents=1)


def test_a_new_offer_marks_other_holders_and_one_that_is_saved_again_keeps_its_rule(
    database: Database, now: datetime
) -> None:
    assert make_offer(database, now=now).holder == "flag"
    make_offer(database, now=now, holder="off")
    assert make_offer(database, now=now, name="Again").holder == "off"


def test_every_rule_comes_back_as_it_was_given(database: Database, now: datetime) -> None:
    given: dict[str, Any] = {
        "kind": "free_item", "percent": None, "free_skus": ["P-1", "P-2"], "free_items": 2, "minimum_items": 3,
        "skus": ["S"], "excluded_skus": ["T"], "brands": ["Kolm"], "excluded_brands": ["Noname"], "excludes_sale": True,
        "shops": ["s1"], "first_order_only": True, "offer_class": "goods", "combines": "classes",
        "combines_with": ["freight"],
        "limit_per_customer": 2, "customer_period": "month", "customer_is": "address", "limit_per_day": 10,
        "limit_per_week": 20, "limit_per_month": 30, "budget_per_day_cents": 1, "budget_per_week_cents": 2,
        "budget_per_month_cents": 3, "weekdays": [6, 7], "from_minute": 1200, "until_minute": 120,
        "zone": "Europe/Berlin", "holder": "enforce", "return_rule": "recalculate"}
    make_offer(database, now=now, **given)
    with database.reading() as session:
        stored = offer_by_key(session, "ten-percent")
        found = {field: getattr(stored, field) for field in given if field != "percent"}
        assert found == {field: value for field, value in given.items() if field != "percent"}
    assert make_offer(database, now=now, weekdays=[7, 6, 5, 4, 3, 2, 1]).weekdays == []


def test_offers_are_said_in_english_and_german(sqlite_database: Database, now: datetime) -> None:
    def said(key: str, language: str, **fields: Any) -> str:
        return offer_words(make_offer(sqlite_database, now=now, key=key, **fields), language).replace("\xa0", " ")

    furniture = {"categories": ["furniture"], "minimum_cents": 15_000}
    assert said("a", "en", **furniture) == "10 % off furniture from €150"
    assert said("a", "de", **furniture) == "10 % auf furniture ab 150 €"
    assert said("b", "en", kind="fixed", amount_cents=1550) == "€15.50 off"
    assert said("b", "de", kind="fixed", amount_cents=1550) == "15,50 € Rabatt"
    assert said("c", "de", percent=12.5, categories=["a", "b", "c"]) == "12,5 % auf a, b und c"
    price = {"kind": "fixed_price", "percent": None, "price_cents": 5_000, "brands": ["Kolm"], "minimum_items": 3}
    assert said("d", "en", **price) == "Kolm for €50 from 3 items"
    assert said("d", "de", **price) == "Kolm für 50 € ab 3 Stück"
    gift = {"kind": "free_item", "percent": None, "free_skus": ["P-1", "P-2"], "free_items": 2,
            "categories": ["furniture"]}
    assert said("e", "en", **gift) == "2 × P-1 or P-2 free with furniture"
    assert said("e", "de", **gift) == "2 × P-1 oder P-2 gratis zu furniture"
    freight = {"kind": "free_shipping", "percent": None, "minimum_cents": 5_000}
    assert said("f", "en", **freight) == "free shipping from €50"
    assert said("f", "de", **freight) == "kostenloser Versand ab 50 €"
    assert said("g", "en", skus=["a", "b", "c", "d"]) == "10 % off chosen goods"


def test_a_new_offer_with_an_expected_state_is_refused(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session, pytest.raises(Conflict):
        save_offer(session, "gone", name="x", kind="percent", percent=1, expected_updated_at=now, now=now)


def test_a_customers_or_days_limit_lowered_below_its_uses_is_no_fault_until_one_more_is_accepted(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_customer=9, limit_per_day=9)
    codes = [make_codes(database, offer, [1], now=now, origin=f"r{turn}")[0].code for turn in range(4)]
    assert [use(database, ask(codes[turn], f"o{turn}"), now=now).status for turn in range(2)] == [201, 201]

    def limited(at: datetime, **limits: int) -> list[str]:
        with database.writing() as session:
            save_offer(session, offer.key, name="x", kind="percent", percent=10, now=at, **limits)
        with database.reading() as session:
            return [one.invariant for one in broken(session.connection())]

    later = now + timedelta(hours=1)
    assert limited(later, limit_per_customer=1, limit_per_day=1) == []
    assert use(database, ask(codes[2], "o2"), now=later).reason == "limit_reached"
    # A use that slips in after all, by whatever fault, is seen: once for the customer, once for the day.
    with database.writing() as session:
        session.execute(update(Offer).values(
            limit_per_customer=9, limit_per_day=9, updated_at=later + timedelta(seconds=1)))
    assert use(database, ask(codes[3], "o3"), now=later + timedelta(minutes=5)).status == 201
    with database.writing() as session:
        session.execute(update(Offer).values(limit_per_customer=1, limit_per_day=1))
    with database.reading() as session:
        assert [one.invariant for one in broken(session.connection())] == ["limits", "limits"]

"""Conditions that cannot lie: every rule of an offer is told, in English and in German, and changes with it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from coupons.codes.showing import names_for, offer_body
from coupons.models import Offer
from coupons.offers.checking import HOLDERS, KINDS, Given
from coupons.offers.conditions import TELLERS, UNTOLD, offer_terms
from customers.models import Product
from tests.coupons.factories import make_offer

TOLD = {column for columns, _tell in TELLERS for column in columns}
PLAIN: dict[str, Any] = {
    "key": "k", "name": "n", "kind": "percent", "percent_bp": 1000, "currency": "EUR", "minimum_cents": 1000,
    "free_skus": [], "categories": [], "excluded_categories": [], "skus": [], "excluded_skus": [], "brands": [],
    "excluded_brands": [], "shops": [],
    "excludes_sale": False, "first_order_only": False, "combines": "any", "combines_with": [],
    "limit_per_code": 1, "limit_per_customer": 2, "customer_is": "id", "weekdays": [], "zone": "UTC",
    "holder": "flag", "return_rule": "keep"}
GIFT = {"kind": "free_item", "percent_bp": None, "free_skus": ["P-1"], "free_items": 1}
CHANGES: dict[str, tuple[dict[str, Any], Any]] = {
    "kind": ({}, "free_shipping"), "percent_bp": ({}, 1500),
    "amount_cents": ({"kind": "fixed", "percent_bp": None, "amount_cents": 500}, 600),
    "price_cents": ({"kind": "fixed_price", "percent_bp": None, "price_cents": 500}, 600),
    "free_skus": (GIFT, ["P-2"]), "free_items": (GIFT, 2), "currency": ({}, "CHF"), "minimum_cents": ({}, 2000),
    "minimum_items": ({}, 3), "cap_cents": ({}, 5000), "categories": ({}, ["a"]), "excluded_categories": ({}, ["a"]),
    "skus": ({}, ["a"]), "excluded_skus": ({}, ["a"]), "brands": ({}, ["a"]), "excluded_brands": ({}, ["a"]),
    "shops": ({}, ["a"]), "excludes_sale": ({}, True), "first_order_only": ({}, True), "combines": ({}, "none"),
    "combines_with": ({"combines": "classes", "combines_with": ["a"]}, ["b"]), "limit_per_code": ({}, 2),
    "limit_per_customer": ({}, 3), "customer_period": ({}, "day"), "customer_is": ({}, "email"),
    "limit_total": ({}, 9), "limit_per_day": ({}, 9), "limit_per_week": ({}, 9), "limit_per_month": ({}, 9),
    "budget_cents": ({}, 9), "budget_per_day_cents": ({}, 9), "budget_per_week_cents": ({}, 9),
    "budget_per_month_cents": ({}, 9), "valid_days": ({}, 14),
    "valid_from": ({}, datetime(2026, 5, 1, tzinfo=UTC)), "valid_until": ({}, datetime(2026, 5, 1, tzinfo=UTC)),
    "weekdays": ({}, [6, 7]), "from_minute": ({"from_minute": 540, "until_minute": 600}, 545),
    "until_minute": ({"from_minute": 540, "until_minute": 600}, 605), "zone": ({"limit_per_day": 5}, "Europe/Berlin"),
    "holder": ({}, "enforce"), "return_rule": ({}, "reverse"),
}
"""For each column that is told, an offer and another value of it."""


def test_every_column_of_an_offer_is_told_or_excused() -> None:
    columns = {column.key for column in Offer.__table__.columns}
    assert columns - TOLD == set(UNTOLD), "tell the new column in conditions.py, or say why nobody need know"
    assert set(CHANGES) == TOLD


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("column", sorted(CHANGES))
def test_the_conditions_change_with_the_rule(column: str, language: str) -> None:
    fields, other = CHANGES[column]
    before = Offer(**{**PLAIN, **fields})
    after = Offer(**{**PLAIN, **fields, column: other})
    said = offer_terms(before, language), offer_terms(after, language)
    assert said[0] != said[1]
    assert all(sentence.endswith(".") and "None" not in sentence for part in said for sentence in part)


def test_the_conditions_are_generated_from_what_is_stored(sqlite_database: Database, now: datetime) -> None:
    offer = make_offer(
        sqlite_database, now=now, categories=["furniture"], excluded_categories=["outlet"], minimum_cents=15_000,
        cap_cents=5_000, valid_days=14, valid_until=now + timedelta(days=60), limit_per_customer=1, limit_total=1000,
        limit_per_day=10, budget_cents=10**6, holder="enforce", weekdays=[5, 6], from_minute=1080, until_minute=120,
        zone="Europe/Berlin", excludes_sale=True, combines="none", return_rule="recalculate")
    assert [line.replace("\xa0", " ") for line in offer_terms(offer)] == [
        "10 % off the price of all goods it covers.", "For orders in EUR.", "For goods from: furniture.",
        "Not for goods from: outlet.", "Not for goods on sale.",
        "Not for goods that are never discounted, such as books at fixed prices.",
        "For orders of €150 or more, reckoned before this discount.", "At most €50 off one order.",
        "Valid for 14 days.", "Valid before 1 May 2026, 12:00 (Europe/Berlin time).",
        "Can be used only on Fridays and Saturdays from 18:00 to 02:00 on the next day (Europe/Berlin time).",
        "Each code can be used once.", "Once per customer.", "Limited to 1,000 uses in all.",
        "Limited to 10 uses a day.", "While this offer's budget lasts.",
        "Days, weeks and months are those of the calendar (Europe/Berlin time).",
        "Cannot be combined with other codes.", "Only for the person it was sent to.",
        "If a return leaves less than the minimum, the discount shrinks in proportion."]
    german = [line.replace("\xa0", " ") for line in offer_terms(offer, "de")]
    assert len(german) == 20
    assert "Einlösbar nur freitags und samstags von 18:00 bis 02:00 Uhr am nächsten Tag (Zeitzone Europe/Berlin)." in (
        german)


def test_products_are_told_by_the_names_that_customers_know(sqlite_database: Database, now: datetime) -> None:
    offer = make_offer(sqlite_database, now=now, kind="free_item", free_skus=["P-1", "P-2"], excluded_skus=["X"])
    with sqlite_database.writing() as session:
        session.add(Product(sku="P-1", name="Feather pillow"))
    with sqlite_database.reading() as session:
        assert names_for(session, offer) == {"P-1": "Feather pillow"}
        body = offer_body(session, offer)
    assert body["words"]["en"] == "Feather pillow or P-2 free"
    assert "Of these, 1 in the basket free, the cheapest first: Feather pillow, P-2." in body["terms"]["en"]
    assert "Nicht für diese Artikel: X." in body["terms"]["de"]


def test_an_offer_is_shown_with_every_rule_it_has(sqlite_database: Database, now: datetime) -> None:
    offer = make_offer(sqlite_database, now=now, from_minute=540, until_minute=1440)
    with sqlite_database.reading() as session:
        body = offer_body(session, offer)
    assert body["hours"] == {"from": "09:00", "until": "24:00"}
    under_other_names = {"percent_bp", "from_minute", "until_minute", "id", "used", "spent_cents", "reserved",
                         "reserved_cents"}
    unshown = {column.key for column in Offer.__table__.columns} - set(body) - under_other_names
    assert unshown == {"code_source", "low_stock"}  # the page of pools tells and sets them


def test_the_page_about_offers_names_every_field_and_kind() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "offers.md").read_text(encoding="utf-8")
    fields = {*Given.__annotations__, "hours"} - {"from_minute", "until_minute"}
    assert [name for name in sorted({*fields, *KINDS, *HOLDERS}) if f"`{name}`" not in page] == []

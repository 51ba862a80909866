"""Offers: what may be saved, what may change once codes are out, and how they are said."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from coupons.offers import list_offers, offer_by_key, save_offer
from coupons.wording import offer_terms, offer_words
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


@pytest.mark.parametrize(("fields", "place"), [
    ({"percent": 0}, "percent"), ({"percent": 100.01}, "percent"), ({"percent": "ten"}, "percent"),
    ({"percent": float("nan")}, "percent"), ({"percent": 0.001}, "percent"), ({"percent": None}, "percent"),
    ({"kind": "gift"}, "kind"), ({"amount_cents": 5}, "amount_cents"),
    ({"kind": "fixed"}, "amount_cents"), ({"kind": "fixed", "amount_cents": 0}, "amount_cents"),
    ({"kind": "fixed", "amount_cents": 2**70}, "amount_cents"), ({"minimum_cents": -1}, "minimum_cents"),
    ({"cap_cents": 0}, "cap_cents"), ({"currency": "euro"}, "currency"), ({"holder": "maybe"}, "holder"),
    ({"limit_per_code": 0}, "limit_per_code"), ({"limit_per_customer": 0}, "limit_per_customer"),
    ({"limit_total": True}, "limit_total"), ({"budget_cents": 2**63}, "budget_cents"),
    ({"valid_days": 0}, "valid_days"),
    ({"categories": ["a"], "excluded_categories": ["A"]}, "excluded_categories"), ({"categories": [" "]}, "categories"),
    ({"prefix": "OIL"}, "prefix"), ({"name": " "}, "name"),
    ({"valid_from": datetime(2026, 1, 1)}, "valid_from"),
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


def test_offers_are_said_in_english_and_german(sqlite_database: Database, now: datetime) -> None:
    def said(key: str, language: str, **fields: Any) -> str:
        return offer_words(make_offer(sqlite_database, now=now, key=key, **fields), language).replace("\xa0", " ")

    furniture = {"categories": ["furniture"], "minimum_cents": 15_000}
    assert said("a", "en", **furniture) == "10 % off furniture from €150"
    assert said("a", "de", **furniture) == "10 % auf furniture ab 150 €"
    assert said("b", "en", kind="fixed", amount_cents=1550) == "€15.50 off"
    assert said("b", "de", kind="fixed", amount_cents=1550) == "15,50 € Rabatt"
    assert said("c", "de", percent=12.5, categories=["a", "b", "c"]) == "12,5 % auf a, b und c"


def test_the_conditions_are_generated_from_what_is_stored(sqlite_database: Database, now: datetime) -> None:
    offer = make_offer(
        sqlite_database, now=now, categories=["furniture"], excluded_categories=["sale"], minimum_cents=15_000,
        cap_cents=5_000, valid_days=14, valid_until=now + timedelta(days=60), limit_per_customer=1, limit_total=1000,
        budget_cents=10**6, holder="enforce")
    terms = [line.replace("\xa0", " ") for line in offer_terms(offer)]
    assert terms == [
        "For goods from: furniture.", "Not for goods from: sale.",
        "For orders of €150 or more, reckoned before this discount.", "At most €50 off one order.",
        "Valid for 14 days.", "Valid before 1 May 2026 (UTC).", "Each code can be used once.", "Once per customer.",
        "Limited to 1,000 uses in all.", "While this offer's budget lasts.", "Only for the person it was sent to."]
    assert len(offer_terms(offer, "de")) == len(terms)


def test_a_new_offer_with_an_expected_state_is_refused(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session, pytest.raises(Conflict):
        save_offer(session, "gone", name="x", kind="percent", percent=1, expected_updated_at=now, now=now)

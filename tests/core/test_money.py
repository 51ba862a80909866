"""Amounts are written in one way, whoever writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Minor, amount_words
from coupons.offers.wording import money as offer_money
from reporting.wording import amount
from segments.telling.phrases import PHRASES
from web.wording.formatting import money


@pytest.mark.parametrize(("cents", "currency", "minor", "english", "german"), [
    (150_000, "EUR", "needed", "€1,500", "1.500\u00a0€"),
    (4_120, "EUR", "small", "€41.20", "41,20\u00a0€"),
    (9_000, "USD", "always", "US$90.00", "90,00\u00a0$"),
    (-1_250, "GBP", "needed", "−£12.50", "−12,50\u00a0£"),
    (99_999, "CHF", "small", "CHF\u00a01,000", "1.000\u00a0CHF"),
    (1_500, "JPY", "always", "JP¥1,500", "1.500\u00a0¥"),
    (0, "EUR", "small", "€0", "0\u00a0€"),
])
def test_an_amount_is_written_with_its_currency(
    cents: int, currency: str, minor: Minor, english: str, german: str
) -> None:
    assert amount_words(cents, currency, minor=minor) == english
    assert amount_words(cents, currency, minor=minor, language="de") == german


def test_a_half_is_rounded_up_and_a_sign_is_asked_for() -> None:
    assert amount_words(10_050, "EUR", minor="small") == "€101"
    assert amount_words(10_050, "EUR", minor="small", signed=True) == "+€101"
    assert amount_words(-0.2, "EUR", minor="always") == "€0.00"


@given(st.integers(-(10**11), 10**11), st.sampled_from(["EUR", "USD", "GBP", "CHF", "SEK"]))
def test_every_room_spells_an_amount_alike(cents: int, currency: str) -> None:
    assert money(cents, currency=currency) == amount(cents, currency)
    assert money(cents, currency=currency) == PHRASES["en"].money(cents, currency, rounded=True)
    assert offer_money(cents, currency, "de") == PHRASES["de"].money(cents, currency)

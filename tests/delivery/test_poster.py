"""A poster shows its code large enough, leads to the shop, and fits one page, or we say why not."""

import io
from dataclasses import replace
from datetime import datetime

import pytest
from pypdf import PdfReader

from delivery.channels.poster import Poster, draw_poster

POSTER = Poster(
    shop_name="Möbelhaus Süd", headline="10 % off furniture from €150", code="SUMMER-ULM",
    link="https://www.shop.example/cart?code=SUMMERULM", place="Ulm, Hirschstraße",
    terms=("10 % off the price of all goods it covers.", "Once per order.", "Valid until 1 May 2026."))


def _text(pdf: bytes) -> str:
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


def test_a_poster_says_what_where_and_under_which_conditions(now: datetime) -> None:
    drawn = draw_poster(POSTER, now=now)
    assert drawn.valid and drawn.pages == 1
    text = _text(drawn.pdf)
    for part in ("Möbelhaus Süd", "10 % off furniture", "With the code", "SUMMER-ULM", "Ulm, Hirschstraße",
                 "Scan it, or enter the code at shop.example", "Once per order."):
        assert part in text, part
    assert draw_poster(POSTER, now=now).pdf == drawn.pdf
    german = _text(draw_poster(replace(POSTER, language="de"), now=now).pdf)
    assert "Mit dem Code" in german and "eingeben auf shop.example" in german


def test_without_a_shop_the_square_holds_the_code_itself(now: datetime) -> None:
    drawn = draw_poster(replace(POSTER, link="SUMMERULM"), now=now)
    assert "Enter the code at the checkout" in _text(drawn.pdf)


@pytest.mark.parametrize("changes", [
    {"headline": "all goods from " + "a very long list of categories and " * 12},
    {"code": "W" * 64}, {"terms": ("One more condition that has to be read. " * 60,)}, {"shop_name": "x" * 300},
    {"place": "y" * 100, "terms": ()},
])
def test_whatever_is_long_stays_on_one_page(changes: dict[str, object], now: datetime) -> None:
    drawn = draw_poster(replace(POSTER, **changes), now=now)  # type: ignore[arg-type]
    assert drawn.valid and drawn.pages == 1


def test_signs_that_cannot_be_printed_are_named(now: datetime) -> None:
    drawn = draw_poster(replace(POSTER, shop_name="靴屋", place="\u202eكتب"), now=now)
    assert not drawn.valid and any("shop's name" in error and "on a poster" in error for error in drawn.errors)

"""Numbers, amounts and dates are written one way, as UX section 5 says; expected texts come from there."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import NBSP
from web.wording import formatting as f

TODAY = date(2026, 11, 22)


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


@pytest.mark.parametrize(
    ("cents", "english", "german"),
    [
        (150000, "€1,500", "1.500 €"),
        (4120, "€41.20", "41,20 €"),
        (9999, "€99.99", "99,99 €"),
        (10000, "€100", "100 €"),
        (0, "€0", "0 €"),
        (-3890, "−€38.90", "−38,90 €"),
        (1436049, "€14,360", "14.360 €"),
    ],
)
def test_money_is_whole_from_100_on_and_has_a_true_minus(cents: int, english: str, german: str) -> None:
    assert plain(f.money(cents)) == english
    assert plain(f.money(cents, language="de")) == german


def test_an_order_keeps_its_cents_and_an_effect_its_plus() -> None:
    assert f.money(124000, exact=True) == "€1,240.00"
    assert f.money(274, signed=True) == "+€2.74"
    assert f.money(0, signed=True) == "€0"


def test_currencies_keep_their_own_symbol_and_minor_units() -> None:
    assert f.money(150000, currency="GBP") == "£1,500"
    assert plain(f.money(150000, currency="CHF")) == "CHF 1,500"
    assert f.money(1500, currency="JPY").endswith("1,500")


def test_short_money_is_for_axes() -> None:
    assert f.money_short(941000, signed=True) == "+€9.4k"
    assert f.money_short(-40000, signed=True) == "−€400"
    assert f.money_short(2810000000) == "€28.1M"
    assert f.money_short(1500000) == "€15k"
    assert f.money_short(0) == "€0"
    assert plain(f.money_short(941000, language="de")) == "9,4 Tsd. €"


def test_a_rate_has_one_decimal_and_a_points_difference_its_sign() -> None:
    assert plain(f.rate(0.0864)) == "8.6 %"
    assert plain(f.rate(0.0864, language="de")) == "8,6 %"
    assert plain(f.points(0.032)) == "+3.2 points"
    assert plain(f.points(-0.0437, short=True)) == "−4.4 pts"
    assert plain(f.points(0.032, language="de")) == "+3,2 Punkte"


def test_halves_round_away_from_zero() -> None:
    assert f.number(Decimal("2.5")) == "3"
    assert f.number(Decimal("-2.5")) == "−3"
    assert f.number(1.005, decimals=2) == "1.01"


def test_an_estimate_carries_its_range() -> None:
    assert plain(f.estimate("267", "110", "398")) == "about 267 (95 %: 110 to 398)"
    assert plain(f.estimate("267", "110", "398", language="de")) == "etwa 267 (95 %: 110 bis 398)"
    assert plain(f.level_range("€60", "€390", level=0.8)) == "(80 %: €60 to €390)"


def test_a_shared_unit_is_written_once() -> None:
    assert plain(f.span(f.rate(0.071), f.rate(0.088))) == "7.1 to 8.8 %"
    assert plain(f.span(f.points(-0.044, short=True), f.points(0.056, short=True))) == "−4.4 to +5.6 pts"
    assert f.span("€1.24", "€4.24") == "€1.24 to €4.24"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_undefined_is_a_dash_never_a_zero(value: float | None) -> None:
    for write in (f.number, f.money, f.rate, f.points, f.p_value, f.money_short):
        assert write(value) == "–"
    assert f.day(None, today=TODAY) == "–"


def test_p_values_say_no_more_than_they_know() -> None:
    assert plain(f.p_value(0.00002)) == "< 0.001"
    assert plain(f.p_value(0.9999)) == "> 0.99"
    assert f.p_value(0.026) == "0.026"
    assert f.p_value(0.16) == "0.16"
    assert f.p_value(0.16, language="de") == "0,16"


def test_a_date_has_its_year_only_when_it_is_another_year() -> None:
    assert f.day(date(2026, 10, 9), today=TODAY) == "9 Oct"
    assert f.day(date(2027, 1, 22), today=TODAY) == "22 Jan 2027"
    assert f.day(date(2026, 9, 1), today=TODAY) == "1 Sep"
    assert f.day(date(2026, 10, 9), today=TODAY, language="de") == "9. Okt."


def test_an_instant_is_shown_in_the_zone_of_the_reader() -> None:
    late = datetime(2026, 10, 8, 22, 30, tzinfo=UTC)
    assert f.day(late, today=TODAY, zone="Europe/Berlin") == "9 Oct"
    assert f.clock_time(late, zone="Europe/Berlin") == "00:30"
    assert f.clock_time(datetime(2026, 11, 24, 10, 42, 7, tzinfo=UTC), seconds=True) == "10:42:07"
    now = datetime(2026, 10, 9, 5, 0, tzinfo=UTC)
    assert f.moment(late, now=now, zone="Europe/Berlin") == "today 00:30"
    assert f.moment(late, now=now) == "8 Oct 22:30"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        f.clock_time(datetime(2026, 1, 1))


def test_headlines_and_months() -> None:
    assert f.long_day(date(2026, 11, 24)) == "Tuesday, 24 November"
    assert f.month(date(2026, 11, 24)) == "November 2026"
    assert f.month(date(2026, 11, 24), language="de") == "November 2026"


@given(st.integers(-(10**12), 10**12))
def test_an_exact_amount_can_be_read_back(cents: int) -> None:
    text = f.money(cents, exact=True).replace("−", "-").replace("€", "").replace(",", "")
    assert int(Decimal(text) * 100) == cents

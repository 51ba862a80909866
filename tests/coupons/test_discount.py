"""Discounts in integer cents: half up, never above what they are reckoned on, split exactly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coupons.discount import Line, Terms, discount_cents, eligible_cents, is_eligible, split_over_lines

_LINES = st.lists(st.builds(
    Line, sku=st.just("s"), category=st.sampled_from(["a", "b", "c"]), quantity_milli=st.integers(0, 10_000),
    unit_price_cents=st.integers(0, 10**9)), max_size=8)
_NAMES = st.sets(st.sampled_from(["a", "b", "c"]), max_size=2)
_TERMS = st.one_of(
    st.builds(Terms, percent_bp=st.integers(1, 10_000), amount_cents=st.none(),
              cap_cents=st.none() | st.integers(1, 10**6), categories=_NAMES, excluded_categories=_NAMES),
    st.builds(Terms, percent_bp=st.none(), amount_cents=st.integers(1, 10**9),
              cap_cents=st.none() | st.integers(1, 10**6), categories=_NAMES, excluded_categories=_NAMES))


@given(_TERMS, _LINES, st.integers(0, 10**12))
def test_a_discount_is_never_negative_nor_above_eligible_lines_total_or_cap(
    terms: Terms, lines: list[Line], total: int
) -> None:
    discount = discount_cents(terms, lines, total)
    assert 0 <= discount <= total
    assert discount <= eligible_cents(terms, lines, total)
    if lines:
        assert discount <= sum(line.amount_cents for line in lines if is_eligible(terms, line))
    if terms.cap_cents is not None:
        assert discount <= terms.cap_cents


@given(st.integers(0, 10**12), st.integers(1, 10_000))
def test_a_percentage_is_the_exact_share_rounded_half_up(total: int, basis_points: int) -> None:
    exact = Fraction(total * basis_points, 10_000)
    assert discount_cents(Terms(basis_points, None), [], total) == int(exact + Fraction(1, 2))


@given(_TERMS, _LINES)
def test_the_parts_of_the_lines_add_up_and_none_exceeds_its_line(terms: Terms, lines: list[Line]) -> None:
    total = sum(line.amount_cents for line in lines)
    discount = discount_cents(terms, lines, total)
    parts = split_over_lines(discount, terms, lines)
    if lines:
        assert sum(parts) == discount
    for part, line in zip(parts, lines, strict=True):
        assert 0 <= part <= (line.amount_cents if is_eligible(terms, line) else 0)


@pytest.mark.parametrize(("total", "basis_points", "expected"), [(5, 1000, 1), (4, 1000, 0), (15, 1000, 2),
                                                                  (999, 3333, 333), (1, 10_000, 1)])
def test_half_a_cent_goes_up(total: int, basis_points: int, expected: int) -> None:
    assert discount_cents(Terms(basis_points, None), [], total) == expected


def test_an_order_without_lines_counts_whole_unless_categories_matter() -> None:
    assert discount_cents(Terms(1000, None), [], 1000) == 100
    assert discount_cents(Terms(1000, None, categories=["a"]), [], 1000) == 0
    assert discount_cents(Terms(None, 5000), [], 1000) == 1000
    assert discount_cents(Terms(None, 500, excluded_categories=["a"]), [], 1000) == 0

"""Discounts in integer cents: half up, never above their basis, split exactly, and as a plain model has them."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coupons.offers.discount import Line, discount_cents, eligible_cents, is_eligible, split_over_lines
from coupons.offers.terms import Terms
from coupons.till.returning import discount_after_return
from tests.conftest import PROOFS

_GOODS = st.sampled_from(["a", "B", "c"])
_LINES = st.lists(st.builds(
    Line, sku=st.sampled_from(["s", "t", "U"]), category=_GOODS, quantity_milli=st.integers(0, 10_000),
    unit_price_cents=st.integers(0, 10**9), brand=st.none() | _GOODS, sale=st.none() | st.booleans(),
    non_discountable=st.sampled_from([None, None, None, False, True])), max_size=8)
FEW = settings(max_examples=500 if PROOFS else 40)
_NAMES = st.sets(_GOODS, max_size=2)
_WORTH: list[dict[str, st.SearchStrategy[Any]]] = [
    {"kind": st.just("percent"), "percent_bp": st.integers(1, 10_000)},
    {"kind": st.just("fixed"), "amount_cents": st.integers(1, 10**9)},
    {"kind": st.just("fixed_price"), "price_cents": st.integers(0, 10**9)},
    {"kind": st.just("free_item"), "free_skus": st.sets(st.sampled_from(["S", "t"]), min_size=1),
     "free_items": st.integers(1, 5)},
    {"kind": st.just("free_shipping")},
]
_TERMS = st.one_of([
    st.builds(Terms, **worth, cap_cents=st.none() | st.integers(1, 10**6), categories=_NAMES,
              excluded_categories=_NAMES, brands=_NAMES, excluded_brands=_NAMES, skus=st.sets(st.just("s")),
              excluded_skus=st.sets(st.just("u")), excludes_sale=st.booleans(),
              minimum_items=st.none() | st.integers(1, 3), minimum_cents=st.none() | st.integers(1, 10**6),
              return_rule=st.sampled_from(["keep", "recalculate", "reverse"]))
    for worth in _WORTH])


def _named(value: str | None, names: Any) -> bool:
    return (value or "").lower() in {name.lower() for name in names}


def _covered_plainly(terms: Terms, line: Line) -> bool:
    """The rule of `is_eligible`, said again the long way."""
    for value, wanted, unwanted in ((line.category, terms.categories, terms.excluded_categories),
                                    (line.sku, terms.skus, terms.excluded_skus),
                                    (line.brand, terms.brands, terms.excluded_brands)):
        if wanted and not _named(value, wanted):
            return False
        if _named(value, unwanted):
            return False
    return not (line.non_discountable is True or (terms.excludes_sale and line.sale is True))


def _piece_by_piece(terms: Terms, lines: list[Line]) -> Fraction:
    """What is free, thousandth by thousandth in one sorted heap; rounded per line as a receipt would."""
    left, worth = Fraction(terms.free_items or 0), Fraction(0)
    fit = [line for line in lines if _named(line.sku, terms.free_skus) and line.non_discountable is not True
           and not (terms.excludes_sale and line.sale is True) and line.amount_cents > 0]
    for line in sorted(fit, key=lambda line: line.unit_price_cents):
        taken = min(left, Fraction(line.quantity_milli, 1000))
        worth += _half_up(taken * line.unit_price_cents)
        left -= taken
    return worth


def _half_up(exact: Fraction) -> int:
    return (exact + Fraction(1, 2)).__floor__()


def _naive(terms: Terms, lines: list[Line], total: int, shipping: int | None) -> int:
    """The discount by exact fractions and the definitions, without a thought for speed."""
    covered = Fraction(sum(line.amount_cents for line in lines if _covered_plainly(terms, line)))
    chooses = any((terms.categories, terms.excluded_categories, terms.skus, terms.excluded_skus, terms.brands,
                   terms.excluded_brands, terms.excludes_sale))
    if not lines:
        covered = Fraction(0 if chooses else total)
    covered = min(covered, Fraction(total))
    exact = {
        "percent": covered * Fraction(terms.percent_bp or 0, 10_000),
        "fixed": Fraction(terms.amount_cents or 0),
        "fixed_price": covered - (terms.price_cents or 0),
        "free_item": _piece_by_piece(terms, lines),
        "free_shipping": Fraction(shipping or 0),
    }[terms.kind]
    bounds = [Fraction(shipping or 0)] if terms.kind == "free_shipping" else [Fraction(total)]
    if terms.kind in ("percent", "fixed", "fixed_price"):
        bounds.append(covered)
    if terms.cap_cents is not None:
        bounds.append(Fraction(terms.cap_cents))
    return max(0, min([_half_up(exact), *(int(bound) for bound in bounds)]))


@pytest.mark.deeper
@FEW
@given(_TERMS, _LINES, st.integers(0, 10**12), st.none() | st.integers(0, 10**6))
def test_every_kind_of_discount_is_what_the_plain_model_says(
    terms: Terms, lines: list[Line], total: int, shipping: int | None
) -> None:
    assert discount_cents(terms, lines, total, shipping_cents=shipping) == _naive(terms, lines, total, shipping)
    assert [is_eligible(terms, line) for line in lines] == [_covered_plainly(terms, line) for line in lines]


@pytest.mark.deeper
@FEW
@given(_TERMS, _LINES, st.integers(0, 10**12))
def test_a_discount_is_never_negative_nor_above_eligible_lines_total_or_cap(
    terms: Terms, lines: list[Line], total: int
) -> None:
    discount = discount_cents(terms, lines, total)
    assert 0 <= discount <= total
    assert discount <= eligible_cents(terms, lines, total)
    if lines and terms.kind != "free_item":
        assert discount <= sum(line.amount_cents for line in lines if is_eligible(terms, line))
    if terms.cap_cents is not None:
        assert discount <= terms.cap_cents


@given(st.integers(0, 10**12), st.integers(1, 10_000))
def test_a_percentage_is_the_exact_share_rounded_half_up(total: int, basis_points: int) -> None:
    exact = Fraction(total * basis_points, 10_000)
    assert discount_cents(Terms(kind="percent", percent_bp=basis_points), [], total) == int(exact + Fraction(1, 2))


@pytest.mark.deeper
@FEW
@given(_TERMS, _LINES, st.integers(0, 10**12))
def test_the_parts_of_the_lines_add_up_and_none_exceeds_its_line(terms: Terms, lines: list[Line], total: int) -> None:
    discount = discount_cents(terms, lines, total)
    parts = split_over_lines(discount, terms, lines)
    if lines:
        assert sum(parts) == discount
    for part, line in zip(parts, lines, strict=True):
        assert 0 <= part <= line.amount_cents
        assert not (part and line.non_discountable)
        if terms.kind != "free_item" and not is_eligible(terms, line):
            assert part == 0


@pytest.mark.deeper
@FEW
@given(_TERMS, _LINES, st.data())
def test_after_a_return_no_more_stands_than_was_given_and_the_rules_stand_in_their_order(
    terms: Terms, lines: list[Line], data: st.DataObject
) -> None:
    kept = [data.draw(st.integers(0, line.quantity_milli)) for line in lines]
    left = [Line(line.sku, line.category, milli, line.unit_price_cents, line.brand, line.sale, line.non_discountable)
            for line, milli in zip(lines, kept, strict=True)]
    before_total, left_total = (sum(line.amount_cents for line in part) for part in (lines, left))
    given_cents = discount_cents(terms, lines, before_total, shipping_cents=490)
    stands = {
        rule: discount_after_return(
            Terms(**{**vars(terms), "return_rule": rule}), given_cents=given_cents, before=lines,
            before_total_cents=before_total, left=left, left_total_cents=left_total)
        for rule in ("keep", "recalculate", "reverse")}
    assert 0 <= stands["reverse"] <= min(stands["keep"], stands["recalculate"])
    assert max(stands.values()) <= given_cents
    if terms.kind != "free_shipping":
        assert max(stands.values()) <= left_total
    if left == lines and left_total >= (terms.minimum_cents or 0) and not terms.minimum_items and left_total:
        assert set(stands.values()) == {given_cents}


SHIRT, SOCKS, GIFT = (Line("SHIRT", "wear", 2000, 4_000), Line("SOCKS", "wear", 3000, 500),
                      Line("VOUCHER", "gifts", 1000, 5_000, non_discountable=True))


@pytest.mark.parametrize(("rule", "stands"), [("keep", 1500), ("recalculate", 450), ("reverse", 0)])
def test_a_return_below_the_minimum_keeps_recalculates_or_reverses_the_discount(rule: str, stands: int) -> None:
    terms = Terms(kind="fixed", amount_cents=1500, minimum_cents=5_000, return_rule=rule)
    asked: dict[str, Any] = {"given_cents": 1500, "before": [], "before_total_cents": 10_000, "left": []}
    assert discount_after_return(terms, **asked, left_total_cents=3_000) == stands
    assert discount_after_return(terms, **asked, left_total_cents=5_000) == 1500
    assert discount_after_return(terms, **asked, left_total_cents=0) == 0


def test_a_return_of_all_leaves_nothing_but_the_shipping_that_was_spent() -> None:
    asked: dict[str, Any] = {"given_cents": 490, "before": [], "before_total_cents": 10_000, "left": []}
    for left in (0, 3_000):
        assert discount_after_return(Terms(kind="free_shipping"), **asked, left_total_cents=left) == 490
    reversing = Terms(kind="free_shipping", minimum_cents=5_000, return_rule="reverse")
    assert discount_after_return(reversing, **asked, left_total_cents=3_000) == 0
    for rule in ("keep", "recalculate"):  # more was given back than the order was worth
        taken_back = Terms(kind="fixed", amount_cents=490, minimum_cents=5_000, return_rule=rule, categories={"wear"})
        assert discount_after_return(taken_back, **asked, left_total_cents=-5_000) == 0


@pytest.mark.parametrize("rule", ["keep", "recalculate"])
def test_where_nobody_says_which_goods_stay_the_totals_stand_for_them(rule: str) -> None:
    terms = Terms(kind="fixed", amount_cents=1_500, categories={"wear"}, minimum_cents=6_000, return_rule=rule)
    assert discount_after_return(terms, given_cents=1_500, before=[], before_total_cents=10_000, left=[],
                                 left_total_cents=5_000) == 750


def test_too_few_pieces_left_are_a_return_below_the_minimum_where_the_lines_are_known() -> None:
    terms = Terms(kind="fixed", amount_cents=1_000, minimum_items=3, return_rule="reverse")
    asked: dict[str, Any] = {"given_cents": 1_000, "before_total_cents": 9_500}
    for left, stands in ((SOCKS, 1_000), (SHIRT, 0)):
        assert discount_after_return(terms, **asked, before=[SHIRT, SOCKS], left=[left],
                                     left_total_cents=left.amount_cents) == stands
    assert discount_after_return(terms, **asked, before=[], left=[], left_total_cents=1_500) == 1_000


def test_a_share_that_stands_is_rounded_half_up_and_of_nothing_it_is_nothing() -> None:
    terms = Terms(kind="fixed", amount_cents=3, categories={"wear"})
    for before, left, stands in ((10_000, 5_000, 2), (10_000, 4_999, 1), (0, 100, 0)):
        assert discount_after_return(terms, given_cents=3, before=[], before_total_cents=before, left=[],
                                     left_total_cents=left) == stands


def test_the_cheapest_pieces_are_free_and_what_may_not_be_discounted_never_is() -> None:
    terms = Terms(kind="free_item", free_skus=["shirt", "SOCKS", "VOUCHER"], free_items=4)
    lines = [SHIRT, SOCKS, GIFT]
    assert discount_cents(terms, lines, 14_500) == 3 * 500 + 4_000
    assert split_over_lines(5_500, terms, lines) == [4_000, 1_500, 0]
    assert discount_cents(Terms(kind="percent", percent_bp=1000), lines, 14_500) == 950


def test_a_fixed_price_takes_off_what_the_covered_goods_cost_above_it() -> None:
    terms = Terms(kind="fixed_price", price_cents=6_000, categories=["wear"])
    assert discount_cents(terms, [SHIRT, SOCKS, GIFT], 14_500) == 9_500 - 6_000
    assert discount_cents(terms, [SOCKS], 1_500) == 0


def test_free_shipping_takes_off_what_sending_costs_up_to_its_cap() -> None:
    assert discount_cents(Terms(kind="free_shipping"), [SHIRT], 8_000, shipping_cents=590) == 590
    assert discount_cents(Terms(kind="free_shipping", cap_cents=490), [SHIRT], 8_000, shipping_cents=590) == 490
    assert discount_cents(Terms(kind="free_shipping"), [SHIRT], 8_000) == 0
    assert split_over_lines(590, Terms(kind="free_shipping"), [SHIRT]) == [0]


@pytest.mark.parametrize(("total", "basis_points", "expected"), [(5, 1000, 1), (4, 1000, 0), (15, 1000, 2),
                                                                  (999, 3333, 333), (1, 10_000, 1)])
def test_half_a_cent_goes_up(total: int, basis_points: int, expected: int) -> None:
    assert discount_cents(Terms(kind="percent", percent_bp=basis_points), [], total) == expected


def test_an_order_without_lines_counts_whole_unless_it_matters_which_goods() -> None:
    percent, fixed = {"kind": "percent", "percent_bp": 1000}, {"kind": "fixed", "amount_cents": 5000}
    assert discount_cents(Terms(**percent), [], 1000) == 100
    assert discount_cents(Terms(**percent, categories=["a"]), [], 1000) == 0
    assert discount_cents(Terms(**percent, excludes_sale=True), [], 1000) == 0
    assert discount_cents(Terms(**fixed), [], 1000) == 1000
    assert discount_cents(Terms(**fixed, excluded_categories=["a"]), [], 1000) == 0

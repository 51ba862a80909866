"""What must hold for any counts and amounts at all?"""

import math

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.statistics.durations import redemption_curve
from core.statistics.means import Moments, compare_means, lift_of_means
from core.statistics.multiplicity import adjust
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.sequential import always_valid_rates

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
counts = st.integers(1, 5_000).flatmap(lambda n: st.builds(Count, st.integers(0, n), st.just(n)))
amounts = st.lists(st.integers(0, 10**7), min_size=2, max_size=30).map(Moments.from_values)
p_lists = st.lists(st.floats(1e-12, 1), min_size=1, max_size=12)
tallies = st.dictionaries(st.integers(0, 40), st.integers(0, 30), max_size=8)


@EXAMPLES
@given(counts)
def test_a_wilson_interval_holds_its_rate_and_mirrors_with_the_misses(count: Count) -> None:
    found, mirrored = rate(count), rate(Count(count.n - count.hits, count.n))
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert math.isclose(found.low, 1 - mirrored.high, abs_tol=1e-12)


@EXAMPLES
@given(counts)
def test_more_confidence_means_a_wider_interval(count: Count) -> None:
    narrow, wide = rate(count, confidence=0.8), rate(count, confidence=0.99)
    assert wide.low <= narrow.low and narrow.high <= wide.high


@EXAMPLES
@given(counts, counts)
def test_a_difference_of_rates_turns_its_sign_with_the_order(one: Count, other: Count) -> None:
    here, there = compare_rates(one, against=other), compare_rates(other, against=one)
    assert here.low <= here.estimate <= here.high
    assert math.isclose(here.low, -there.high, abs_tol=1e-9)
    assert here.p_value == there.p_value or math.isnan(here.p_value)


@EXAMPLES
@given(counts, counts)
def test_a_lift_interval_holds_its_lift_and_inverts_with_the_order(one: Count, other: Count) -> None:
    here, there = lift_of_rates(one, against=other), lift_of_rates(other, against=one)
    assume(not math.isnan(here.low))
    assert -1 < here.low <= here.estimate <= here.high
    assert math.isclose((1 + here.low) * (1 + there.high), 1, rel_tol=1e-9)


@EXAMPLES
@given(amounts, amounts)
def test_a_difference_of_means_turns_its_sign_with_the_order(one: Moments, other: Moments) -> None:
    here, there = compare_means(one, against=other), compare_means(other, against=one)
    assume(not math.isnan(here.low))
    assert here.low <= here.estimate <= here.high
    assert here.estimate == -there.estimate
    assert math.isclose(here.p_value, there.p_value, rel_tol=1e-9)


@EXAMPLES
@given(amounts, amounts, st.floats(0.01, 100))
def test_a_lift_is_the_same_in_cents_and_in_euros(one: Moments, other: Moments, factor: float) -> None:
    here = lift_of_means(one, against=other)
    assume(not math.isnan(here.low))
    scaled = [Moments(m.n, m.mean * factor, m.variance * factor**2) for m in (one, other)]
    there = lift_of_means(scaled[0], against=scaled[1])
    assert math.isclose(here.low + 1, there.low + 1, rel_tol=1e-6)
    assert math.isclose(here.high + 1, there.high + 1, rel_tol=1e-6)


@EXAMPLES
@given(counts, counts)
def test_an_always_valid_interval_excludes_0_exactly_when_its_p_value_is_below_the_level(
    one: Count, other: Count
) -> None:
    found = always_valid_rates(one, against=other)
    assume(not math.isnan(found.p_value) and abs(found.p_value - 0.05) > 1e-9)
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


@settings(EXAMPLES, max_examples=20)
@given(p_lists)
def test_adjusting_never_makes_a_p_value_smaller_or_changes_the_order(p_values: list[float]) -> None:
    holm, bh = adjust(p_values), adjust(p_values, method="benjamini-hochberg")
    assert all(raw <= b * (1 + 1e-12) and b <= h * (1 + 1e-12) for raw, b, h in zip(p_values, bh, holm, strict=True))
    ordered = [adjusted for _, adjusted in sorted(zip(p_values, holm, strict=True))]
    assert ordered == sorted(ordered)


@EXAMPLES
@given(tallies, tallies)
def test_a_redemption_curve_only_climbs_and_stays_in_its_limits(
    redeemed: dict[float, int], waiting: dict[float, int]
) -> None:
    curve = redemption_curve(redeemed, waiting)
    assert list(curve.shares) == sorted(curve.shares)
    assert curve.n == sum(redeemed.values()) + sum(waiting.values())
    for low, share, high in zip(curve.lows, curve.shares, curve.highs, strict=True):
        assert 0 <= share <= 1
        assert math.isnan(low) or low <= share <= high

"""What do the formulas say when there is nothing to say? Never a warning, an exception, a silent 0 or a NaN in JSON."""

import json
import math
import warnings
from collections.abc import Iterator

import pytest

from core.errors import Invalid
from core.statistics import as_json, finite_or_none
from core.statistics.clusters import ClusterSums, moments_of_clusters
from core.statistics.durations import redemption_curve
from core.statistics.estimates import SMALLEST_P
from core.statistics.means import Moments, compare_means, lift_of_means, mean
from core.statistics.multiplicity import adjust
from core.statistics.power import (
    people_needed_for_mean,
    people_needed_for_rate,
    smallest_lift_of_mean,
    smallest_lift_of_rate,
)
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.samples import sample_ratio
from core.statistics.sequential import always_valid_means, always_valid_rates

NOBODY = Count(0, 0)
EMPTY = Moments(0, math.nan, math.nan)


@pytest.fixture(autouse=True)
def no_warning_is_let_through() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("one", [NOBODY, Count(0, 1), Count(1, 1), Count(0, 50), Count(50, 50), Count(7, 50)])
@pytest.mark.parametrize("other", [NOBODY, Count(0, 1), Count(1, 1), Count(0, 50), Count(50, 50), Count(7, 50)])
def test_every_pair_of_extreme_rates_gets_an_answer_that_json_can_hold(one: Count, other: Count) -> None:
    for found in (
        rate(one),
        compare_rates(one, against=other),
        lift_of_rates(one, against=other),
        always_valid_rates(one, against=other),
    ):
        json.dumps(as_json(found), allow_nan=False)
        assert math.isnan(found.low) or found.low <= found.estimate <= found.high


@pytest.mark.parametrize("one", [EMPTY, Moments(1, 5.0, math.nan), Moments(9, 0.0, 0.0), Moments(9, -3.0, 2.0)])
@pytest.mark.parametrize("other", [EMPTY, Moments(1, 5.0, math.nan), Moments(9, 4.0, 0.0), Moments(9, 1e-300, 1e300)])
def test_every_pair_of_extreme_means_gets_an_answer_that_json_can_hold(one: Moments, other: Moments) -> None:
    for found in (
        mean(one),
        compare_means(one, against=other),
        lift_of_means(one, against=other),
        always_valid_means(one, against=other),
    ):
        json.dumps(as_json(found), allow_nan=False)
        assert math.isnan(found.low) or found.low <= found.estimate <= found.high


def test_nobody_has_no_rate_rather_than_a_rate_of_0() -> None:
    assert math.isnan(rate(NOBODY).estimate)
    assert math.isnan(compare_rates(Count(1, 10), against=NOBODY).estimate)


def test_two_rates_of_0_differ_by_0_with_an_interval_but_no_p_value() -> None:
    found = compare_rates(Count(0, 40), against=Count(0, 40))
    assert found.estimate == 0 and found.low < 0 < found.high
    assert math.isnan(found.p_value)


def test_more_than_nothing_has_no_percentage() -> None:
    assert math.isnan(lift_of_rates(Count(3, 40), against=Count(0, 40)).estimate)
    assert math.isnan(lift_of_means(Moments(9, 2.0, 1.0), against=Moments(9, 0.0, 0.0)).estimate)
    assert math.isnan(lift_of_means(Moments(9, 2.0, 1.0), against=Moments(9, -1.0, 1.0)).estimate)


def test_nothing_instead_of_something_is_a_lift_of_minus_100_percent_without_limits() -> None:
    found = lift_of_rates(Count(0, 40), against=Count(4, 40))
    assert found.estimate == -1 and math.isnan(found.low) and math.isnan(found.high)


def test_equal_values_on_both_sides_give_no_false_certainty() -> None:
    found = compare_means(Moments.from_values([2, 2, 2]), against=Moments.from_values([1, 1, 1]))
    assert found.estimate == 1 and math.isnan(found.p_value) and math.isnan(found.low)
    assert math.isnan(mean(Moments.from_values([2, 2, 2])).low)
    assert Moments.from_values([0.1] * 7).variance == 0
    assert Moments.from_sums(7, sum([0.1] * 7), sum([0.1 * 0.1] * 7)).variance == 0


def test_no_p_value_is_ever_0() -> None:
    assert compare_rates(Count(10_000, 10_000), against=Count(10, 10_000)).p_value == SMALLEST_P
    far = Moments(10**6, 100.0, 1.0)
    near = Moments(10**6, 0.0, 1.0)
    assert compare_means(far, against=near).p_value == SMALLEST_P
    assert always_valid_means(far, against=near).p_value == SMALLEST_P
    assert adjust([SMALLEST_P]) == (SMALLEST_P,)


def test_undefined_p_values_stay_undefined_and_do_not_enlarge_the_family() -> None:
    first, unknown, second = adjust([0.02, math.nan, 0.03])
    assert (first, second) == pytest.approx((0.04, 0.04))
    assert math.isnan(unknown)
    assert adjust([]) == () and math.isnan(adjust([math.nan])[0])


def test_impossible_numbers_are_refused() -> None:
    for hits, people in [(3, 2), (-1, 2), (0, -1)]:
        with pytest.raises(ValueError, match="hits"):
            Count(hits, people)
    with pytest.raises(ValueError, match="no 2 numbers"):
        Moments.from_sums(2, 10, 1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust([1.2])
    with pytest.raises(ValueError, match="confidence"):
        rate(Count(1, 2), confidence=95)
    with pytest.raises(ValueError, match="planned people"):
        always_valid_rates(Count(1, 2), against=Count(1, 2), planned_people=0)
    with pytest.raises(ValueError, match="never negative"):
        sample_ratio({"A": -1}, {"A": 1.0})
    with pytest.raises(ValueError, match="never negative"):
        redemption_curve({-1: 2}, {})


def test_an_intended_95_to_5_split_raises_no_alarm() -> None:
    assert not sample_ratio({"treated": 9_500, "left alone": 500}, {"treated": 95, "left alone": 5}).mismatch
    assert sample_ratio({"treated": 9_500, "left alone": 500}, {"treated": 1, "left alone": 1}).mismatch


def test_people_in_an_arm_that_takes_nobody_are_always_a_mismatch() -> None:
    for weights in ({"A": 1.0, "B": 1.0, "closed": 0.0}, {"A": 1.0, "B": 1.0}):
        found = sample_ratio({"A": 50, "B": 50, "closed": 1}, weights)
        assert found.mismatch and found.p_value == SMALLEST_P
    assert not sample_ratio({"A": 50, "B": 50}, {"A": 1, "B": 1, "closed": 0}).mismatch


def test_an_arm_that_got_nobody_counts_as_0_people() -> None:
    assert sample_ratio({"A": 100}, {"A": 1, "B": 1}).mismatch


def test_a_handful_of_people_or_one_arm_raises_no_alarm() -> None:
    assert not sample_ratio({"A": 5, "left alone": 5}, {"A": 90, "left alone": 10}).mismatch
    assert math.isnan(sample_ratio({"A": 0, "B": 0}, {"A": 1, "B": 1}).p_value)
    assert math.isnan(sample_ratio({"A": 9}, {"A": 1}).p_value)


def test_no_number_of_people_shows_a_lift_of_nothing() -> None:
    for needed in (
        people_needed_for_rate(0.1, lift=0),
        people_needed_for_rate(0, lift=0.5),
        people_needed_for_mean(0, 4, lift=0.5),
        people_needed_for_mean(5, 0, lift=0.5),
    ):
        assert as_json(needed)["total"] is None
    assert math.isnan(smallest_lift_of_rate(0, control=10, treated=10))
    assert math.isnan(smallest_lift_of_rate(0.5, control=0, treated=10))
    assert math.isnan(smallest_lift_of_rate(0.9, control=3, treated=3))
    assert math.isnan(smallest_lift_of_mean(0, 1, control=10, treated=10))


def test_very_large_effects_need_at_least_two_people_each() -> None:
    assert people_needed_for_rate(0.1, lift=9).total == 6
    assert people_needed_for_mean(1, 0.01, lift=3).total == 4
    assert people_needed_for_rate(1, lift=-1).control == 2


def test_a_plan_outside_its_limits_is_refused_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"^lift: "):
        people_needed_for_rate(0.6, lift=1)
    with pytest.raises(Invalid, match=r"^base_rate: "):
        people_needed_for_rate(10.6, lift=0.1)
    with pytest.raises(Invalid, match=r"^power: "):
        people_needed_for_rate(0.1, lift=0.1, power=1)
    with pytest.raises(Invalid, match=r"^alpha: "):
        smallest_lift_of_rate(0.1, control=5, treated=5, alpha=0)
    with pytest.raises(Invalid, match=r"^standard_deviation: "):
        people_needed_for_mean(1, -2, lift=0.1)
    with pytest.raises(Invalid, match=r"^treated_per_control: "):
        people_needed_for_rate(0.1, lift=0.1, treated_per_control=0)


def test_a_median_that_nobody_reached_is_unknown() -> None:
    curve = redemption_curve({3: 5, 9: 4}, {14: 91})
    assert math.isnan(curve.time_until(0.5).estimate)
    assert curve.usual_wait() == 3 and curve.usual_wait(0.9) == 9
    assert curve.share_by(2).estimate == 0
    assert math.isnan(curve.share_by(15).estimate)


def test_a_curve_of_nobody_or_without_redemptions_says_nothing() -> None:
    for curve in (redemption_curve({}, {}), redemption_curve({}, {7: 10}), redemption_curve({3: 0}, {7: 10})):
        assert math.isnan(curve.usual_wait()) and math.isnan(curve.time_until(0.5).estimate)
    assert math.isnan(redemption_curve({}, {}).share_by(0).estimate)
    assert redemption_curve({}, {7: 10}).share_by(7).estimate == 0


def test_when_everybody_redeemed_the_curve_ends_at_1() -> None:
    curve = redemption_curve({0: 1, 4: 2}, {})
    assert curve.share_by(4).estimate == 1
    assert curve.time_until(0.5).estimate == 4 and curve.time_until(0.5).high == 4


def test_fewer_than_two_households_have_no_spread() -> None:
    assert math.isnan(moments_of_clusters(ClusterSums.from_pairs([])).mean)
    lonely = moments_of_clusters(ClusterSums.from_pairs([(3, 900)]))
    assert lonely.mean == 300 and math.isnan(lonely.variance)
    assert moments_of_clusters(ClusterSums.from_pairs([(1, 0.1), (3, 0.3), (2, 0.2)])).variance == 0


def test_undefined_numbers_become_null() -> None:
    assert [finite_or_none(x) for x in (math.nan, math.inf, -math.inf, None, 0.0, 2)] == [
        None,
        None,
        None,
        None,
        0.0,
        2.0,
    ]
    shown = as_json(redemption_curve({1: 1}, {}))
    assert shown["lows"] == [None] and json.dumps(shown, allow_nan=False)
    assert json.dumps(as_json(sample_ratio({"A": 1}, {"B": 1.0})), allow_nan=False)

"""Do our formulas agree with statsmodels and scipy working on the raw rows?"""

import math
from collections import Counter

import numpy
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize
from statsmodels.stats.weightstats import CompareMeans

from core.statistics.clusters import ClusterSums, moments_of_clusters
from core.statistics.durations import redemption_curve
from core.statistics.means import Moments, compare_means, lift_of_means, mean
from core.statistics.power import people_needed_for_mean, people_needed_for_rate, smallest_lift_of_rate
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.samples import sample_ratio
from core.statistics.sequential import always_valid_means

CENTS = numpy.random.default_rng(7)


def spend(people: int, scale: float) -> list[int]:
    """Whole cents, most of them 0, the rest skewed: what revenue per person looks like."""
    return [int(x) for x in CENTS.exponential(scale, people) * (CENTS.random(people) < 0.3)]


def test_welch_from_sums_equals_statsmodels_on_rows() -> None:
    one, other = spend(400, 9_000), spend(250, 5_000)
    sums = [Moments.from_sums(len(rows), sum(rows), sum(cents * cents for cents in rows)) for rows in (one, other)]
    found = compare_means(sums[0], against=sums[1])
    oracle = CompareMeans.from_data(one, other)
    t, p, _ = oracle.ttest_ind(usevar="unequal")
    assert (found.statistic, found.p_value) == pytest.approx((t, p), rel=1e-10)
    assert (found.low, found.high) == pytest.approx(oracle.tconfint_diff(usevar="unequal"), rel=1e-10)
    alone = mean(sums[0])
    assert (alone.low, alone.high) == pytest.approx(oracle.d1.tconfint_mean(), rel=1e-10)


def test_moments_from_sums_and_from_rows_are_the_same() -> None:
    rows = spend(300, 4_000)
    by_sums = Moments.from_sums(len(rows), sum(rows), sum(cents * cents for cents in rows))
    by_rows = Moments.from_values(rows)
    assert by_sums.variance == pytest.approx(by_rows.variance, rel=1e-12)
    assert by_rows.variance == pytest.approx(numpy.var(rows, ddof=1), rel=1e-12)


def test_sums_of_whole_cents_lose_no_digit_however_large_the_mean() -> None:
    rows = [10**12, 10**12 + 1, 10**12 + 2]
    assert Moments.from_sums(3, sum(rows), sum(cents * cents for cents in rows)).variance == 1.0


def test_wilson_equals_scipy() -> None:
    for hits, people in [(0, 7), (1, 9), (158, 1_076), (20, 20)]:
        oracle = stats.binomtest(hits, people).proportion_ci(method="wilson")
        found = rate(Count(hits, people))
        assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_newcombe_equals_the_worked_example_of_its_author() -> None:
    found = compare_rates(Count(56, 70), against=Count(48, 80))  # Newcombe 1998, table II, contrast (a), method 10
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_pooled_z_squared_is_the_chi_square_of_the_table() -> None:
    found = compare_rates(Count(30, 200), against=Count(14, 180))
    chi_squared, p, _, _ = stats.chi2_contingency([[30, 170], [14, 166]], correction=False)
    assert (found.statistic**2, found.p_value) == pytest.approx((chi_squared, p), rel=1e-12)


def test_the_lift_interval_equals_scipys_relative_risk() -> None:
    oracle = stats.contingency.relative_risk(30, 200, 14, 180).confidence_interval(0.9)
    found = lift_of_rates(Count(30, 200), against=Count(14, 180), confidence=0.9)
    assert (found.low + 1, found.high + 1) == pytest.approx((oracle.low, oracle.high), rel=1e-9)


def test_the_lift_of_means_of_zeros_and_ones_is_the_lift_of_rates() -> None:
    of_means = lift_of_means(
        Moments.from_values([1] * 30 + [0] * 170), against=Moments.from_values([1] * 14 + [0] * 166)
    )
    of_rates = lift_of_rates(Count(30, 200), against=Count(14, 180))
    assert (of_means.estimate, of_means.low, of_means.high) == pytest.approx(
        (of_rates.estimate, of_rates.low, of_rates.high), abs=0.01
    )


def test_the_sample_ratio_equals_scipy_on_uneven_weights() -> None:
    found = sample_ratio({"A": 470, "B": 425, "left alone": 105}, {"A": 45, "B": 45, "left alone": 10})
    oracle = stats.chisquare([470, 425, 105], [450, 450, 100])
    assert (found.chi_squared, found.p_value) == pytest.approx((oracle.statistic, oracle.pvalue), rel=1e-12)


def test_people_needed_reach_the_power_they_promise() -> None:
    for ratio in (1.0, 9.0, 0.25):
        needed = people_needed_for_rate(0.08, lift=0.25, alpha=0.01, power=0.9, treated_per_control=ratio)
        size = proportion_effectsize(0.1, 0.08)
        reached = NormalIndPower().power(size, needed.control, 0.01, ratio=needed.treated / needed.control)
        one_less = NormalIndPower().power(size, needed.control - 1, 0.01, ratio=ratio)
        assert one_less < 0.9 <= reached
    solved = NormalIndPower().solve_power(effect_size=0.05, alpha=0.05, power=0.8)
    assert people_needed_for_mean(1, 20, lift=1).control == math.ceil(solved)


def test_the_smallest_lift_is_the_inverse_of_people_needed() -> None:
    lift = smallest_lift_of_rate(0.05, control=2_000, treated=18_000)
    assert people_needed_for_rate(0.05, lift=lift, treated_per_control=9).control == 2_000


def test_the_always_valid_interval_and_p_value_agree_at_the_edge() -> None:
    one, other = Moments(4_000, 1.0, 25.0), Moments(3_000, 0.0, 16.0)
    found = always_valid_means(one, against=other)
    shifted = Moments(one.n, one.mean - found.low, one.variance)  # now 0 lies exactly on the lower limit
    assert always_valid_means(shifted, against=other).p_value == pytest.approx(0.05, rel=1e-9)


def test_household_errors_equal_the_cluster_robust_regression() -> None:
    sizes = CENTS.integers(1, 5, 120)
    arms = CENTS.integers(0, 2, 120)
    rows = [
        (arm, house, x) for house, (size, arm) in enumerate(zip(sizes, arms, strict=True)) for x in spend(size, 500)
    ]
    arm, house, cents = (numpy.array(column) for column in zip(*rows, strict=True))
    fitted = OLS(cents.astype(float), numpy.column_stack([numpy.ones(len(arm)), arm])).fit(
        cov_type="cluster", cov_kwds={"groups": house, "use_correction": False}
    )
    moments = {}
    for side in (0, 1):
        totals = [(int((house == one).sum()), int(cents[house == one].sum())) for one in set(house[arm == side])]
        moments[side] = moments_of_clusters(ClusterSums.from_pairs(totals))
    found = compare_means(moments[1], against=moments[0])
    uncorrected = sum(one.squared_error * (one.n - 1) / one.n for one in moments.values())
    assert found.estimate == pytest.approx(fitted.params[1], rel=1e-9)
    assert uncorrected == pytest.approx(fitted.bse[1] ** 2, rel=1e-9)


def test_households_of_one_are_people() -> None:
    rows = spend(90, 800)
    alone = moments_of_clusters(ClusterSums.from_pairs([(1, cents) for cents in rows]))
    assert (alone.mean, alone.variance) == pytest.approx((numpy.mean(rows), numpy.var(rows, ddof=1)), rel=1e-9)


def test_the_redemption_curve_equals_statsmodels_on_rows() -> None:
    days = [int(day) for day in CENTS.integers(1, 28, 500)]
    status = [int(x) for x in CENTS.random(500) < 0.6]
    oracle = SurvfuncRight(days, status)
    curve = redemption_curve(
        Counter(day for day, redeemed in zip(days, status, strict=True) if redeemed),
        Counter(day for day, redeemed in zip(days, status, strict=True) if not redeemed),
    )
    assert curve.times == pytest.approx(oracle.surv_times)
    assert [1 - share for share in curve.shares] == pytest.approx(oracle.surv_prob)
    for share in (0.25, 0.5, 0.7):
        found = curve.time_until(share)
        assert found.estimate == oracle.quantile(share)
        assert (found.low, found.high) == oracle.quantile_ci(share)


def test_the_usual_wait_without_censoring_is_the_median_of_the_redeemers() -> None:
    waits = [2, 3, 3, 5, 8, 13, 21]
    curve = redemption_curve(Counter(waits), {30: 93})
    assert curve.usual_wait() == 5
    assert curve.share_by(30).estimate == pytest.approx(0.07)

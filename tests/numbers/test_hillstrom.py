"""Do our formulas give the published answers on the Hillstrom experiment?

Reference figures: statsmodels, gbstats (GrowthBook) and tea-tasting on the same 64,000 rows, agreeing with each other.
"""

import pytest

from core.statistics.means import compare_means, lift_of_means, mean
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
from tests.numbers.hillstrom import CONVERSIONS, PEOPLE, SPEND, VISITS

# counts, arm, difference, z, p, low, high, lift, lift low, lift high, always-valid p
RATES = [
    (VISITS, "mens", 0.0765896, 22.48604, 5.685e-112, 0.069953, 0.083227, 0.7214, 0.6404, 0.8064, 2.6e-109),
    (CONVERSIONS, "mens", 0.0068050, 7.385114, 1.523e-13, 0.005014, 0.008641, 1.1884, 0.7680, 1.7088, 1.7e-11),
    (VISITS, "womens", 0.0452331, 13.949181, 3.182e-44, 0.038894, 0.051574, 0.4261, 0.3562, 0.4995, 1.2e-41),
    (CONVERSIONS, "womens", 0.0031111, 3.779561, 1.5711e-4, 0.001502, 0.004745, 0.5433, 0.2301, 0.9363, 0.007217),
]
MEANS = [
    ("mens", 0.769827, 5.300140, 1.1638e-7, 0.485140, 1.054515, 1.1793, 0.6284, 1.9165, 8.08e-6),
    ("womens", 0.424412, 3.256372, 1.12940e-3, 0.168957, 0.679868, 0.6502, 0.2180, 1.2356, 0.044622),
]


@pytest.mark.parametrize("row", RATES)
def test_differences_of_rates_equal_the_reference(row: tuple[dict[str, Count], str, float]) -> None:
    counts, arm, difference, z, p, low, high, lift, lift_low, lift_high, always = row  # type: ignore[misc]
    found = compare_rates(counts[arm], against=counts["control"])
    assert found.estimate == pytest.approx(difference, abs=5e-8)
    assert found.statistic == pytest.approx(z, abs=1e-5)
    assert found.p_value == pytest.approx(p, rel=5e-4, abs=0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-7)
    shown = lift_of_rates(counts[arm], against=counts["control"])
    assert (shown.estimate, shown.low, shown.high) == pytest.approx((lift, lift_low, lift_high), abs=6e-5)
    assert always_valid_rates(counts[arm], against=counts["control"]).p_value == pytest.approx(always, rel=0.03, abs=0)


@pytest.mark.parametrize("row", MEANS)
def test_differences_of_spend_equal_the_reference(row: tuple[str, float]) -> None:
    arm, difference, t, p, low, high, lift, lift_low, lift_high, always = row  # type: ignore[misc]
    found = compare_means(SPEND[arm], against=SPEND["control"])
    assert found.estimate == pytest.approx(difference, abs=2e-6)
    assert found.statistic == pytest.approx(t, abs=2e-5)
    assert found.p_value == pytest.approx(p, rel=1e-4, abs=0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-6)
    shown = lift_of_means(SPEND[arm], against=SPEND["control"])
    assert (shown.estimate, shown.low, shown.high) == pytest.approx((lift, lift_low, lift_high), abs=1e-4)
    assert always_valid_means(SPEND[arm], against=SPEND["control"]).p_value == pytest.approx(always, rel=1e-3, abs=0)


def test_the_rates_between_the_two_mails_equal_the_reference() -> None:
    visits = compare_rates(VISITS["mens"], against=VISITS["womens"])
    assert visits.statistic == pytest.approx(8.685, abs=5e-4)
    conversions = compare_rates(CONVERSIONS["mens"], against=CONVERSIONS["womens"])
    assert (conversions.statistic, conversions.p_value) == pytest.approx((3.713, 2.05e-4), rel=2e-3)
    spend = compare_means(SPEND["mens"], against=SPEND["womens"])
    assert (spend.statistic, spend.p_value) == pytest.approx((2.164, 0.0305), rel=2e-3)


def test_the_always_valid_interval_is_1_643_times_the_fixed_one() -> None:
    always = always_valid_means(SPEND["womens"], against=SPEND["control"])
    fixed = compare_means(SPEND["womens"], against=SPEND["control"])
    assert (always.high - always.low) / (fixed.high - fixed.low) == pytest.approx(1.643, abs=5e-4)


def test_holm_and_benjamini_hochberg_over_the_six_equal_the_reference() -> None:
    p_values = []
    for arm in ("mens", "womens"):
        p_values += [compare_rates(counts[arm], against=counts["control"]).p_value for counts in (VISITS, CONVERSIONS)]
        p_values.append(compare_means(SPEND[arm], against=SPEND["control"]).p_value)
    assert adjust(p_values) == pytest.approx(
        (3.41e-111, 6.09e-13, 3.49e-7, 1.59e-43, 3.142e-4, 1.129e-3), rel=3e-3, abs=0
    )
    assert adjust(p_values, method="benjamini-hochberg") == pytest.approx(
        (3.41e-111, 3.05e-13, 1.75e-7, 9.55e-44, 1.885e-4, 1.129e-3), rel=3e-3, abs=0
    )


def test_the_split_passes_and_two_damaged_ones_stand_on_either_side_of_the_threshold() -> None:
    equal = dict.fromkeys(PEOPLE, 1.0)
    real = sample_ratio(PEOPLE, equal)
    assert (real.chi_squared, real.p_value) == pytest.approx((0.2025, 0.90369), rel=2e-4)
    assert not real.mismatch
    near = sample_ratio({**PEOPLE, "womens": 20_700}, equal)
    assert near.p_value == pytest.approx(0.0030, abs=5e-5) and not near.mismatch
    far = sample_ratio({**PEOPLE, "womens": 20_600}, equal)
    assert far.p_value == pytest.approx(3.7e-4, rel=0.01) and far.mismatch


def test_people_needed_equal_the_reference_rounded_up() -> None:
    assert people_needed_for_rate(VISITS["control"].rate, lift=0.1).control == 13_788
    assert people_needed_for_rate(VISITS["control"].rate, lift=0.1, alpha=0.05 / 6).control == pytest.approx(
        21_271, abs=2
    )
    assert people_needed_for_rate(CONVERSIONS["control"].rate, lift=0.2).control == pytest.approx(74_760, abs=2)
    assert people_needed_for_rate(0.05, lift=0.1).control == 31_218
    assert people_needed_for_mean(0.652789, 11.5882, lift=0.2).control == 123_670


def test_the_smallest_lifts_of_this_many_people_equal_the_reference() -> None:
    people = PEOPLE["control"]
    assert smallest_lift_of_rate(VISITS["control"].rate, control=people, treated=people) == pytest.approx(
        0.079, abs=0.0015
    )
    assert smallest_lift_of_mean(0.652789, 11.5882, control=people, treated=people) == pytest.approx(0.482, abs=5e-4)


def test_the_single_rates_and_means_equal_the_printed_ones() -> None:
    assert rate(VISITS["mens"]).estimate == pytest.approx(0.182757, abs=5e-7)
    assert mean(SPEND["mens"]).estimate == 1.422617

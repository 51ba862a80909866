"""Where organisations were drawn, ranges are those of organisations: in simulation they hold as often as they say."""

import math

import numpy
import pytest

from core.statistics.clusters import ClusterSums, count_of_clusters, design_effect_of_rate, moments_of_clusters
from core.statistics.means import compare_means
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.sequential import always_valid_means, always_valid_rates

RATE, ALIKE, FIRMS, TRIES = 0.2, 0.3, 50, 400
DRAWS = numpy.random.default_rng(20261123)


def firms(rate_of: float = RATE, *, count: int = FIRMS, alike: float = ALIKE) -> ClusterSums:
    """Organisations of 2 to 20 people, who order with a propensity of their own (beta-binomial; ICC `alike`)."""
    sizes = DRAWS.integers(2, 21, count)
    spread = (1 - alike) / alike
    own = DRAWS.beta(rate_of * spread, (1 - rate_of) * spread, count)
    return ClusterSums.from_pairs(zip(sizes.tolist(), DRAWS.binomial(sizes, own).tolist(), strict=True))


def plain(sums: ClusterSums) -> Count:
    return Count(int(sums.total), int(sums.size))


def test_a_rate_s_range_holds_as_often_as_it_says_and_the_naive_one_does_not() -> None:
    naive = ours = 0
    for _try in range(TRIES):
        sums = firms()
        alone, together = rate(plain(sums)), rate(count_of_clusters(sums))
        naive += alone.low <= RATE <= alone.high
        ours += together.low <= RATE <= together.high
        assert together.estimate == alone.estimate
    assert naive / TRIES < 0.75
    assert 0.93 <= ours / TRIES <= 0.98


def test_a_difference_s_range_and_test_hold_as_often_as_they_say() -> None:
    naive = ours = money = alarms = ever = 0
    for _try in range(TRIES):
        one, other = firms(), firms()
        alone = compare_rates(plain(one), against=plain(other))
        together = compare_rates(count_of_clusters(one), against=count_of_clusters(other))
        amounts = compare_means(moments_of_clusters(one), against=moments_of_clusters(other))
        naive += alone.low <= 0 <= alone.high
        ours += together.low <= 0 <= together.high
        money += amounts.low <= 0 <= amounts.high
        alarms += together.p_value < 0.05
        ever += (always_valid_rates(count_of_clusters(one), against=count_of_clusters(other)).p_value < 0.05
                 or always_valid_means(moments_of_clusters(one), against=moments_of_clusters(other)).p_value < 0.05)
    assert naive / TRIES < 0.75
    assert 0.93 <= ours / TRIES <= 0.98 and 0.92 <= money / TRIES <= 0.98
    assert 0.02 <= alarms / TRIES <= 0.07 and ever / TRIES < 0.05


def test_who_looks_after_every_ten_organisations_raises_few_false_alarms() -> None:
    naive = ours = 0
    tries = 120
    for _try in range(tries):
        sizes = DRAWS.integers(2, 21, (2, 200))
        own = DRAWS.beta(0.2 / ALIKE * (1 - ALIKE), 0.8 / ALIKE * (1 - ALIKE), (2, 200))
        hits = DRAWS.binomial(sizes, own)
        looks = []
        for seen in range(20, 201, 20):
            sides = [ClusterSums.from_pairs(zip(sizes[side, :seen].tolist(), hits[side, :seen].tolist(), strict=True))
                     for side in (0, 1)]
            looks.append((
                always_valid_rates(plain(sides[0]), against=plain(sides[1])).p_value < 0.05,
                always_valid_rates(count_of_clusters(sides[0]), against=count_of_clusters(sides[1])).p_value < 0.05))
        naive += any(look[0] for look in looks)
        ours += any(look[1] for look in looks)
    assert naive / tries > 0.1
    assert ours / tries <= 0.05


def test_organisations_of_one_give_the_very_figures_of_people() -> None:
    one = ClusterSums.from_pairs([(1, 1)] * 31 + [(1, 0)] * 400)
    other = ClusterSums.from_pairs([(1, 1)] * 52 + [(1, 0)] * 380)
    assert count_of_clusters(one) == Count(31, 431)
    together, apart = Count(31, 431, 1.0, 431), Count(31, 431)
    against, alone = Count(52, 432, 1.0, 432), Count(52, 432)
    assert rate(together) == rate(apart)
    assert compare_rates(together, against=against) == compare_rates(apart, against=alone)
    assert lift_of_rates(together, against=against) == lift_of_rates(apart, against=alone)
    assert always_valid_rates(together, against=against) == always_valid_rates(apart, against=alone)
    assert design_effect_of_rate(other) == 1.0


def test_the_design_effect_is_what_the_size_and_the_likeness_say() -> None:
    sums = firms(count=20_000)
    likely = 1 + ALIKE * (sums.largest_effect - 1)
    assert design_effect_of_rate(sums) == pytest.approx(likely, rel=0.05)
    assert count_of_clusters(sums).units == 20_000
    # Everybody of one the same: as many people as organisations.
    assert design_effect_of_rate(ClusterSums.from_pairs([(5, 5)] * 400 + [(5, 0)] * 600)) == pytest.approx(5, rel=0.01)
    # People who answer less alike than strangers never make a range narrower.
    assert design_effect_of_rate(ClusterSums.from_pairs([(2, 1)] * 500)) == 1.0


def test_few_organisations_are_trusted_less_and_the_always_valid_test_is_theirs_too() -> None:
    few = ClusterSums.from_pairs([(9, 1), (9, 6), (9, 0), (9, 3), (9, 2)])
    alone = 12 / 45 * 33 / 45 / 44
    student = (2.7764451 / 2.0153675) ** 2  # the 97.5 % points with 4 and with 44 degrees of freedom
    assert design_effect_of_rate(few) == pytest.approx(moments_of_clusters(few).squared_error / alone * student)
    one, other = firms(0.3, count=900), firms(count=900)
    rates = always_valid_rates(count_of_clusters(one), against=count_of_clusters(other))
    means = always_valid_means(moments_of_clusters(one), against=moments_of_clusters(other), planned_people=round(
        5_000 * 1_800 / (one.size + other.size)))
    assert (rates.n, rates.n_against) == (900, 900)
    assert rates.high - rates.low == pytest.approx(means.high - means.low, rel=0.01)


def test_where_nothing_shows_how_alike_people_are_they_count_as_one() -> None:
    nobody = ClusterSums.from_pairs([(4, 0)] * 25)
    assert design_effect_of_rate(nobody) == 4.0
    found = rate(count_of_clusters(nobody))
    assert (found.low, found.n) == (0.0, 100) and found.high == pytest.approx(rate(Count(0, 25)).high)
    assert design_effect_of_rate(ClusterSums.from_pairs([(30, 7)])) == 30.0
    assert math.isnan(rate(count_of_clusters(ClusterSums.from_pairs([]))).estimate)

"""What may be said when somebody looks before the planned end?

Owns the always-valid comparison: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
(2021, arXiv 2103.06476, equations 9 and 155). The promise: however often somebody looks and whenever they stop, a true
null is called a difference in at most the stated share of experiments, with a 10 % hold-out and few hits too. The price
is an interval about 1.6 times as wide as the fixed one.
"""

import math

from core.statistics.estimates import Comparison, shown_p
from core.statistics.means import Moments
from core.statistics.proportions import Count

PLANNED_PEOPLE = 5000
"""N*, the number of people (both groups) at which the interval is tightest; frozen when a campaign starts."""


FEW_HITS = 20
"""With fewer hits or misses in a group, the spread it shows by itself is not yet to be trusted."""

LOPSIDED = 2
"""The same for the amounts of a group that is outnumbered by more than this factor."""


def always_valid_rates(
    count: Count, *, against: Count, planned_people: int = PLANNED_PEOPLE, confidence: float = 0.95
) -> Comparison:
    """The difference of two rates with an interval and p value that hold at every look.

    Unpooled variances, as published. While a group has fewer than `FEW_HITS` hits or misses, at least the pooled one:
    a small hold-out in which nobody has ordered yet would otherwise pass for one that is known exactly (up to 60 %
    false alarms in simulation, under 4 % with this). Limits, statistic and p are nan when a group has fewer than two
    people or nobody or everybody in both did it. Where people were drawn together, N counts what was drawn, and
    `planned_people` is taken as that many people's share of it.
    """
    sides = (count.effective, against.effective)
    fewest = min(value for hits, people in sides for value in (hits, people - hits))
    drawn, people = _drawn(count) + _drawn(against), count.n + against.n
    if drawn != people:
        planned_people = max(1, round(planned_people * drawn / people))
    return _sequence(
        _moments_of(count), _moments_of(against),
        cautious=fewest < FEW_HITS, planned_people=planned_people, confidence=confidence,
    )  # fmt: skip


def always_valid_means(
    moments: Moments, *, against: Moments, planned_people: int = PLANNED_PEOPLE, confidence: float = 0.95
) -> Comparison:
    """The difference of two means with an interval and p value that hold at every look.

    Unpooled variances, as published. When one group outnumbers the other by more than `LOPSIDED`, at least the pooled
    one: a small hold-out that happens to lack the rare large orders has too small a mean and too small a spread at
    once (up to 27 % false alarms in simulation). Limits, statistic and p are nan when a group has fewer than two
    people or there is no spread.
    """
    smaller, larger = sorted((moments.n, against.n))
    return _sequence(
        moments, against,
        cautious=larger > LOPSIDED * smaller, planned_people=planned_people, confidence=confidence,
    )  # fmt: skip


def _sequence(one: Moments, other: Moments, *, cautious: bool, planned_people: int, confidence: float) -> Comparison:
    """The sequence itself, with N people in all, squared error s² and rho tuned to be tightest at `planned_people`.

    Half width = s x sqrt((N rho² + 1) x log((N rho² + 1) / alpha²) / (N rho²)). `statistic` is the logarithm of the
    e-value, p = min(1, 1 / e).
    """
    if planned_people < 1:
        raise ValueError(f"planned people are at least 1, not {planned_people}")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    alpha = 1 - confidence
    estimate = one.mean - other.mean
    squared = one.squared_error + other.squared_error
    if cautious and not math.isnan(squared):
        squared = max(squared, _pooled_squared_error(one, other))
    half = log_e = p_value = math.nan
    if squared > 0:
        information = (one.n + other.n) * _rho_squared(alpha, planned_people)
        half = math.sqrt(squared * (information + 1) * math.log((information + 1) / alpha**2) / information)
        log_e = (estimate**2 / squared * information / (information + 1) - math.log(information + 1)) / 2
        p_value = math.exp(min(0.0, -log_e))
    return Comparison(
        estimate, estimate - half, estimate + half, shown_p(p_value), log_e, one.n, other.n,
        f"always valid, asymptotic confidence sequence tuned at {planned_people}", confidence,
    )  # fmt: skip


def _pooled_squared_error(one: Moments, other: Moments) -> float:
    """The squared error if both groups were one: for rates exactly P (1 - P) (1/n + 1/n)."""
    n = one.n + other.n
    within = (one.n * one.variance + other.n * other.variance) / n
    between = one.n / n * other.n / n * (one.mean - other.mean) ** 2
    return (within + between) * (1 / one.n + 1 / other.n)


def _rho_squared(alpha: float, planned_people: int) -> float:
    """The tuning of appendix B.2: narrowest near `planned_people`."""
    doubled = -2 * math.log(alpha)
    return (doubled + math.log(doubled + 1)) / planned_people


def _drawn(count: Count) -> int:
    return count.n if count.units is None else count.units


def _moments_of(count: Count) -> Moments:
    """A rate as the mean of zeros and ones, with the variance p (1 - p) of the binomial, over what was drawn."""
    rate, drawn = count.rate, _drawn(count)
    variance = rate * (1 - rate)
    if count.units is not None and count.n:
        variance *= count.design_effect * drawn / count.n
    return Moments(drawn, rate, variance if drawn > 1 else math.nan)

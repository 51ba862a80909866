"""What may be said when somebody looks before the planned end?

Owns the always-valid comparison: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
(2021, arXiv 2103.06476, equations 9 and 155) with unpooled variances. The promise: however often somebody looks and
whenever they stop, a true null is called a difference in at most the stated share of experiments. The price is an
interval about 1.6 times as wide as the fixed one.
"""

import math

from core.statistics.estimates import Comparison, shown_p
from core.statistics.means import Moments
from core.statistics.proportions import Count

PLANNED_PEOPLE = 5000
"""N*, the number of people (both groups) at which the interval is tightest; frozen when a campaign starts."""


def always_valid_rates(
    count: Count, *, against: Count, planned_people: int = PLANNED_PEOPLE, confidence: float = 0.95
) -> Comparison:
    """The difference of two rates with an interval and p value that hold at every look.

    Undefined as in `always_valid_means`; a rate of 0 or 1 has no spread of its own.
    """
    return always_valid_means(
        _moments_of(count), against=_moments_of(against), planned_people=planned_people, confidence=confidence
    )


def always_valid_means(
    moments: Moments, *, against: Moments, planned_people: int = PLANNED_PEOPLE, confidence: float = 0.95
) -> Comparison:
    """The difference of two means with an interval and p value that hold at every look.

    With N people in all, squared error s² and rho tuned to be tightest at `planned_people`: half width = s x sqrt((N
    rho² + 1) x log((N rho² + 1) / alpha²)) / (rho sqrt N). `statistic` is the logarithm of the e-value, p = min(1, 1
    / e). Limits, statistic and p are nan when a group has fewer than two people or there is no spread.
    """
    if planned_people < 1:
        raise ValueError(f"planned people are at least 1, not {planned_people}")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    alpha = 1 - confidence
    estimate = moments.mean - against.mean
    squared = moments.squared_error + against.squared_error
    half = log_e = p_value = math.nan
    if squared > 0:
        information = (moments.n + against.n) * _rho_squared(alpha, planned_people)
        half = math.sqrt(squared * (information + 1) * math.log((information + 1) / alpha**2) / information)
        log_e = (estimate**2 / squared * information / (information + 1) - math.log(information + 1)) / 2
        p_value = math.exp(min(0.0, -log_e))
    return Comparison(
        estimate, estimate - half, estimate + half, shown_p(p_value), log_e, moments.n, against.n,
        f"always valid, asymptotic confidence sequence tuned at {planned_people}", confidence,
    )  # fmt: skip


def _rho_squared(alpha: float, planned_people: int) -> float:
    """The tuning of appendix B.2: narrowest near `planned_people`."""
    doubled = -2 * math.log(alpha)
    return (doubled + math.log(doubled + 1)) / planned_people


def _moments_of(count: Count) -> Moments:
    """A rate as the mean of zeros and ones, with the variance p (1 - p) of the binomial."""
    rate = count.rate
    return Moments(count.n, rate, rate * (1 - rate) if count.n > 1 else math.nan)

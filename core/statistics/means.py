"""How large is an amount per person, and do two groups differ in it?

Owns means (revenue, orders, margin per person) from n, sum and sum of squares, which is all that SQL has to deliver:
t interval, Welch's difference, relative lift on the log scale. statsmodels has these only for raw rows, so the short
formulas stand here and the tests compare them with it. The promise: exact for whole cents, and no spread means no
interval, never a false certainty.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.statistics.estimates import Comparison, Interval, critical_value, shown_p

ROUNDING = 1e-14
"""A variance below this share of the mean square is what float sums leave over of 0, not spread."""


@dataclass(frozen=True, slots=True)
class Moments:
    """`n` people, their mean (nan for nobody) and their variance with divisor n - 1 (nan below two people)."""

    n: int
    mean: float
    variance: float

    @classmethod
    def from_sums(cls, n: int, total: float, total_of_squares: float) -> "Moments":
        """From count, sum and sum of squares; exact when the sums are ints (cents). ValueError for impossible sums."""
        if n < 0 or total_of_squares < 0:
            raise ValueError("a count and a sum of squares are never negative")
        if not n:
            return cls(0, math.nan, math.nan)
        # In this order integer sums stay integers: no digits are lost to cancellation.
        spread = n * total_of_squares - total * total
        if spread < -1e-9 * n * total_of_squares:
            raise ValueError(f"no {n} numbers have the sum {total} and the sum of squares {total_of_squares}")
        if spread <= ROUNDING * n * total_of_squares and not isinstance(spread, int):
            spread = 0
        return cls(n, total / n, spread / n / (n - 1) if n > 1 else math.nan)

    @classmethod
    def from_values(cls, values: Iterable[float]) -> "Moments":
        """From the raw numbers, in two exact passes."""
        numbers = list(values)
        n = len(numbers)
        if not n:
            return cls(0, math.nan, math.nan)
        mean = math.fsum(numbers) / n
        if n == 1 or min(numbers) == max(numbers):
            return cls(n, float(numbers[0]), 0.0 if n > 1 else math.nan)
        return cls(n, mean, math.fsum((number - mean) ** 2 for number in numbers) / (n - 1))

    @property
    def squared_error(self) -> float:
        """The squared standard error of the mean; nan below two people."""
        return self.variance / self.n if self.n > 1 else math.nan


def mean(moments: Moments, *, confidence: float = 0.95) -> Interval:
    """The mean with its t interval; limits are nan below two people or when all values are equal."""
    critical_value(confidence)
    half = math.nan
    if moments.squared_error > 0:
        half = _t_quantile(confidence, moments.n - 1) * math.sqrt(moments.squared_error)
    return Interval(moments.mean, moments.mean - half, moments.mean + half, moments.n, "t", confidence)


def compare_means(moments: Moments, *, against: Moments, confidence: float = 0.95) -> Comparison:
    """The difference of two means by Welch's t (Welch 1947, Satterthwaite's degrees of freedom).

    Unequal variances are expected. The estimate is nan when a group is empty; limits, statistic and p value are nan
    when a group has fewer than two people or neither group has any spread.
    """
    critical_value(confidence)
    estimate = moments.mean - against.mean
    squared = moments.squared_error + against.squared_error
    half = statistic = p_value = math.nan
    if squared > 0:
        degrees = _satterthwaite(moments, against)
        error = math.sqrt(squared)
        statistic = estimate / error
        p_value = _t_two_sided(statistic, degrees)
        half = _t_quantile(confidence, degrees) * error
    return Comparison(
        estimate, estimate - half, estimate + half,
        shown_p(p_value), statistic, moments.n, against.n, "Welch t", confidence,
    )  # fmt: skip


def lift_of_means(moments: Moments, *, against: Moments, confidence: float = 0.95) -> Interval:
    """The relative lift mean / mean of the other - 1, its interval by the delta method on the log of the ratio.

    `n` counts both groups. The estimate is nan unless the other mean is above 0 (a share of nothing or of a loss has
    no meaning); the limits are nan as well when this mean is not above 0, a group has fewer than two people or no
    group any spread.
    """
    z = critical_value(confidence)
    n = moments.n + against.n
    if not against.mean > 0:
        return Interval(math.nan, math.nan, math.nan, n, "log (delta)", confidence)
    ratio = moments.mean / against.mean
    low = high = math.nan
    if ratio > 0:
        # hypot and no squares: a mean next to 0 must end as an infinite error, not as a division by 0.
        error = math.hypot(
            math.sqrt(moments.squared_error) / moments.mean, math.sqrt(against.squared_error) / against.mean
        )
        # Past a factor of e**700 the limit says nothing, and the exponential would overflow.
        if error > 0 and z * error < 700:
            low = ratio * math.exp(-z * error) - 1
            high = ratio * math.exp(z * error) - 1
    return Interval(ratio - 1, low, high, n, "log (delta)", confidence)


def _satterthwaite(one: Moments, other: Moments) -> float:
    """Degrees of freedom of Welch's t, from shares so that tiny variances do not underflow."""
    share = one.squared_error / (one.squared_error + other.squared_error)
    return 1 / (share**2 / (one.n - 1) + (1 - share) ** 2 / (other.n - 1))


def _t_quantile(confidence: float, degrees: float) -> float:
    from scipy.special import stdtrit

    return float(-stdtrit(degrees, (1 - confidence) / 2))


def _t_two_sided(statistic: float, degrees: float) -> float:
    """Both tails, from the lower tail itself: 1 - cdf would round small p values to 0."""
    from scipy.special import stdtr

    return 2 * float(stdtr(degrees, -abs(statistic)))

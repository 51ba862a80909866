"""How high is a rate, and do two rates differ?

Owns rates of people (redeemed, ordered, clicked) from counts: Wilson interval, difference with Newcombe's interval
and the pooled two-proportion z test, relative lift with the log interval. All four are computed by statsmodels. The
promise: the test is made on the absolute scale, the lift only shows size, so a p value never contradicts another p
value.
"""

import math
from dataclasses import dataclass

from core.statistics.estimates import Comparison, Interval, critical_value, shown_p


@dataclass(frozen=True, slots=True)
class Count:
    """`hits` people out of `n` did it. ValueError unless 0 <= hits <= n.

    Where people were drawn together, `units` counts what was drawn and `design_effect` says how many times as wide the
    squared error is as that of as many people drawn one by one: what is computed here then rests on n / design_effect
    people (Rao and Scott 1992).
    """

    hits: int
    n: int
    design_effect: float = 1.0
    units: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"hits lie between 0 and n, not {self.hits} of {self.n}")

    @property
    def rate(self) -> float:
        """Hits per person, 0..1; nan when there is nobody."""
        return self.hits / self.n if self.n else math.nan

    @property
    def effective(self) -> tuple[float, float]:
        """Hits and people that say as much, drawn one by one; the counts themselves without a design effect."""
        if self.design_effect == 1.0:
            return self.hits, self.n
        return self.hits / self.design_effect, self.n / self.design_effect


def rate(count: Count, *, confidence: float = 0.95) -> Interval:
    """The rate of one group with its Wilson score interval (Wilson 1927); all nan when there is nobody."""
    critical_value(confidence)
    if not count.n:
        return Interval(math.nan, math.nan, math.nan, 0, "Wilson", confidence)
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(*count.effective, alpha=1 - confidence, method="wilson")
    # At 0 and at n the limit is exact; rounding must not push it past the estimate or out of 0..1.
    low = 0.0 if count.hits == 0 else float(low)
    high = 1.0 if count.hits == count.n else float(high)
    return Interval(count.rate, low, high, count.n, "Wilson", confidence)


def compare_rates(count: Count, *, against: Count, confidence: float = 0.95) -> Comparison:
    """The difference of two rates: Newcombe's hybrid score interval and the pooled two-proportion z test.

    Newcombe (1998), method 10. All nan when a group is empty. When nobody or everybody in both groups did it, the
    interval stands but statistic and p value are nan: without any spread there is nothing to test.
    """
    critical_value(confidence)
    method = "pooled z, Newcombe"
    if not (count.n and against.n):
        return Comparison(math.nan, math.nan, math.nan, math.nan, math.nan, count.n, against.n, method, confidence)
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    (hits, people), (hits_against, people_against) = count.effective, against.effective
    low, high = confint_proportions_2indep(
        hits, people, hits_against, people_against, method="newcomb", compare="diff", alpha=1 - confidence
    )
    statistic = p_value = math.nan
    if 0 < count.hits + against.hits < count.n + against.n:
        statistic, p_value = proportions_ztest([hits, hits_against], [people, people_against])
    return Comparison(
        count.rate - against.rate, max(-1.0, float(low)), min(1.0, float(high)),
        shown_p(p_value), float(statistic), count.n, against.n, method, confidence,
    )  # fmt: skip


def lift_of_rates(count: Count, *, against: Count, confidence: float = 0.95) -> Interval:
    """The relative lift rate / rate of the other - 1 with Katz's log interval (1978); `n` counts both groups.

    0.2 means a fifth more. The estimate is nan when a group is empty or the other group's rate is 0 (more than
    nothing has no percentage). The limits are nan as well when nobody here did it, or when everybody in both groups
    did.
    """
    critical_value(confidence)
    n = count.n + against.n
    if not (count.n and against.n and against.hits):
        return Interval(math.nan, math.nan, math.nan, n, "log (Katz)", confidence)
    estimate = count.rate / against.rate - 1
    if not count.hits or count.hits + against.hits == n:
        return Interval(estimate, math.nan, math.nan, n, "log (Katz)", confidence)
    from statsmodels.stats.proportion import confint_proportions_2indep

    (hits, people), (hits_against, people_against) = count.effective, against.effective
    low, high = confint_proportions_2indep(
        hits, people, hits_against, people_against, method="log", compare="ratio", alpha=1 - confidence
    )
    return Interval(estimate, float(low) - 1, float(high) - 1, n, "log (Katz)", confidence)

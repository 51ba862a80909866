"""Did the arms get the people they were configured to get?

Owns the sample-ratio check, the first thing to read in any report: a split that is not the configured one means that
something between assignment and counting lost people, and no difference below it can be trusted. The promise: it
compares with the *configured* weights, so an intended 95 to 5 split raises no alarm, and a false alarm comes once in
a thousand.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.statistics.estimates import SMALLEST_P, shown_p

THRESHOLD = 0.001
FEWEST_EXPECTED = 5
"""With fewer people expected in an arm chi-square is no guide (Cochran 1954): no alarm is raised."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The check's answer: people seen and expected per arm, chi-square, its p value, and whether it raises the alarm.

    `p_value` is nan with fewer than two arms of positive weight, or nobody assigned.
    """

    observed: dict[str, int]
    expected: dict[str, float]
    chi_squared: float
    p_value: float
    mismatch: bool
    n: int
    method: str = "chi-square on configured weights"


def sample_ratio(
    observed: Mapping[str, int], weights: Mapping[str, float], *, threshold: float = THRESHOLD
) -> SampleRatio:
    """Pearson's chi-square of people per arm against the configured weights (any scale), flagged below `threshold`.

    An arm that appears in `weights` alone counts as 0 people. People in an arm of weight 0, or of no weight, are
    always a mismatch: chi-square is infinite. ValueError for negative counts or weights, or no positive weight.
    """
    arms = {**weights, **dict.fromkeys(arm for arm in observed if arm not in weights)}
    seen = {arm: observed.get(arm, 0) for arm in arms}
    weight = {arm: weights.get(arm, 0.0) for arm in arms}
    total_weight = math.fsum(weight.values())
    if min(seen.values(), default=0) < 0 or min(weight.values(), default=0) < 0 or not 0 < total_weight < math.inf:
        raise ValueError("counts and weights are never negative, and at least one weight is above 0")
    n = sum(seen.values())
    expected = {arm: n * weight[arm] / total_weight for arm in arms}
    if any(seen[arm] and not weight[arm] for arm in arms):
        return SampleRatio(seen, expected, math.inf, SMALLEST_P, True, n)
    open_arms = [arm for arm in arms if weight[arm]]
    if len(open_arms) < 2 or not n:
        return SampleRatio(seen, expected, math.nan, math.nan, False, n)
    from statsmodels.stats.gof import chisquare

    chi_squared, p_value = chisquare([seen[arm] for arm in open_arms], [expected[arm] for arm in open_arms])
    enough = min(expected[arm] for arm in open_arms) >= FEWEST_EXPECTED
    return SampleRatio(seen, expected, float(chi_squared), shown_p(p_value), bool(enough and p_value < threshold), n)

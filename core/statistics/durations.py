"""How long do people take to redeem, when some are still within their time?

Owns the curve of redemption over time (one minus the Kaplan-Meier estimate, computed by statsmodels) from counts per
day, so that a campaign that still runs is not judged by its first week. The promise: people still waiting count as
long as they were watched, and nothing is said about days that nobody has reached.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.statistics.estimates import Interval, critical_value

METHOD = "Kaplan-Meier, log-log"


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of all `n` people who have redeemed by each time in `times` (only times with a redemption, ascending).

    `lows` and `highs` hold the log-log limits (nan where everybody has redeemed); `watched_until` is the longest time
    anybody was followed, nan for nobody.
    """

    times: tuple[float, ...]
    shares: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    n: int
    redeemed: int
    watched_until: float
    confidence: float

    def share_by(self, time: float) -> Interval:
        """The share redeemed by `time`, 0..1; nan after `watched_until`, 0 without limits before the first."""
        if not time <= self.watched_until:
            return Interval(math.nan, math.nan, math.nan, self.n, METHOD, self.confidence)
        reached = [index for index, at in enumerate(self.times) if at <= time]
        if not reached:
            return Interval(0.0, math.nan, math.nan, self.n, METHOD, self.confidence)
        last = reached[-1]
        return Interval(self.shares[last], self.lows[last], self.highs[last], self.n, METHOD, self.confidence)

    def time_until(self, share: float) -> Interval:
        """The first time by which `share` of *all* people have redeemed (0.5: the median), with its limits.

        nan when so many never did while watched: with 12 % redeeming there is no median. A high limit of nan means
        that it may never be reached. Brookmeyer and Crowley (1982) on the log-log scale.
        """
        if not 0 < share < 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        estimate = _first(self.times, self.shares, share)
        low = _first(self.times, self.highs, share)
        # Without limits at the very end (all redeemed) the end itself is the limit.
        high = _first(self.times, tuple(1.0 if math.isnan(low) else low for low in self.lows), share)
        if math.isnan(estimate):
            low = high = math.nan
        return Interval(estimate, low, high, self.n, METHOD, self.confidence)

    def usual_wait(self, part: float = 0.5) -> float:
        """The time by which `part` of the *redemptions* seen so far had come (0.5: the median wait of redeemers).

        It is freed of the pull of people still within their time; nan when nobody redeemed.
        """
        if not 0 < part <= 1:
            raise ValueError(f"a part lies above 0 and up to 1, not {part}")
        return _first(self.times, self.shares, part * self.shares[-1]) if self.shares else math.nan


def redemption_curve(
    redeemed_after: Mapping[float, int], waiting_after: Mapping[float, int], *, confidence: float = 0.95
) -> Curve:
    """The curve from two tallies: people per days until they redeemed, and people not redeemed per days watched.

    `collections.Counter` of the days gives such a tally. Limits: Greenwood's variance on the log-log scale.
    ValueError for negative days or counts.
    """
    z = critical_value(confidence)
    rows = [(float(at), 1, people) for at, people in redeemed_after.items()]
    rows += [(float(at), 0, people) for at, people in waiting_after.items()]
    if any(people < 0 or not 0 <= at < math.inf for at, _, people in rows):
        raise ValueError("days and people are never negative")
    rows = [row for row in rows if row[2]]
    n = sum(people for _, _, people in rows)
    redeemed = sum(people for _, status, people in rows if status)
    watched = max((at for at, _, _ in rows), default=math.nan)
    if not redeemed:
        return Curve((), (), (), (), n, 0, watched, confidence)
    from statsmodels.duration.survfunc import SurvfuncRight

    times, statuses, weights = zip(*rows, strict=True)
    survival = SurvfuncRight(list(times), list(statuses), freq_weights=list(weights))
    shares, lows, highs = [], [], []
    greenwood = 0.0
    for remaining, at_risk, events in zip(survival.surv_prob, survival.n_risk, survival.n_events, strict=True):
        # With weights statsmodels gives another variance; Greenwood's is the one for counted people.
        greenwood = greenwood + events / (at_risk * (at_risk - events)) if at_risk > events else math.inf
        low, high = _limits(float(remaining), float(greenwood), z)
        shares.append(1 - float(remaining))
        lows.append(low)
        highs.append(high)
    return Curve(
        tuple(float(at) for at in survival.surv_times), tuple(shares), tuple(lows), tuple(highs),
        n, redeemed, watched, confidence,
    )  # fmt: skip


def _limits(remaining: float, greenwood: float, z: float) -> tuple[float, float]:
    """The limits of the share redeemed, log-log; nan when nobody is left to redeem."""
    if not 0 < remaining < 1 or math.isinf(greenwood):
        return math.nan, math.nan
    factor = math.exp(z * math.sqrt(greenwood) / -math.log(remaining))
    return 1 - remaining ** (1 / factor), 1 - remaining**factor


def _first(times: tuple[float, ...], shares: tuple[float, ...], wanted: float) -> float:
    """The first time at which the share is reached (a rounding error short of it counts), else nan."""
    return next((at for at, share in zip(times, shares, strict=True) if share >= wanted - 1e-12), math.nan)

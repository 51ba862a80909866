"""What would each arm of a step that learns have brought, had everybody got it?

Owns the weighted reading of arms that were drawn more and more unevenly: whoever redeemed counts as often as their arm
was unlikely at the moment of their drawing (inverse probability weights), so an arm that was tried mostly at a bad time
is not blamed for the time. Also compares how many were drawn with how many were to be, from the same probabilities.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, case, exists, func, select, type_coerce
from sqlalchemy.orm import Session

from core.statistics.estimates import Interval, finite_or_none
from core.statistics.samples import sample_ratio
from coupons.models import Redemption
from journeys.models import ArmBelief, ArmDraw, Enrolment, Journey
from reporting.audience import Frame

Z = 1.959963984540054


@dataclass(frozen=True)
class LearnedArm:
    """One arm of one step. `share` is the probability of being drawn now, `expected` the people to be drawn so far,
    `rate` the weighted share of redeemers; `split_p_value` is about all arms of the step (nan: nothing to check)."""

    step: str
    name: str
    assigned: int
    expected: float
    redeemed: int
    share: float
    rate: Interval
    split_p_value: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what is undefined is null."""
        return {"step": self.step, "name": self.name, "assigned": self.assigned, "expected": round(self.expected, 1),
                "redeemed": self.redeemed, "share_now": self.share, "rate": finite_or_none(self.rate.estimate),
                "rate_low": finite_or_none(self.rate.low), "rate_high": finite_or_none(self.rate.high),
                "split_p_value": finite_or_none(self.split_p_value)}


def learned_arms(session: Session, frame: Frame) -> tuple[LearnedArm, ...]:
    """Every arm of every best_arm step of the campaign, by step and name; empty when there is none."""
    beliefs = session.execute(
        select(ArmBelief.id, ArmBelief.step, ArmBelief.shares).join(Journey, Journey.id == ArmBelief.journey_id)
        .where(Journey.campaign_id == frame.campaign_id).order_by(ArmBelief.id)).all()
    if not beliefs:
        return ()
    drawn_us = type_coerce(ArmDraw.drawn_at, BigInteger)
    redeemed_us = type_coerce(Redemption.redeemed_at, BigInteger)
    hit = case((exists().where(
        Redemption.customer_id == ArmDraw.customer_id, Redemption.campaign == frame.key,
        Redemption.state == "redeemed", redeemed_us >= drawn_us, redeemed_us < frame.until_us), 1.0), else_=0.0)
    people = (
        select(ArmDraw.belief_id, ArmDraw.arm, ArmDraw.share, hit.label("hit"))
        .join(ArmBelief, ArmBelief.id == ArmDraw.belief_id).join(Journey, Journey.id == ArmBelief.journey_id)
        .join(Enrolment, Enrolment.id == ArmDraw.enrolment_id)
        # A person counts once, as in the whole report.
        .where(Journey.campaign_id == frame.campaign_id, Enrolment.entry == 1, drawn_us < frame.until_us)
        .subquery("drawn"))
    rows = session.execute(
        select(people.c.belief_id, people.c.arm, func.count(), func.sum(people.c.hit),
               func.sum(people.c.hit / people.c.share), func.sum(people.c.hit / people.c.share / people.c.share))
        .group_by(people.c.belief_id, people.c.arm)).all()
    found: list[LearnedArm] = []
    for step in sorted({row[1] for row in beliefs}):
        mine = {row[0]: row[2] for row in beliefs if row[1] == step}
        found += _of_step(step, mine, [tuple(row) for row in rows if row[0] in mine])
    return tuple(found)


def _of_step(
    step: str, beliefs: Mapping[int, Mapping[str, float]], rows: list[tuple[Any, ...]]
) -> list[LearnedArm]:
    names = sorted({name for shares in beliefs.values() for name in shares})
    observed = dict.fromkeys(names, 0)
    expected, sums, squares, hits = (dict.fromkeys(names, 0.0) for _ in range(4))
    for belief_id, arm, count, redeemed, weighted, squared in rows:
        observed[arm] = observed.get(arm, 0) + int(count)
        hits[arm] += float(redeemed or 0)
        sums[arm] += float(weighted or 0)
        squares[arm] += float(squared or 0)
        for name, share in beliefs[belief_id].items():
            expected[name] += int(count) * share
    total = sum(observed.values())
    p_value = sample_ratio(observed, expected).p_value if total else math.nan
    newest = beliefs[max(beliefs)]
    return [LearnedArm(step, name, observed[name], expected[name], int(hits[name]), newest.get(name, 0.0),
                       _weighted(sums[name], squares[name], total), p_value) for name in names]


def _weighted(total: float, squares: float, people: int) -> Interval:
    """The mean over everybody drawn of (redeemed / probability), 0 for those of other arms, with its 95 % interval."""
    if people < 2:
        return Interval(math.nan, math.nan, math.nan, people, "inverse probability weights")
    mean = total / people
    error = math.sqrt(max(squares / people - mean * mean, 0.0) / (people - 1))
    # Nobody has redeemed: no spread is seen, and nothing is known of the upper end.
    low, high = (max(0.0, mean - Z * error), min(1.0, mean + Z * error)) if error else (math.nan, math.nan)
    return Interval(mean, low, high, people, "inverse probability weights")

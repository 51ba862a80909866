"""Which arm does a best_arm step draw for whom?

Owns the bandit: what a step believes of its arms (Thompson: how often each is the best one in draws from the posterior,
never less than the floor), formed at most once an hour from people whose days are over, and each person's draw. The
promises: the belief and the probability of every draw are kept, so that reports can weight them; a passage keeps its
arm; the same facts give the same belief and the same draws on every database.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Table, func, select, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core.arrays import in_ids
from core.bulk import bulk_insert, reserve_ids
from core.database import Database
from core.types import MICROSECOND, from_us, to_us
from journeys.arms.outcomes import DAY_US, Came, outcomes
from journeys.graphs.graph import BestArm
from journeys.graphs.plans import Plan, load_plans
from journeys.graphs.steps import DRAWS, drawn
from journeys.models import ArmBelief, ArmDraw

BELIEF_LASTS = timedelta(hours=1)
UNUSED_LASTS = timedelta(days=1)
"""One that nobody has been drawn by is renewed less often."""
POSTERIOR_DRAWS = 4_000
FEWEST_ORDERERS = 5
"""With fewer people who ordered in an arm its margin is not judged: nobody's orders look like certainty."""
_DRAWS: Table = ArmDraw.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Belief:
    """The probability of each arm, for as long as it lasts."""

    id: int
    shares: Mapping[str, float]


def tick(database: Database, *, now: datetime) -> int:
    """Form anew the beliefs that are too old; returns how many. The counting holds nobody up."""
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
    formed = 0
    for plan in plans.values():
        for step in plan.graph.steps.values():
            if isinstance(step, BestArm):
                formed += _renew(database, plan, step, now_us=to_us(now))
    return formed


def _renew(database: Database, plan: Plan, step: BestArm, *, now_us: int) -> int:
    with database.reading() as session:
        connection = session.connection()
        newest, number = _newest(connection, plan, step)
        if newest is None:
            return 0
        used = connection.execute(select(ArmDraw.id).where(ArmDraw.belief_id == newest[0]).limit(1)).first()
        lasts = BELIEF_LASTS if used else UNUSED_LASTS
        # A clock that was set back finds a belief from its future: it holds until the clock has caught up.
        if now_us < newest[2] + lasts // MICROSECOND:
            return 0
        known = evidence(connection, plan, step, now_us=now_us)
    with database.writing() as session:
        _form(session.connection(), plan, step, known, number=number + 1, now_us=now_us)
    return 1


def belief_of(connection: Connection, plan: Plan, step: BestArm, *, now_us: int) -> Belief:
    """What holds now; the first one about these arms is formed here."""
    newest, number = _newest(connection, plan, step)
    if newest is None:
        known = evidence(connection, plan, step, now_us=now_us)
        newest = _form(connection, plan, step, known, number=number + 1, now_us=now_us)
    return Belief(newest[0], newest[1])


def _form(
    connection: Connection, plan: Plan, step: BestArm, known: Mapping[str, Came], *, number: int, now_us: int
) -> tuple[int, dict[str, float], int]:
    shares = shares_of(step, known, seed=f"{plan.journey_key}:{step.key}:{number}")
    insert: Any = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    # Of two workers one forms the belief; the other takes it.
    connection.execute(insert(ArmBelief).values(
        journey_id=plan.journey_id, step=step.key, number=number, shares=shares, formed_at=from_us(now_us),
        evidence={arm: {"people": each.people, "redeemers": each.redeemers, "margin_cents": each.margin}
                  for arm, each in known.items()},
    ).on_conflict_do_nothing())
    formed, _number = _newest(connection, plan, step)
    assert formed is not None
    return formed


def _newest(connection: Connection, plan: Plan, step: BestArm) -> tuple[tuple[int, dict[str, float], int] | None, int]:
    """The last belief about exactly these arms (versions may have different ones), and the last number given."""
    rows = connection.execute(
        select(ArmBelief.id, ArmBelief.shares, type_coerce(ArmBelief.formed_at, BigInteger), ArmBelief.number)
        .where(ArmBelief.journey_id == plan.journey_id, ArmBelief.step == step.key)
        .order_by(ArmBelief.number.desc()).limit(20)).all()
    mine = next(((row[0], row[1], row[2]) for row in rows if set(row[1]) == set(step.arms)), None)
    return mine, rows[0][3] if rows else 0


def evidence(connection: Connection, plan: Plan, step: BestArm, *, now_us: int) -> Mapping[str, Came]:
    """What came of everybody drawn at this step whose days are over: all had the same time."""
    drawn_us = type_coerce(ArmDraw.drawn_at, BigInteger)
    people = (
        select(ArmDraw.arm, ArmDraw.customer_id, drawn_us.label("since_us"))
        .join(ArmBelief, ArmBelief.id == ArmDraw.belief_id)
        .where(ArmBelief.journey_id == plan.journey_id, ArmBelief.step == step.key,
               drawn_us <= now_us - step.days * DAY_US)
        .subquery("drawn"))
    return outcomes(connection, people, campaign=plan.campaign, by=step.by, days=step.days, now_us=now_us)


def shares_of(step: BestArm, known: Mapping[str, Came], *, seed: str) -> dict[str, float]:
    """The probability of each arm: how often it is the best in draws from the posterior, above the floor."""
    arms = sorted(step.arms)
    even = dict.fromkeys(arms, 1 / len(arms))
    came = [known.get(arm, Came(0, 0)) for arm in arms]
    numbers = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    if step.by == "redemptions":
        draws = np.stack([numbers.beta(1 + each.redeemers, 1 + each.people - each.redeemers, POSTERIOR_DRAWS)
                          for each in came])
    else:
        if any(each.orderers < FEWEST_ORDERERS or each.unknown for each in came):
            return even
        draws = np.stack([numbers.normal(each.moments.mean, each.moments.squared_error ** 0.5, POSTERIOR_DRAWS)
                          for each in came])
    best = np.bincount(draws.argmax(axis=0), minlength=len(arms)) / POSTERIOR_DRAWS
    floor = step.floor_percent / 100
    return {arm: round(floor + (1 - floor * len(arms)) * share, 12)
            for arm, share in zip(arms, best.tolist(), strict=True)}


def draw_arms(
    connection: Connection, plan: Plan, step: BestArm, *, enrolment_ids: Sequence[int], customer_ids: Sequence[int],
    external_ids: Sequence[str], entered_us: Sequence[int], held: Sequence[bool], now_us: int,
) -> list[str]:
    """The arm of each person, the one drawn before if there is one; new draws are kept, of people left alone none."""
    known: dict[int, str] = dict(connection.execute(
        select(ArmDraw.enrolment_id, ArmDraw.arm)
        .where(ArmDraw.step == step.key, in_ids(ArmDraw.enrolment_id, enrolment_ids))).all())
    belief = belief_of(connection, plan, step, now_us=now_us)
    arms = sorted(belief.shares)
    ends = np.cumsum([belief.shares[arm] for arm in arms])
    ends = ends / ends[-1] * DRAWS
    ends[-1] = DRAWS  # the sum may miss 1 by a rounding
    # Per person and passage: who comes again is drawn anew, and not on the same side for ever.
    lots = drawn(f"{plan.journey_key}:{step.key}", [f"{key}:{entered}" for key, entered in
                                                    zip(external_ids, entered_us, strict=True)])
    chosen = [arms[place] for place in np.searchsorted(ends, lots, side="right").tolist()]
    # Whoever was moved to a version without their arm goes one of the ways there are. What is kept is the first draw:
    # reports count people by what was drawn for them, with the probability it was drawn with.
    result = [known[enrolment_id] if known.get(enrolment_id) in step.next else arm
              for enrolment_id, arm in zip(enrolment_ids, chosen, strict=True)]
    new = [place for place, enrolment_id in enumerate(enrolment_ids) if enrolment_id not in known and not held[place]]
    bulk_insert(connection, _DRAWS, {
        "id": reserve_ids(connection, _DRAWS, len(new)),
        "enrolment_id": [enrolment_ids[place] for place in new], "step": [step.key] * len(new),
        "belief_id": [belief.id] * len(new), "customer_id": [customer_ids[place] for place in new],
        "arm": [result[place] for place in new], "share": [belief.shares[result[place]] for place in new],
        "drawn_at": [now_us] * len(new),
    })
    return result


def beliefs(connection: Connection, journey_id: int) -> dict[str, dict[str, float]]:
    """Step -> what it believes now, for pages."""
    rows = connection.execute(
        select(ArmBelief.step, ArmBelief.shares).where(
            ArmBelief.journey_id == journey_id,
            ArmBelief.id.in_(select(func.max(ArmBelief.id)).where(ArmBelief.journey_id == journey_id)
                             .group_by(ArmBelief.step))))
    return {row[0]: row[1] for row in rows}


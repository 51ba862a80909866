"""Which arm goes to the rest who wait at a split?

Owns the winner of a split: judged by redemptions or margin, never by opens. The promise: an arm wins only when people
were drawn as planned, and then only when the always-valid test says so for it against every other arm, or the declared
number of people is reached and all of them had their days; or when somebody decides by hand, by name. Decided once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import combinations

from sqlalchemy import BigInteger, Connection, select, type_coerce, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from core.statistics.multiplicity import adjust
from core.statistics.samples import sample_ratio
from core.statistics.sequential import PLANNED_PEOPLE, always_valid_means, always_valid_rates
from core.types import to_us
from journeys.arms.outcomes import DAY_US, Came, outcomes
from journeys.graphs.graph import Graph, Rest, Split
from journeys.graphs.plans import Plan, load_plans
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Journey, Version, Visit, Winner

ALPHA = 0.05
LOOKS = timedelta(hours=1)
"""How often an open decision is looked at again; the always-valid test allows any number of looks."""
WON = "the arm that won"
"""What stands at the visits of people of the rest; nobody is counted twice by it."""
FEWEST_ORDERERS = 5


def tick(database: Database, *, now: datetime) -> int:
    """Look at every open decision whose turn it is; returns how many were decided."""
    decided = 0
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
        open_ = _open(session.connection(), plans, now=now)
    for plan, step in open_:
        with database.writing() as session:
            decided += _look(session, plan, step, now=now)
    return decided


def _open(connection: Connection, plans: Mapping[int, Plan], *, now: datetime) -> list[tuple[Plan, Split]]:
    newest = {(plan.journey_id, step.key): (plan, step) for plan in plans.values()
              for step in plan.graph.steps.values() if isinstance(step, Split) and step.rest is not None}
    if not newest:
        return []
    rows = connection.execute(select(Winner.journey_id, Winner.step, Winner.arm, Winner.looked_at))
    for journey_id, step, arm, looked_at in rows:
        # A clock that was set back: what was looked at in its future may be looked at now.
        if arm is not None or looked_at <= now < looked_at + LOOKS:
            newest.pop((journey_id, step), None)
    return list(newest.values())


def _look(session: Session, plan: Plan, step: Split, *, now: datetime) -> int:
    assert step.rest is not None
    connection = session.connection()
    # Counted before anything is locked: it may take a while, and people are walked meanwhile.
    people, youngest_us = came_of(connection, plan, step, step.rest, now=now)
    found = _row(session, plan.journey_id, step.key, now)
    if found.arm is not None:
        return 0
    planned = session.get_one(Campaign, plan.campaign_id).planned_people
    ripe = youngest_us is not None and youngest_us + step.rest.days * DAY_US <= to_us(now)
    arm, reason = judge(step, step.rest, people, planned_people=planned, ripe=ripe)
    found.reason, found.looked_at = reason, now
    if arm is None:
        return 0
    _settle(session, found, arm, now=now)
    return 1


def _row(session: Session, journey_id: int, step: str, now: datetime) -> Winner:
    """The decision's row, locked."""
    session.execute(select(Journey.id).where(Journey.id == journey_id).with_for_update())
    found = session.scalars(select(Winner).where(Winner.journey_id == journey_id, Winner.step == step)).one_or_none()
    if found is None:
        found = Winner(journey_id=journey_id, step=step, reason="", looked_at=now)
        session.add(found)
        session.flush()
    return found


def _settle(session: Session, found: Winner, arm: str, *, now: datetime) -> None:
    found.arm, found.decided_at, found.looked_at = arm, now, now
    session.flush()
    session.execute(
        update(Enrolment).where(Enrolment.journey_id == found.journey_id, Enrolment.state == "active",
                                Enrolment.step == found.step, Enrolment.due_at > now)
        .values(due_at=now).execution_options(synchronize_session=False))


def came_of(
    connection: Connection, plan: Plan, step: Split, rest: Rest, *, now: datetime
) -> tuple[Mapping[str, Came], int | None]:
    """What came of each arm so far, and when the last person was drawn, in microseconds."""
    left_us = type_coerce(Visit.left_at, BigInteger)
    people = (
        select(Visit.outcome.label("arm"), Enrolment.customer_id, left_us.label("since_us"))
        .join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(Enrolment.journey_id == plan.journey_id, Enrolment.held_out.is_(False), Visit.step == step.key,
               Visit.outcome.in_([name for name, _share in step.arms]), Visit.detail.is_(None))
        .subquery("drawn"))
    youngest = connection.execute(select(people.c.since_us).order_by(people.c.since_us.desc()).limit(1)).scalar()
    return outcomes(connection, people, campaign=plan.campaign, by=rest.by, days=rest.days, now_us=to_us(now)), youngest


def judge(
    step: Split, rest: Rest, people: Mapping[str, Came], *, planned_people: int | None, ripe: bool
) -> tuple[str | None, str]:
    """The arm that has won, or None, and why. `ripe`: everybody drawn so far had their days."""
    arms = sorted(name for name, _share in step.arms)
    came = {arm: people.get(arm, Came(0, 0)) for arm in arms}
    total = sum(each.people for each in came.values())
    if min(each.people for each in came.values()) < 2:
        return None, "Too few people have been drawn yet."
    ratio = sample_ratio({arm: each.people for arm, each in came.items()}, dict(step.arms))
    if ratio.mismatch:
        drawn = ", ".join(f"{arm} {each.people:,}" for arm, each in came.items())
        return None, f"No arm can win: people were not drawn as planned ({drawn}). Find out why."
    if rest.by == "margin" and any(each.unknown for each in came.values()):
        return None, "No arm can win: cost or VAT rate of some of the goods ordered is not known."
    if rest.by == "margin" and min(each.orderers for each in came.values()) < FEWEST_ORDERERS:
        return None, "Too few people have ordered yet to compare margins."
    leader = max(arms, key=lambda arm: (_value(came[arm], rest), arm))
    numbers = ", ".join(f"{arm} {_shown(came[arm], rest)}" for arm in arms)
    pairs = list(combinations(arms, 2))
    planned = planned_people or PLANNED_PEOPLE
    sure = dict(zip(pairs, adjust([_p_value(came[one], came[other], rest, planned) for one, other in pairs]),
                    strict=True))
    worst = max(p if p == p else 1.0 for pair, p in sure.items() if leader in pair)
    if worst < ALPHA:
        return leader, f"{leader} has won: {numbers} (always-valid p {worst:.3f})."
    if planned_people is not None and total >= planned_people and ripe:
        return leader, f"The declared {planned_people:,} people are reached and {leader} is ahead: {numbers}."
    return None, f"No arm has won yet: {numbers} (always-valid p {worst:.2f})."


def _value(came: Came, rest: Rest) -> float:
    return came.redeemers / came.people if rest.by == "redemptions" else came.margin / came.people


def _shown(came: Came, rest: Rest) -> str:
    value = _value(came, rest)
    return f"{100 * value:.1f} %" if rest.by == "redemptions" else f"{value / 100:.2f} a person"


def _p_value(one: Came, other: Came, rest: Rest, planned: int) -> float:
    if rest.by == "redemptions":
        return always_valid_rates(one.count, against=other.count, planned_people=planned).p_value
    return always_valid_means(one.moments, against=other.moments, planned_people=planned).p_value


def decide(session: Session, key: str, step: str, arm: str, *, author: str, now: datetime) -> Winner:
    """Send an arm to the rest by hand. Raises NotFound, Invalid, Conflict when it is decided already."""
    journey = session.scalars(select(Journey).where(Journey.key == key)).one_or_none()
    if journey is None:
        raise NotFound(f"There is no journey called {key[:100]}.")
    split = splits_with_rest(session, journey).get(step)
    if split is None:
        raise NotFound(f"No split of {journey.name} is called {step[:60]} and keeps a rest back.")
    if arm not in split.next:
        raise Invalid(f"Name one of the arms {', '.join(sorted(split.next))}.", place="arm")
    found = _row(session, journey.id, step, now)
    if found.arm is not None:
        raise Conflict(f"{found.arm} goes to the rest already. Nothing was changed.")
    found.author, found.reason = author, f"{author} chose {arm} by hand. {found.reason}".strip()[:400]
    _settle(session, found, arm, now=now)
    return found


def winners(connection: Connection, journey_id: int) -> dict[str, str]:
    """Step -> the arm that goes to its rest, where that is decided."""
    rows = connection.execute(
        select(Winner.step, Winner.arm).where(Winner.journey_id == journey_id, Winner.arm.is_not(None)))
    return {row[0]: row[1] or "" for row in rows}


def splits_with_rest(session: Session, journey: Journey) -> dict[str, Split]:
    """Step -> the split, of every published version that keeps a rest back; the newest version speaks."""
    graphs: list[Graph] = [parse_graph(written) for written in session.scalars(
        select(Version.graph).where(Version.journey_id == journey.id).order_by(Version.number))]
    return {step.key: step for graph in graphs for step in graph.steps.values()
            if isinstance(step, Split) and step.rest is not None}


def decisions(session: Session, journey: Journey) -> list[tuple[Split, Winner | None]]:
    """Each split that keeps a rest back, with what is decided (None: not looked at yet)."""
    found = {row.step: row for row in session.scalars(select(Winner).where(Winner.journey_id == journey.id))}
    return [(split, found.get(step)) for step, split in sorted(splits_with_rest(session, journey).items())]

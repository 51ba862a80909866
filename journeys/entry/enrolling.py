"""Whom does a journey take in by itself: its segment's members, at the start or whenever its schedule rings?

Owns drawing the audience of a version. A drawing at the start is a snapshot: cut short, it goes on with the same
instant's members. A schedule rings by the wall clock of the campaign's time zone; rings that were missed while nothing
ran are one ring, and none is repeated by a crash.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.database import Database
from journeys.entry import ringing
from journeys.entry.admitting import enrol_all
from journeys.entry.allotting import allot
from journeys.entry.doors import same_door
from journeys.entry.households import HOUSEHOLD, best_first, others_of_homes
from journeys.entry.ranking import best
from journeys.graphs.plans import Plan, load_plans
from journeys.models import Version
from segments.engines.questions import Questions
from segments.saving.saved import segment_rule

log = logging.getLogger("winback.journeys")


def tick(database: Database, *, now: datetime, limit: int, questions: Questions, secret_key: str) -> int:
    """Draw every audience that is due; returns how many people were enrolled. `limit` is people per transaction."""
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
    newest = {plan.journey_id: plan for plan in plans.values()}
    entered = 0
    for plan in newest.values():
        if (plan.starts_at is not None and plan.starts_at > now) or (plan.ends_at is not None and plan.ends_at <= now):
            continue
        if plan.graph.draws and not plan.drawn:
            entered += _draw(database, plan, now=now, limit=limit, questions=questions, secret_key=secret_key)
        elif plan.graph.entry.schedule is not None:
            entered += ringing.ring(database, same_door(plans, plan), now=now, limit=limit, questions=questions)
    return entered


def _draw(
    database: Database, plan: Plan, *, now: datetime, limit: int, questions: Questions, secret_key: str
) -> int:
    with database.writing() as session:
        as_of = _begin(session, plan, now=now)
        rule = segment_rule(session, plan.graph.segment, version=plan.segments[plan.graph.segment])
    members: Sequence[int] = questions.ids(rule, as_of=as_of, now=now).value
    if plan.graph.entry.top is not None and plan.ranking is not None:
        with database.reading() as session:
            if plan.graph.unit == HOUSEHOLD:  # the best of each household compete, as the reach says
                others = others_of_homes(session.connection(), members)
                members = [each for each in members if each not in others]
            members = best(session.connection(), members, plan.ranking, plan.graph.entry.top, as_of=as_of)
    elif plan.graph.unit == HOUSEHOLD:
        with database.reading() as session:
            members = best_first(session.connection(), members)
    entered, whole = enrol_all(database, plan, members, limit=limit, now=now)
    if not whole:
        return entered
    with database.writing() as session:
        # With the end of the drawing: before it nobody passes a step that speaks to the best first.
        allot(session, plan, as_of=as_of, now=now, secret_key=secret_key)
        session.execute(update(Version).where(Version.id == plan.version_id, Version.entered_at.is_(None))
                        .values(entered_at=now))
    log.info("%s: %s of %s members entered", plan.journey_key, entered, len(members))
    return entered


def _begin(session: Session, plan: Plan, *, now: datetime) -> datetime:
    """The instant whose members enter: now, or that of a drawing which was cut short."""
    version = session.execute(select(Version).where(Version.id == plan.version_id).with_for_update()).scalar_one()
    if version.drawing_as_of is None:
        version.drawing_as_of = now
        session.flush()
    return version.drawing_as_of

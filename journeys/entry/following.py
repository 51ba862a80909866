"""Who came into a journey's segment, or left it, since we last looked?

Owns the entry by coming in and by leaving: the log of the segment is followed by a saved cursor, one published refresh
after the other. The promises: whoever was in, or had left, before the journey was published does not enter; nobody
enters twice, however often a crash repeats a refresh; and whoever is in because the rule was changed, or because the
segment was looked at for the first time, has not come in.
"""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.cursors import advance, position
from core.database import Database
from journeys.entry.admitting import enrol, may_enter
from journeys.graphs.graph import LEAVING, Graph
from journeys.graphs.plans import Plan, load_plans
from journeys.graphs.reading import parse_graph
from journeys.models import Journey, Version
from segments.membership.stays import moved, refreshes
from segments.models import Segment, SegmentRefresh
from segments.saving.saved import segment_by_key

log = logging.getLogger("winback.journeys")

NOBODY_MOVED = ("first", "rule")
"""Causes of refreshes that let people in who had not moved: only our question was new."""


def begin(session: Session, version: Version, graph: Graph, *, before: Version | None) -> None:
    """Set the cursor of a version about to be published; the caller holds the segment, so no refresh slips between.

    A version that follows the same door as the one `before` goes on where that one stands: who came in meanwhile is
    not forgotten. Any other begins with the segment as it is.
    """
    if graph.on is None:
        return
    connection = session.connection()
    if before is not None:
        was = parse_graph(before.graph)
        if (was.segment, was.on) == (graph.segment, graph.on):
            advance(connection, _reader(version.id), position(connection, _reader(before.id)))
            return
    newest = session.scalar(select(Segment.refresh_id).where(Segment.key == graph.segment))
    advance(connection, _reader(version.id), newest or 0)


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Enrol everybody who came in, or left, since last time; returns how many. `limit` is people per transaction.

    While a journey is paused nobody enters; who moved meanwhile does when it goes on.
    """
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
    newest = {plan.journey_id: plan for plan in plans.values()}
    entered = 0
    for plan in newest.values():
        begun = plan.starts_at is None or plan.starts_at <= now
        if plan.graph.on is not None and begun and (plan.ends_at is None or now < plan.ends_at):
            entered += _follow(database, plan, now=now, limit=limit)
    return entered


def _follow(database: Database, plan: Plan, *, now: datetime, limit: int) -> int:
    with database.reading() as session:
        segment = segment_by_key(session, plan.graph.segment)
        news = refreshes(session, segment.id, after=position(session.connection(), _reader(plan.version_id)))
    entered = 0
    for refresh in news:
        too_early = plan.starts_at is not None and refresh.as_of < plan.starts_at
        if refresh.cause not in NOBODY_MOVED and not too_early:
            found = _let_in(database, plan, refresh, now=now, limit=limit)
            if found is None:
                return entered
            entered += found
        # Last, and harmless to lose: the people of a refresh that is read again are inside already.
        database.small(lambda connection, number=refresh.id: advance(  # type: ignore[misc]
            connection, _reader(plan.version_id), number))
    if entered:
        log.info("%s: %s people entered by %s %s", plan.journey_key, entered, plan.graph.on, plan.graph.segment)
    return entered


def _let_in(
    database: Database, plan: Plan, refresh: SegmentRefresh, *, now: datetime, limit: int
) -> int | None:
    """Enrol the people whom one refresh let in, or let go; None when the journey stopped meanwhile."""
    entered, after = 0, 0
    while True:
        with database.writing() as session:
            people = moved(session, refresh, left=plan.graph.on == LEAVING, after=after, limit=limit)
            if not people:
                return entered
            if not may_enter(session, plan) or _overtaken(session, plan):
                return None
            entered += enrol(session, plan, people, cause=f"refresh:{refresh.id}", now=now)
        after = people[-1]


def _overtaken(session: Session, plan: Plan) -> bool:
    """Whether a newer version was published since the plan was read: it goes on from here."""
    newest = session.scalar(select(Version.id).join(Journey, Journey.id == Version.journey_id)
                            .where(Journey.id == plan.journey_id).order_by(Version.number.desc()).limit(1))
    return newest != plan.version_id


def _reader(version_id: int) -> str:
    return f"journeys.door:{version_id}"

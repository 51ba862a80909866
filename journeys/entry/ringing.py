"""When does a journey's schedule let its segment's members in?

Owns the entry by a schedule. It rings by the wall clock of the campaign's time zone; rings that were missed while
nothing ran, or while the journey was paused, are one ring, and none lets anybody in twice after a crash.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from core.cursors import advance, position
from core.database import Database
from core.types import MICROSECOND, to_us
from journeys.entry.admitting import enrol_all
from journeys.entry.households import HOUSEHOLD, best_first
from journeys.graphs.cron import last_ring, next_ring, read_cron
from journeys.graphs.plans import Plan
from segments.engines.questions import Questions
from segments.saving.saved import segment_rule

log = logging.getLogger("winback.journeys")


def next_ring_of(plan: Plan, *, after: datetime) -> datetime | None:
    """When the schedule of a version rings next within its window; None when it does not."""
    schedule = plan.graph.entry.schedule
    if schedule is None:
        return None
    begins = after if plan.starts_at is None else max(after, plan.starts_at - MICROSECOND)
    found = next_ring(read_cron(schedule), plan.timezone, after=begins)
    return None if found is None or (plan.ends_at is not None and found >= plan.ends_at) else found


def ring(
    database: Database, row: Sequence[Plan], *, now: datetime, limit: int, questions: Questions
) -> int:
    """Let the segment's members in if the schedule of the last of these versions rang since the last time; `row` are
    those that ring by it, oldest first. Returns how many entered; `limit` is people per transaction."""
    plan, since = row[-1], row[0].published_at
    rang_at = last_ring(read_cron(plan.graph.entry.schedule or ""), plan.timezone, now=now)
    if rang_at is None or rang_at < max(since, plan.starts_at or since):
        return 0
    reader, rang_us = _reader(plan), to_us(rang_at)
    with database.reading() as session:
        if any(position(session.connection(), _reader(each)) >= rang_us for each in row):
            return 0
        rule = segment_rule(session, plan.graph.segment, version=plan.segments[plan.graph.segment])
    members: Sequence[int] = questions.ids(rule, as_of=now, now=now).value
    if plan.graph.unit == HOUSEHOLD:
        with database.reading() as session:
            members = best_first(session.connection(), members)
    entered, whole = enrol_all(database, plan, members, limit=limit, now=now,
                               cause=f"schedule:{rang_at:%Y-%m-%dT%H:%MZ}")
    if not whole:
        return entered
    # Last: a ring that is repeated after a crash lets nobody in twice.
    database.small(lambda connection: advance(connection, reader, rang_us))
    log.info("%s: %s of %s members entered by the schedule", plan.journey_key, entered, len(members))
    return entered


def _reader(plan: Plan) -> str:
    return f"journeys.schedule:{plan.version_id}"

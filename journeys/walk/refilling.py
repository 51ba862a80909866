"""Has a pool been filled for which people wait?

Owns waking those who stand at a send, or where a code is given, because its offer's pool had no code left: as soon as
more codes have come, by whatever door, they are due at once. How many codes had come when it looked last is a cursor,
so nothing is looked up while none come; a crash in between wakes them again, which is harmless.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select, update

from core.arrays import in_ids
from core.cursors import advance, position
from core.database import Database
from coupons.models import Batch
from journeys.graphs.graph import Give, Send
from journeys.graphs.plans import load_plans
from journeys.models import Enrolment
from journeys.walk.walking import POOL_LOOK_US

READER = "journeys.pools"
"""Cursor: how many codes had come with all batches."""

Waits = tuple[int, Sequence[str]]
"""A version and its steps where people may wait for a code of a pool that codes have come to."""


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Make due who waits for a code, at most `limit` people in a transaction; returns how many."""
    with database.reading() as session:
        connection = session.connection()
        came = connection.scalar(select(func.coalesce(func.sum(Batch.codes), 0))) or 0
        if came <= position(connection, READER):
            return 0
        waits = _waits(connection)
    woken = 0
    for wait in waits:
        while count := database.small(partial(_wake, wait=wait, now=now, limit=limit)):
            woken += count
    database.small(lambda connection: advance(connection, READER, came))
    return woken


def _waits(connection: Connection) -> list[Waits]:
    pools = set(connection.scalars(select(Batch.offer_id).distinct()))
    found: list[Waits] = []
    for version_id, plan in load_plans(connection, states=("running",)).items():
        steps = [name for name, step in plan.graph.steps.items()
                 if isinstance(step, Send | Give) and step.offer is not None and plan.offers[step.offer] in pools]
        if steps:
            found.append((version_id, steps))
    return found


def _wake(connection: Connection, *, wait: Waits, now: datetime, limit: int) -> int:
    """Who stands at a send and is due within the time after which it would look again waits for a code."""
    version_id, steps = wait
    waiting = (
        select(Enrolment.id)
        .where(Enrolment.version_id == version_id, Enrolment.step.in_(steps), Enrolment.state == "active",
               Enrolment.due_at > now, Enrolment.due_at <= now + timedelta(microseconds=POOL_LOOK_US))
        .order_by(Enrolment.id).limit(limit).with_for_update(skip_locked=True))
    ids = connection.scalars(waiting).all()
    if not ids:
        return 0
    return connection.execute(update(Enrolment).where(in_ids(Enrolment.id, ids)).values(due_at=now)).rowcount

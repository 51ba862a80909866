"""Which segments are due for a refresh, and who does it?

Owns the duty of keeping members right without being asked. Changed facts make those segments stale that read them,
told by the list of changes; time alone is waited for by `next_change_at`. Neither is looked at more often than a
segment's own `refresh_seconds`. A segment that fails is set aside with its reason and tried again later.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from core import cursors
from core.database import Database
from core.errors import WinbackError
from segments.engines.questions import Questions
from segments.membership.reads import tables_read
from segments.membership.refreshing import refresh
from segments.models import Segment
from segments.saving.saved import resolved, segment_rule

log = logging.getLogger("winback.segments")

READER = "segments"
AFTER_FAILURE_SECONDS = 600


def tick(database: Database, *, now: datetime, limit: int, questions: Questions) -> int:
    """Refresh at most `limit` segments that are due; returns how many were. Safe to run in many processes."""
    mark_stale(database, now=now)
    with database.reading() as session:
        waiting = due(session, now=now, limit=limit)
    done = 0
    for key, cause in waiting:
        try:
            if refresh(database, questions, key, now=now, cause=cause) is not None:
                done += 1
        except WinbackError as error:
            _set_aside(database, key, str(error), now=now)
        except Exception:
            log.exception("the segment %s could not be refreshed", key)
            _set_aside(database, key, "The refresh failed for a reason that is in the log.", now=now)
    return done


def due(session: Session, *, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Keys of segments to refresh now, those waiting longest first, each with its cause: first, facts or time."""
    rows = session.execute(
        select(Segment.key, Segment.refresh_id, Segment.stale_at)
        .where(Segment.archived_at.is_(None), Segment.refresh_seconds.is_not(None), Segment.kind != "snapshot",
               or_(Segment.look_again_at.is_(None), Segment.look_again_at <= now),
               or_(Segment.refresh_id.is_(None), Segment.stale_at.is_not(None), Segment.next_change_at <= now))
        .order_by(Segment.refreshed_at.is_not(None), Segment.refreshed_at, Segment.id).limit(limit))
    return [(key, "first" if known is None else "time" if stale is None else "facts") for key, known, stale in rows]


def mark_stale(database: Database, *, now: datetime) -> int:
    """Note which segments read facts that changed since last time; returns how many were newly found stale."""
    with database.reading() as session:
        connection = session.connection()
        after = cursors.position(connection, READER)
        cursor, changed = cursors.changed_tables(connection, after=after)
        touched = _reading(session, changed) if changed else []
    if cursor == after:
        return 0
    with database.writing() as session:
        # In one transaction: a cursor never stands behind a change that nobody was told of.
        if touched:
            session.execute(update(Segment).where(Segment.id.in_(touched)).values(stale_at=now))
        cursors.advance(session.connection(), READER, cursor)
    return len(touched)


def _reading(session: Session, changed: set[str]) -> list[int]:
    found = []
    for segment_id, key in session.execute(
        select(Segment.id, Segment.key).where(Segment.archived_at.is_(None), and_(Segment.kind != "snapshot"))
    ).all():
        try:
            tables = tables_read(resolved(session.connection(), segment_rule(session, key)))
        except WinbackError:
            found.append(segment_id)  # the refresh will say what is wrong with it
            continue
        if tables & changed:
            found.append(segment_id)
    return found


def _set_aside(database: Database, key: str, why: str, *, now: datetime) -> None:
    log.warning("%s was not refreshed: %s", key, why)
    with database.writing() as session:
        segment = session.scalars(select(Segment).where(Segment.key == key).with_for_update()).one_or_none()
        if segment is not None:
            segment.refresh_error = why[:2000]
            segment.look_again_at = now + timedelta(
                seconds=max(AFTER_FAILURE_SECONDS, segment.refresh_seconds or AFTER_FAILURE_SECONDS))

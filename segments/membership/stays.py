"""Who is in a segment since its newest refresh, who came in and who left?

Owns reading members and the log of coming and going. Only what a published refresh wrote is seen, so nothing here is
ever half a refresh. To follow a segment, take its refreshes above the one you know: they are published in the order of
their numbers, so no number below a published one comes later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Table, and_, literal, or_, select, tuple_, type_coerce, union_all
from sqlalchemy.orm import Session

from core.types import from_us
from segments.models import Segment, SegmentMember, SegmentRefresh

MEMBERS: Table = SegmentMember.__table__  # type: ignore[assignment]
Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Member:
    """One person in a segment, and since when."""

    customer_id: int
    entered_at: datetime


@dataclass(frozen=True, order=True)
class Place:
    """Where a reader of the log stands: after this person of this refresh; those who left follow those who came."""

    refresh_id: int = 0
    left: bool = False
    customer_id: int = 0


@dataclass(frozen=True)
class Move:
    """One line of the log: the person came in or left, at an instant, by a refresh of a version of the rule."""

    place: Place
    at: datetime
    version: int


def standing(segment_id: int, refresh_id: int | None) -> ColumnElement[bool]:
    """The condition on `segment_members` that somebody is in since that refresh."""
    known = refresh_id or 0
    return and_(MEMBERS.c.segment_id == segment_id, MEMBERS.c.entered_by <= known,
                or_(MEMBERS.c.left_by.is_(None), MEMBERS.c.left_by > known))


def standing_ids(session: Session, segment: Segment) -> Ids:
    """The ids of everybody who is in, rising."""
    statement = select(MEMBERS.c.customer_id).where(standing(segment.id, segment.refresh_id))
    found = session.connection().execute(statement.order_by(MEMBERS.c.customer_id)).scalars().all()
    return np.fromiter(found, dtype=np.int64, count=len(found))


def members(session: Session, segment: Segment, *, after: int = 0, limit: int) -> list[Member]:
    """Those who are in, by rising customer id above `after`."""
    statement = (
        select(MEMBERS.c.customer_id, MEMBERS.c.entered_at)
        .where(standing(segment.id, segment.refresh_id), MEMBERS.c.customer_id > after)
        .order_by(MEMBERS.c.customer_id).limit(limit)
    )
    return [Member(customer_id, at) for customer_id, at in session.execute(statement)]


def refreshes(session: Session, segment_id: int, *, after: int = 0) -> list[SegmentRefresh]:
    """The published refreshes above number `after` in which somebody came or went, oldest first."""
    return list(session.scalars(
        select(SegmentRefresh).where(SegmentRefresh.segment_id == segment_id, SegmentRefresh.id > after,
                                     SegmentRefresh.published_at.is_not(None)).order_by(SegmentRefresh.id)))


def newest_refreshes(
    session: Session, segment_id: int, *, before: int | None = None, limit: int
) -> list[SegmentRefresh]:
    """The published refreshes, newest first, below number `before`."""
    statement = select(SegmentRefresh).where(SegmentRefresh.segment_id == segment_id,
                                             SegmentRefresh.published_at.is_not(None))
    if before is not None:
        statement = statement.where(SegmentRefresh.id < before)
    return list(session.scalars(statement.order_by(SegmentRefresh.id.desc()).limit(limit)))


def moved(session: Session, refresh: SegmentRefresh, *, left: bool, after: int = 0, limit: int) -> list[int]:
    """Whom a published refresh let in, or let go: customer ids, rising above `after`."""
    by = MEMBERS.c.left_by if left else MEMBERS.c.entered_by
    return list(session.scalars(
        select(MEMBERS.c.customer_id)
        .where(by == refresh.id, MEMBERS.c.segment_id == refresh.segment_id, MEMBERS.c.customer_id > after)
        .order_by(MEMBERS.c.customer_id).limit(limit)))


def moves(session: Session, segment: Segment, *, after: Place = Place(), limit: int) -> list[Move]:
    """The log of a segment after a place, in its order: by refresh, those who came before those who left."""
    parts = [_log(segment, left, after, limit) for left in (False, True)]
    log = union_all(*parts).subquery()
    rows = session.execute(select(log).order_by(log.c.refresh_id, log.c.went, log.c.customer_id).limit(limit)).all()
    versions = _versions(session, {row[0] for row in rows})
    return [Move(Place(refresh_id, bool(went), customer_id), from_us(at_us), versions[refresh_id])
            for refresh_id, went, customer_id, at_us in rows]


def _log(segment: Segment, left: bool, after: Place, limit: int) -> Any:
    by, at = (MEMBERS.c.left_by, MEMBERS.c.left_at) if left else (MEMBERS.c.entered_by, MEMBERS.c.entered_at)
    known = [MEMBERS.c.segment_id == segment.id, by <= (segment.refresh_id or 0)]
    if left == after.left:
        known.append(tuple_(by, MEMBERS.c.customer_id) > tuple_(literal(after.refresh_id), literal(after.customer_id)))
    else:
        known.append(by >= after.refresh_id if left else by > after.refresh_id)
    part = select(by.label("refresh_id"), literal(int(left)).label("went"), MEMBERS.c.customer_id,
                  type_coerce(at, BigInteger()).label("at_us"))
    return select(part.where(*known).order_by(by, MEMBERS.c.customer_id).limit(limit).subquery())


def _versions(session: Session, refresh_ids: Iterable[int]) -> dict[int, int]:
    found = select(SegmentRefresh.id, SegmentRefresh.version).where(SegmentRefresh.id.in_(sorted(refresh_ids)))
    return {row[0]: row[1] for row in session.execute(found)}


def newest_of_all(session: Session) -> dict[int, SegmentRefresh]:
    """The newest refresh in which somebody came or went, by segment id."""
    rows = session.scalars(select(SegmentRefresh).join(Segment, Segment.refresh_id == SegmentRefresh.id))
    return {row.segment_id: row for row in rows}


def refresh_numbered(session: Session, segment: Segment, number: int) -> SegmentRefresh | None:
    """One published refresh of a segment; None when there is none of that number."""
    found = session.get(SegmentRefresh, number)
    return found if found is not None and found.segment_id == segment.id and found.published_at is not None else None

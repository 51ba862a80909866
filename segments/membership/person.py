"""Which audiences has this person been in?

Owns one person's part of the segments, for their export, and taking a forgotten person off every list. A stay in a
segment says only when; it goes on without a name.
"""

from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from segments.models import ListedPerson, Segment, SegmentMember


def held_segments(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """This room's part of the export, as JSON values: lists the person is on, stays in segments, oldest first."""
    lists = session.execute(
        select(Segment.name, Segment.kind, ListedPerson.added_at)
        .join(ListedPerson, and_(ListedPerson.segment_id == Segment.id, ListedPerson.customer_id == customer_id)))
    published = Segment.refresh_id.is_not(None) & (SegmentMember.entered_by <= Segment.refresh_id)
    stays = session.execute(
        select(Segment.name, Segment.kind, SegmentMember.entered_at, SegmentMember.left_at,
               or_(SegmentMember.left_by.is_(None), SegmentMember.left_by > Segment.refresh_id))
        .join(SegmentMember, and_(SegmentMember.segment_id == Segment.id, SegmentMember.customer_id == customer_id))
        .where(published))
    found = [{"segment": name, "kind": kind, "since": at.isoformat(), "until": None} for name, kind, at in lists]
    found += [{"segment": name, "kind": kind, "since": since.isoformat(),
               "until": None if still or until is None else until.isoformat()}
              for name, kind, since, until, still in stays]
    return sorted(found, key=lambda stay: (str(stay["since"]), str(stay["segment"])))


def erase_listings(session: Session, customer_id: int) -> None:
    """Take the person off every static list and out of every snapshot."""
    session.execute(delete(ListedPerson).where(ListedPerson.customer_id == customer_id))

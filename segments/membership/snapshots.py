"""Who was in an audience at one instant, for good?

Owns freezing: the people a segment or a rule holds for now become a segment of their own that never changes. Campaigns,
journeys and rules name it by its key like any other; it remembers which rule and which instant it came from.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.bulk import chunks
from segments.engines.members import member_ids
from segments.language.conditions import InSegment, Rule
from segments.models import Segment, SegmentSnapshot
from segments.saving.lists import AT_ONCE, new_listed, write
from segments.saving.saved import segment_by_key, segment_rule


def freeze(
    session: Session, what: str | Rule, *, now: datetime, members: Sequence[int] | None = None, engine: str = "rows",
    key: str | None = None, name: str | None = None, author: str | None = None,
) -> Segment:
    """Freeze the segment with this key, or a rule, as a snapshot: a segment of kind snapshot.

    `members` are the ids the rule holds for as of `now` when an engine has answered already (`engine` says which);
    else the row store is asked. Without `key` and `name` they are made of the source's and the day. Raises NotFound.
    """
    source = segment_by_key(session, what) if isinstance(what, str) else None
    rule = segment_rule(session, what) if isinstance(what, str) else what
    if source is not None and source.kind != "rule":
        rule = InSegment(source.key)
    people = sorted(set(member_ids(session, rule, as_of=now) if members is None else members))
    day = f"{now:%Y-%m-%d}"
    title = name or f"{source.name[:180] if source else 'Snapshot'}, {now:%d %b %Y}"
    found = new_listed(session, key or free_key(session, f"{source.key[:80] if source else 'snapshot'}-{day}"),
                       kind="snapshot", name=title, author=author, now=now)
    if source is not None:
        found.folder, found.tags = source.folder, list(source.tags)
    for part in chunks(people, 10 * AT_ONCE):
        write(session, found, part, now=now)
    session.add(SegmentSnapshot(
        segment_id=found.id, source_key=source.key if source else None,
        source_version=source.version if source else None, rule=rule.to_json(), taken_at=now, engine=engine,
        people=len(people)))
    found.members = len(people)
    session.flush()
    return found


def snapshot_of(session: Session, segment: Segment) -> SegmentSnapshot | None:
    """Where a snapshot comes from; None for other segments."""
    return session.get(SegmentSnapshot, segment.id)


def snapshots_from(session: Session, key: str) -> list[tuple[Segment, SegmentSnapshot]]:
    """The snapshots taken of the segment with this key, newest first."""
    rows = session.execute(
        select(Segment, SegmentSnapshot).join(SegmentSnapshot, SegmentSnapshot.segment_id == Segment.id)
        .where(SegmentSnapshot.source_key == key).order_by(SegmentSnapshot.taken_at.desc(), Segment.id.desc()))
    return [(row[0], row[1]) for row in rows]


def free_key(session: Session, stem: str) -> str:
    """The stem, or the stem with the first number behind it that no segment has."""
    taken = set(session.scalars(select(Segment.key).where(Segment.key.startswith(stem, autoescape=True))))
    number = 1
    while (key := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return key

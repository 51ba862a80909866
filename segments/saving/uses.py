"""What stands on a segment, so that it cannot be pulled away unseen?

Owns what a use is, and those by other segments' rules. Campaigns and journeys live above; `journeys/uses.py` adds
theirs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from segments.language.conditions import InSegment
from segments.language.rules import parse_rule
from segments.models import Segment, SegmentVersion


@dataclass(frozen=True)
class Use:
    """One thing that uses a segment: `kind` is segment, campaign or journey; `how` says where, in a few words."""

    kind: str
    key: str
    name: str
    how: str
    over: bool = False
    """It has ended: its results stand on the segment, nothing will run on it any more."""


UsesAbove = Callable[[Session, str], Sequence[Use]]
"""Asks higher rooms for their uses of the segment with a key."""


def nothing_above(_session: Session, _key: str) -> Sequence[Use]:
    """No room above uses any segment."""
    return ()


def segments_naming(session: Session, key: str) -> list[Segment]:
    """Segments whose newest rule names the one with this key, by name; lists and snapshots name nobody."""
    rows = session.execute(
        select(Segment, SegmentVersion.rule)
        .join(SegmentVersion, (SegmentVersion.segment_id == Segment.id) & (SegmentVersion.number == Segment.version))
        .where(Segment.kind == "rule", Segment.key != key).order_by(Segment.name, Segment.id))
    return [segment for segment, rule in rows
            if any(isinstance(node, InSegment) and node.key == key for node in parse_rule(rule).walk())]


def uses_by_segments(session: Session, key: str) -> list[Use]:
    """The uses of a segment by other segments that are not archived."""
    return [Use("segment", segment.key, segment.name, "in its rule", over=segment.archived_at is not None)
            for segment in segments_naming(session, key)]


def listed(uses: list[Use], *, most: int = 5) -> str:
    """The uses as a part of a sentence: the campaign “Spring” and 2 more."""
    named = ", ".join(f"the {use.kind} “{use.name}”" for use in uses[:most])
    return named if len(uses) <= most else f"{named} and {len(uses) - most} more"

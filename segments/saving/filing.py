"""Where does a segment lie, what is it called, and may it go?

Owns folders, tags, names, how often members are refreshed, copies, the archive and deletion. The promise: what is used
is neither archived nor deleted; the refusal names who uses it. Uses from higher rooms are passed in by the doors.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from segments.models import Segment, SegmentMember
from segments.saving.lists import listed_ids, new_listed, write
from segments.saving.saved import check_name, save_segment, segment_by_key, segment_rule
from segments.saving.uses import UsesAbove, listed, nothing_above, uses_by_segments

MOST_TAGS = 20
LONGEST_WORD = 100
LEAST_SECONDS, MOST_SECONDS = 60, 31 * 86_400


def file_segment(
    session: Session, key: str, *, folder: str | None, tags: Sequence[str], now: datetime
) -> Segment:
    """Put a segment into a folder (None: none) and give it these tags. Raises NotFound, Invalid."""
    segment = segment_by_key(session, key)
    segment.folder = _word(folder, "folder") if folder and folder.strip() else None
    kept = list(dict.fromkeys(_word(tag, "tags") for tag in tags if tag.strip()))
    if len(kept) > MOST_TAGS:
        raise Invalid(f"A segment takes {MOST_TAGS} tags at most.", place="tags")
    segment.tags = kept
    session.flush()
    return segment


def rename_segment(
    session: Session, key: str, *, name: str, description: str | None = None, now: datetime
) -> Segment:
    """Give a segment another name; its key stays. Raises NotFound, Invalid."""
    segment = segment_by_key(session, key)
    check_name(key, name)
    segment.name, segment.updated_at = name.strip(), now
    if description is not None:
        segment.description = description.strip() or None
    session.flush()
    return segment


def listed_folders(session: Session) -> list[str]:
    """The folders there are, by name."""
    return sorted(session.scalars(select(Segment.folder).where(Segment.folder.is_not(None)).distinct()),
                  key=lambda folder: str(folder).casefold())


def rename_folder(session: Session, folder: str, *, new: str | None) -> int:
    """Rename a folder, or dissolve it (None); returns how many segments lie in it."""
    named = _word(new, "folder") if new and new.strip() else None
    found = list(session.scalars(select(Segment).where(Segment.folder == folder)))
    for segment in found:
        segment.folder = named
    session.flush()
    return len(found)


def set_refreshing(session: Session, key: str, *, seconds: int | None) -> Segment:
    """How often members are refreshed at most, 60 s to 31 days; None: only when somebody asks. Raises Invalid."""
    segment = segment_by_key(session, key)
    if seconds is not None and not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise Invalid("Choose from every minute to every 31 days.", place="refresh_seconds")
    if segment.kind == "snapshot" and seconds is not None:
        raise Conflict(f"“{segment.name}” was frozen and never changes.")
    segment.refresh_seconds, segment.look_again_at = seconds, None
    session.flush()
    return segment


def duplicate_segment(
    session: Session, key: str, *, new_key: str, name: str, author: str | None = None, now: datetime
) -> Segment:
    """A copy with the rule, or the people, the folder and the tags of another segment; a snapshot's copy is a list."""
    source = segment_by_key(session, key)
    if source.kind == "rule":
        copy = save_segment(session, new_key, name=name, rule=segment_rule(session, key), author=author,
                            description=source.description, expected_version=0, now=now)
    else:
        copy = new_listed(session, new_key, kind="list", name=name, description=source.description, author=author,
                          now=now)
        after = 0
        while part := listed_ids(session, source, after=after, limit=20_000):
            write(session, copy, part, now=now)
            after = part[-1]
    copy.folder, copy.tags = source.folder, list(source.tags)
    session.flush()
    return copy


def archive_segment(session: Session, key: str, *, above: UsesAbove = nothing_above, now: datetime) -> Segment:
    """Take a segment out of the lists. Harmless when repeated. Raises Conflict with its uses that are not over."""
    segment = _held(session, key)
    standing = [use for use in (*uses_by_segments(session, key), *above(session, key)) if not use.over]
    if standing and segment.archived_at is None:
        raise Conflict(f"Not archived: “{segment.name}” is used by {listed(standing)}. "
                       "Give them another segment first.")
    segment.archived_at = segment.archived_at or now
    session.flush()
    return segment


def unarchive_segment(session: Session, key: str, *, now: datetime) -> Segment:
    """Put an archived segment back into the lists. Harmless when repeated."""
    segment = segment_by_key(session, key)
    if segment.archived_at is not None:
        segment.archived_at, segment.stale_at, segment.look_again_at = None, now, None
        session.flush()
    return segment


def delete_segment(session: Session, key: str, *, above: UsesAbove = nothing_above) -> None:
    """Delete a segment with its versions, members and history. Raises Conflict with everything that uses it."""
    segment = _held(session, key)
    standing = [*uses_by_segments(session, key), *above(session, key)]
    if standing:
        over = all(use.over for use in standing)
        way_out = ("Their results stand on it: archive it instead." if over else "Give them another segment first.")
        raise Conflict(f"Not deleted: “{segment.name}” is used by {listed(standing)}. {way_out}")
    session.execute(delete(SegmentMember).where(SegmentMember.segment_id == segment.id))
    session.delete(segment)
    session.flush()


def _held(session: Session, key: str) -> Segment:
    """The segment, locked before anybody asks who uses it: a journey being published holds it, too, and comes first."""
    held = select(Segment).where(Segment.id == segment_by_key(session, key).id).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).one()


def _word(text: str | None, place: str) -> str:
    word = " ".join((text or "").split())
    if not word or len(word) > LONGEST_WORD or "\0" in word:
        raise Invalid(f"Use 1 to {LONGEST_WORD} characters.", place=place)
    return word

"""Which audiences have been saved, and what does their rule say today?

Owns saving, listing and looking up segments, and putting the rules of nested segments in their place. A
saved version is never changed: saving adds the next one, and only for somebody who has seen the newest.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from segments.language.conditions import All, Any_, InSegment, Listed, Not, Rule
from segments.language.rules import MAX_CONDITIONS, MAX_DEPTH, check_size, parse_rule
from segments.models import Segment, SegmentVersion
from segments.saving.uses import segments_naming

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")


def save_segment(
    session: Session, key: str, *, name: str, rule: Rule, author: str | None = None, description: str | None = None,
    expected_version: int | None = None, now: datetime,
) -> Segment:
    """Save a new segment, or the next version of the one with this key.

    `expected_version` is the version the author has seen (0 or None: a new one, or whatever is there). Saving the same
    rule again adds no version. Raises Invalid (key, name, unknown or circular nested segment) or Conflict when
    somebody saved in between.
    """
    check_name(key, name)
    resolved(session.connection(), rule, inside=(key,))
    found = session.scalars(select(Segment).where(Segment.key == key).with_for_update()).one_or_none()
    seen = found.version if found else 0
    if expected_version is not None and expected_version != seen:
        raise Conflict(f'The segment "{key}" was changed in the meantime: you have seen version {expected_version}, '
                       f"it is at {seen}. Load it again and repeat your change.", place="expected_version")
    if found is not None and found.kind != "rule":
        raise Conflict(f'"{key}" is a {found.kind}: its people are named one by one, so it takes no rule. '
                       "Choose another key.", place="key")
    segment = found or Segment(key=key, version=0, created_at=now)
    segment.name, segment.updated_at, segment.archived_at = name.strip(), now, None
    if description is not None or found is None:
        segment.description = description
    session.add(segment)
    if found is None or _newest(session, segment).rule != rule.to_json():
        segment.version += 1
        session.flush()
        session.add(SegmentVersion(segment_id=segment.id, number=segment.version, rule=rule.to_json(), author=author,
                                   created_at=now))
        session.flush()
        stale_now(session, segment, now=now)
    session.flush()
    return segment


def check_name(key: str, name: str) -> None:
    """Raise Invalid unless this key and this name can be given to a segment."""
    if not _KEY.fullmatch(key):
        raise Invalid(f'"{key}" cannot be a key. Use small letters, digits and hyphens, for example lapsed-furniture',
                      place="key")
    if not name.strip() or len(name) > 200 or "\0" in name:
        raise Invalid("a segment needs a name of 1 to 200 characters", place="name")


def stale_now(session: Session, segment: Segment, *, now: datetime) -> None:
    """Have a segment and all whose rules name it, directly or through others, refreshed at the next chance."""
    seen = {segment.key}
    waiting = [segment]
    while waiting:
        one = waiting.pop()
        one.stale_at, one.look_again_at = now, None
        for other in segments_naming(session, one.key):
            if other.key not in seen:
                seen.add(other.key)
                waiting.append(other)


def segment_by_key(session: Session, key: str) -> Segment:
    """The segment with this key, archived or not. Raises NotFound."""
    found = session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
    if found is None:
        raise _unknown(key)
    return found


def segment_rule(session: Session, key: str, *, version: int | None = None) -> Rule:
    """The rule of a segment's newest version, or of the one numbered `version`. Raises NotFound."""
    segment = segment_by_key(session, key)
    found = _newest(session, segment) if version is None else session.scalars(
        select(SegmentVersion).where(SegmentVersion.segment_id == segment.id, SegmentVersion.number == version)
    ).one_or_none()
    if found is None:
        raise NotFound(f'The segment "{key}" has no version {version}; the newest is {segment.version}.')
    return parse_rule(found.rule)


def list_segments(session: Session, *, archived: bool = False) -> list[Segment]:
    """All segments in the order of their names; archived ones only when asked for."""
    statement = select(Segment).order_by(Segment.name, Segment.key)
    if not archived:
        statement = statement.where(Segment.archived_at.is_(None))
    return list(session.scalars(statement))


def versions_of(session: Session, key: str) -> list[SegmentVersion]:
    """Every saved version of a segment, newest first. Raises NotFound."""
    segment = segment_by_key(session, key)
    return list(session.scalars(select(SegmentVersion).where(SegmentVersion.segment_id == segment.id)
                                .order_by(SegmentVersion.number.desc())))


def resolved(connection: Connection, rule: Rule, *, inside: tuple[str, ...] = ()) -> Rule:
    """The rule with the rules of nested segments in their place.

    Raises NotFound for an unknown segment and Invalid when segments hold each other or grow beyond our limits.
    """
    if not any(isinstance(node, InSegment) for node in rule.walk()):
        return rule
    whole = _Nesting(_named(connection, rule, inside), []).put_in(rule, inside, 1)
    check_size(whole)
    return whole


def _named(connection: Connection, rule: Rule, inside: tuple[str, ...]) -> dict[str, Rule]:
    """The rules of all segments that a rule names, and of those that these name, read level by level.

    Those in `inside` are not read: whoever names them closes a circle.
    """
    known: dict[str, Rule] = {}
    level = [rule]
    while level:
        keys = {node.key for one in level for node in one.walk() if isinstance(node, InSegment)}
        level = []
        for key in sorted(keys - {*known, *inside}):
            known[key] = _stored(connection, key)
            level.append(known[key])
        if len(known) > MAX_CONDITIONS:
            raise Invalid(f"a rule may hold {MAX_CONDITIONS} nested segments at most", place="segment")
    return known


def _stored(connection: Connection, key: str) -> Rule:
    """The rule of a segment, or its list of people."""
    found = connection.execute(
        select(Segment.id, Segment.kind, SegmentVersion.rule)
        .join(Segment, (Segment.id == SegmentVersion.segment_id) & (Segment.version == SegmentVersion.number))
        .where(Segment.key == key)
    ).one_or_none()
    if found is None:
        raise _unknown(key)
    segment_id, kind, stored = found
    return parse_rule(stored) if kind == "rule" else Listed(key, segment_id)


@dataclass(frozen=True)
class _Nesting:
    """Puts rules in the place of their names; `nested` are the names met so far."""

    known: dict[str, Rule]
    nested: list[str]

    def put_in(self, rule: Rule, inside: tuple[str, ...], depth: int) -> Rule:
        if depth > MAX_DEPTH:
            raise Invalid(f"with the segments it names, the rule is nested more than {MAX_DEPTH} levels deep",
                          place="segment")
        if isinstance(rule, Not):
            return Not(self.put_in(rule.rule, inside, depth + 1))
        if isinstance(rule, All | Any_):
            return type(rule)(tuple(map(partial(self.put_in, inside=inside, depth=depth + 1), rule.rules)))
        if not isinstance(rule, InSegment):
            return rule
        self.nested.append(rule.key)
        if len(self.nested) > MAX_CONDITIONS:
            # Segments that name others twice, level upon level, would otherwise grow without end.
            raise Invalid(f"a rule may hold {MAX_CONDITIONS} nested segments at most", place="segment")
        if rule.key in inside:
            circle = " > ".join((*inside[inside.index(rule.key):], rule.key))
            raise Invalid(f"segments cannot hold each other: {circle}", place="segment")
        return self.put_in(self.known[rule.key], (*inside, rule.key), depth)


def _newest(session: Session, segment: Segment) -> SegmentVersion:
    return session.scalars(select(SegmentVersion).where(
        SegmentVersion.segment_id == segment.id, SegmentVersion.number == segment.version)).one()


def _unknown(key: str) -> NotFound:
    return NotFound(f'There is no segment "{key}". See the list of segments, or save one under this key.')

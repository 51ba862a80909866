"""How do the members of a segment become those its rule holds for now?

Owns the refresh: the rule is asked once, the answer is compared with who is in, and only the difference is written, in
chunks that hold the database for moments and count for nobody until the last step publishes them at once. A refresh
that dies leaves members as they were; the next one clears what it left. Two at once: the second stands back.
"""

import hashlib
import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Delete, Update, delete, func, select, text, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_insert
from core.database import Database
from core.errors import Conflict
from core.leases import take
from core.types import to_us
from segments.engines.questions import Answer, Questions
from segments.language.conditions import Rule
from segments.membership.next_change import next_change_at
from segments.membership.stays import MEMBERS, Ids, standing_ids
from segments.models import Segment, SegmentRefresh
from segments.saving.saved import resolved, segment_by_key, segment_rule

SQLITE_CHUNK, POSTGRESQL_CHUNK = 40_000, 50_000
"""People per transaction: on SQLite the time that other writers wait (about 50 ms)."""
_LET_IN = text("INSERT INTO segment_members (segment_id, customer_id, entered_by, entered_at)"
               " SELECT :segment, value, :number, :at FROM json_each(:people)")


@dataclass(frozen=True)
class Refreshed:
    """The outcome: how many are in, came and left, as of when.

    `refresh_id` is None when nobody came or left by the same rule as before.
    """

    key: str
    as_of: datetime
    version: int
    engine: str
    took_ms: int
    members: int
    entered: int
    left: int
    refresh_id: int | None


@dataclass(frozen=True)
class Difference:
    """What was worked out from one state of the segment, before anything is written."""

    segment: Segment
    digest: str
    answer: Answer[list[int]]
    entered: Ids
    left: Ids
    next_change_at: datetime | None
    cause: str
    started: float

    @property
    def nothing(self) -> bool:
        moved = len(self.entered) or len(self.left) or self.segment.refreshing_id
        # A changed rule is written down even when it moves nobody: what comes after it, the facts have done.
        return not moved and self.cause not in ("first", "rule")

    def outcome(self, refresh_id: int | None) -> Refreshed:
        return Refreshed(self.segment.key, self.answer.as_of, self.segment.version, self.answer.engine,
                         round((time.perf_counter() - self.started) * 1000), len(self.answer.value),
                         len(self.entered), len(self.left), refresh_id)


def refresh(
    database: Database, questions: Questions, key: str, *, now: datetime, cause: str = "asked", chunk: int | None = None
) -> Refreshed | None:
    """Bring the members of a segment up to `now`; None when another process is at it.

    Opens its own transactions. Raises NotFound, what asking the rule raises, and Conflict when the segment was changed
    again and again meanwhile.
    """
    lease = take(database, f"segment:{key}")
    if lease is None:
        return None
    try:
        work = steps(database, questions, key, now=now, cause=cause, chunk=chunk)
        while True:
            try:
                next(work)
            except StopIteration as done:
                outcome: Refreshed = done.value
                return outcome
    finally:
        lease.release()


def steps(
    database: Database, questions: Questions, key: str, *, now: datetime, cause: str, chunk: int | None = None
) -> Generator[str, None, Refreshed]:
    """The refresh, stopping after each committed transaction and saying which it was. The caller holds the lease."""
    chunk = chunk or (SQLITE_CHUNK if database.is_sqlite else POSTGRESQL_CHUNK)
    for _attempt in range(3):
        found = _worked_out(database, questions, key, now, cause)
        with database.writing() as session:
            number = _claim(session, found)
        yield "claimed"
        if number is None:
            continue  # somebody saved or refreshed meanwhile: what was worked out is of no use
        if number == 0:
            return found.outcome(None)
        if found.segment.refreshing_id:
            yield from _clear(database, found.segment, number, chunk)
        for left, people in ((False, found.entered), (True, found.left)):
            for start in range(0, len(people), chunk):
                with database.writing() as session:
                    _insist(session, found.segment.id, number)
                    _write(session, found, number, people[start:start + chunk], left=left)
                yield "left" if left else "entered"
        with database.writing() as session:
            _publish(session, found, number, now)
        return found.outcome(number)
    raise Conflict(f'The segment "{key}" was changed again and again while it was refreshed. Try again in a moment.')


def _worked_out(database: Database, questions: Questions, key: str, now: datetime, cause: str) -> Difference:
    started = time.perf_counter()
    with database.reading() as session:
        segment = segment_by_key(session, key)
        # Looked up once, so that what is asked, what is waited for and what is noted are the same rule.
        rule = resolved(session.connection(), segment_rule(session, key))
        known = session.scalar(select(SegmentRefresh.version).where(SegmentRefresh.id == segment.refresh_id))
    answer = questions.ids(rule, as_of=now, now=now)
    upcoming = next_change_at(questions, rule, as_of=now)
    with database.reading() as session:
        before = standing_ids(session, segment)
    after = np.array(answer.value, dtype=np.int64)
    entered = np.setdiff1d(after, before, assume_unique=True)
    left = np.setdiff1d(before, after, assume_unique=True)
    if known is None:
        cause = "first"
    elif known != segment.version or segment.rule_digest not in (_digest(rule), None):
        cause = "rule"
    return Difference(segment, _digest(rule), answer, entered, left, upcoming, cause, started)


def _digest(whole: Rule) -> str:
    """What the rule says with those it names in their place: whoever comes in because one of them was changed has not
    moved. People on lists are no part of it: who is put on a list has moved."""
    return hashlib.sha256(json.dumps(whole.to_json(), sort_keys=True).encode()).hexdigest()


def _claim(session: Session, found: Difference) -> int | None:
    """The number of the refresh to write; 0 when there was nothing to write, None when the segment moved on."""
    seen = found.segment
    segment = session.scalars(select(Segment).where(Segment.id == seen.id).with_for_update()).one_or_none()
    if segment is None or (segment.version, segment.refresh_id) != (seen.version, seen.refresh_id):
        return None
    if found.nothing:
        _settle(segment, found)
        return 0
    row = SegmentRefresh(
        segment_id=segment.id, version=seen.version, as_of=found.answer.as_of, cause=found.cause,
        engine=found.answer.engine, took_ms=0, entered_count=len(found.entered), left_count=len(found.left),
        members=len(found.answer.value))
    session.add(row)
    session.flush()
    segment.refreshing_id = row.id
    session.flush()
    return row.id


def _insist(session: Session, segment_id: int, number: int) -> None:
    """Go on only while the refresh is ours: another process takes over from one it believes dead."""
    writing = session.scalar(select(Segment.refreshing_id).where(Segment.id == segment_id).with_for_update(read=True))
    if writing != number:
        raise Conflict("Another process has taken this refresh over.")


def _clear(database: Database, segment: Segment, number: int, chunk: int) -> Generator[str, None, None]:
    """Undo what refreshes wrote that were never published."""
    known = segment.refresh_id or 0
    mine = MEMBERS.c.segment_id == segment.id
    undo: list[tuple[ColumnElement[bool], Delete | Update]] = [
        (MEMBERS.c.entered_by > known, delete(MEMBERS)),
        (MEMBERS.c.left_by > known, update(MEMBERS).values(left_by=None, left_at=None)),
    ]
    for written, statement in undo:
        ids = [0]
        while ids:
            with database.writing() as session:
                _insist(session, segment.id, number)
                ids = list(session.scalars(select(MEMBERS.c.customer_id).where(mine, written).limit(chunk)))
                session.execute(statement.where(mine, written, in_ids(MEMBERS.c.customer_id, ids)))
            yield "cleared"


def _write(session: Session, found: Difference, number: int, people: Ids, *, left: bool) -> None:
    connection, at_us, count = session.connection(), to_us(found.answer.as_of), len(people)
    if not left and connection.dialect.name == "sqlite":
        # Only the person differs from row to row, and SQLite reads a list quicker than it binds values.
        connection.execute(_LET_IN, {"segment": found.segment.id, "number": number, "at": at_us,
                                     "people": json.dumps(people.tolist())})
    elif not left:
        bulk_insert(connection, MEMBERS, {
            "segment_id": [found.segment.id] * count, "customer_id": people, "entered_by": [number] * count,
            "entered_at": [at_us] * count})
    else:
        connection.execute(
            update(MEMBERS).where(
                MEMBERS.c.segment_id == found.segment.id, in_ids(MEMBERS.c.customer_id, people.tolist()),
                MEMBERS.c.entered_by < number, MEMBERS.c.left_by.is_(None))
            .values(left_by=number, left_at=found.answer.as_of))


def _publish(session: Session, found: Difference, number: int, now: datetime) -> None:
    segment = session.scalars(select(Segment).where(Segment.id == found.segment.id).with_for_update()).one_or_none()
    if segment is None or segment.refreshing_id != number:
        raise Conflict("Another process has taken this refresh over.")
    segment.refresh_id, segment.refreshing_id = number, None
    _settle(segment, found)
    took_ms = round((time.perf_counter() - found.started) * 1000)
    session.execute(update(SegmentRefresh).where(SegmentRefresh.id == number)
                    .values(published_at=now, took_ms=took_ms))


def _settle(segment: Segment, found: Difference) -> None:
    segment.members, segment.refreshed_at = len(found.answer.value), found.answer.as_of
    segment.next_change_at, segment.refresh_error = found.next_change_at, None
    segment.rule_digest = found.digest
    if segment.stale_at == found.segment.stale_at:
        segment.stale_at = None  # else facts changed while we were asking
    if segment.refresh_seconds is not None:
        segment.look_again_at = found.answer.as_of + timedelta(seconds=segment.refresh_seconds)


def unfinished(session: Session, segment: Segment) -> int:
    """How many rows lie there that no published refresh stands for; 0 unless one is at work or died."""
    known: Any = segment.refresh_id or 0
    return int(session.scalar(select(func.count()).select_from(MEMBERS).where(
        MEMBERS.c.segment_id == segment.id, (MEMBERS.c.entered_by > known) | (MEMBERS.c.left_by > known))) or 0)

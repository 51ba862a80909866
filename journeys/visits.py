"""How many people went which way, however long the log of their steps is?

Owns writing visits down and the sums kept with them: per version, step and outcome. The promises: a visit and its sum
are one transaction; sums are only ever added as rows of their own, so that workers never wait for each other; people
left alone are on no way; whoever is brought to another version takes their ways along, as the lists do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import not_
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from core.arrays import in_ids
from core.bulk import bulk_insert
from journeys.models import Enrolment, Visit, VisitSum

VISITS: Table = Visit.__table__  # type: ignore[assignment]
SUMS: Table = VisitSum.__table__  # type: ignore[assignment]
Way = tuple[int, str, str | None]
"""A version's id, a step, an outcome."""


def record_visits(connection: Connection, columns: Mapping[str, Sequence[Any]], ways: Mapping[Way, int]) -> None:
    """Write visits down, given as columns of the table; `ways` says how many of them, people left alone aside, went
    which way."""
    bulk_insert(connection, VISITS, columns)
    _add(connection, ways)


def ways_of(
    versions: Iterable[int], steps: Iterable[str], outcomes: Iterable[str | None], held: Iterable[bool]
) -> Counter[Way]:
    """How many of these visits went which way, people left alone (`held`) aside; all of one length."""
    return Counter(compress(zip(versions, steps, outcomes, strict=True), map(not_, held)))


def take_along(connection: Connection, enrolment_ids: Sequence[int], *, old: int, new: int) -> None:
    """What these people, now of version `new`, went through in `old` counts for the new one."""
    rows = connection.execute(
        select(Visit.step, Visit.outcome, func.count()).join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(in_ids(Visit.enrolment_id, enrolment_ids), Enrolment.held_out.is_(False))
        .group_by(Visit.step, Visit.outcome)).all()
    moved: dict[Way, int] = {}
    for step, outcome, people in rows:
        moved[old, step, outcome], moved[new, step, outcome] = -people, people
    _add(connection, moved)


def summed(connection: Connection, version_id: int) -> dict[tuple[str, str], int]:
    """(step, outcome) -> people who went this way since the start; outcome "" when none was noted."""
    rows = connection.execute(
        select(VisitSum.step, VisitSum.outcome, func.sum(VisitSum.people)).where(VisitSum.version_id == version_id)
        .group_by(VisitSum.step, VisitSum.outcome))
    return {(row[0], row[1]): int(row[2]) for row in rows if row[2]}


def fold(connection: Connection, *, least: int = 1000) -> int:
    """Make one row of all that a version's way was added up in, for versions with at least so many rows; returns how
    many rows went."""
    gone = 0
    many = connection.scalars(
        select(VisitSum.version_id).group_by(VisitSum.version_id).having(func.count() >= least)).all()
    for version_id in sorted(many):
        # Just the rows that went are added up: what commits meanwhile stays a row of its own.
        taken = connection.execute(
            delete(VisitSum).where(VisitSum.version_id == version_id)
            .returning(VisitSum.step, VisitSum.outcome, VisitSum.people)).all()
        sums: dict[Way, int] = {}
        for step, outcome, people in taken:
            sums[version_id, step, outcome] = sums.get((version_id, step, outcome), 0) + people
        _add(connection, sums)
        gone += len(taken) - len(sums)
    return gone


def _add(connection: Connection, ways: Mapping[Way, int]) -> None:
    kept = [(way, people) for way, people in ways.items() if people]
    if kept:
        bulk_insert(connection, SUMS, {
            "version_id": [way[0] for way, _ in kept], "step": [way[1] for way, _ in kept],
            "outcome": [way[2] or "" for way, _ in kept], "people": [people for _, people in kept]})

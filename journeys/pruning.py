"""How does the log of every step everybody passed stay small enough to live with?

Owns taking out the visits of people who left long ago, piece by piece from the oldest on, and keeping how many went
each way. The promises: the numbers on the drawing stay as they were; whoever is still inside keeps the whole path; the
piece and its sums are one transaction, so a crash counts nobody twice.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, case, delete, func, select, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core.arrays import in_ids
from core.cursors import advance, position
from core.database import Database
from core.types import to_us
from journeys.models import Enrolment, Visit, VisitSum

READER = "journeys.pruning"
PIECE = 5_000
"""Visits looked at per transaction: on SQLite this is how long others wait."""
PIECES = 4
"""Pieces per round, so that a large backlog never holds up what is due."""


def tick(database: Database, *, now: datetime, days: int) -> int:
    """Take out what is older than so many days (0: nothing ever is); returns how many visits were looked at."""
    if not days:
        return 0
    before_us, looked = to_us(now - timedelta(days=days)), 0
    for _ in range(PIECES):
        with database.reading() as session:
            if not _old(session.connection(), before_us):
                return looked
        with database.writing() as session:
            looked += _piece(session.connection(), before_us)
    return looked


def _old(connection: Connection, before_us: int) -> bool:
    """Whether the oldest visit not looked at yet is old enough; one row of the primary key."""
    left_us = connection.execute(
        select(type_coerce(Visit.left_at, BigInteger)).where(Visit.id > position(connection, READER))
        .order_by(Visit.id).limit(1)).scalar()
    return left_us is not None and left_us < before_us


def _piece(connection: Connection, before_us: int) -> int:
    after = position(connection, READER)
    rows = connection.execute(
        select(Visit.id, Visit.step, Visit.outcome, Enrolment.version_id, Enrolment.held_out,
               case((type_coerce(Enrolment.left_at, BigInteger) < before_us, 1), else_=0))
        .join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(Visit.id > after, type_coerce(Visit.left_at, BigInteger) < before_us)
        .order_by(Visit.id).limit(PIECE)).all()
    sums: dict[tuple[int, str, str], int] = {}
    gone = []
    for visit_id, step, outcome, version_id, held_out, old in rows:
        if old:
            gone.append(visit_id)
            if not held_out:  # people left alone are not on the drawing's ways
                key = (version_id, step, outcome or "")
                sums[key] = sums.get(key, 0) + 1
    insert: Any = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    for (version_id, step, outcome), people in sorted(sums.items()):
        connection.execute(insert(VisitSum).values(version_id=version_id, step=step, outcome=outcome, people=people)
                           .on_conflict_do_update(index_elements=["version_id", "step", "outcome"],
                                                  set_={"people": VisitSum.people + people}))
    connection.execute(delete(Visit).where(in_ids(Visit.id, gone)))
    if rows:
        advance(connection, READER, rows[-1][0])
    return len(rows)


def summed(connection: Connection, version_id: int) -> dict[tuple[str, str], int]:
    """(step, outcome) -> people whose visits are not kept any more."""
    rows = connection.execute(
        select(VisitSum.step, VisitSum.outcome, func.sum(VisitSum.people)).where(VisitSum.version_id == version_id)
        .group_by(VisitSum.step, VisitSum.outcome))
    return {(row[0], row[1]): int(row[2]) for row in rows}

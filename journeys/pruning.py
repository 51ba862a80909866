"""How does the log of every step everybody passed stay small enough to live with?

Owns taking out the visits of people who left long ago, piece by piece from the oldest on. The promises: the numbers on
the drawing stay as they were (they come from sums, see journeys/visits.py); whoever is still inside keeps the whole
path; the piece and the place reached are one transaction.
"""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, case, delete, select, type_coerce

from core.arrays import in_ids
from core.cursors import advance, position
from core.database import Database
from core.types import to_us
from journeys.models import Enrolment, Visit

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
        select(Visit.id, case((type_coerce(Enrolment.left_at, BigInteger) < before_us, 1), else_=0))
        .join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(Visit.id > after, type_coerce(Visit.left_at, BigInteger) < before_us)
        .order_by(Visit.id).limit(PIECE)).all()
    connection.execute(delete(Visit).where(in_ids(Visit.id, [visit_id for visit_id, old in rows if old])))
    if rows:
        advance(connection, READER, rows[-1][0])
    return len(rows)

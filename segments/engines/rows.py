"""How does the row store answer a question about everybody?

Owns the opened row store: one read-only view of SQLite or PostgreSQL, exact and current, each statement limited in
time. SQLAlchemy keeps the compiled statements itself.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.database import Database
from segments.engines.limits import limited_rows
from segments.engines.members import row_store_currencies
from segments.engines.sources import Asked


@dataclass(frozen=True)
class RowSource:
    """One transaction on the row store; its facts are those of the moment it was opened."""

    connection: Connection
    facts_at: datetime
    seconds: float

    def column(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[Any]:
        with limited_rows(self.connection, self.seconds):
            return list(self.connection.scalars(statement, dict(values)).all())

    def rows(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[tuple[Any, ...]]:
        with limited_rows(self.connection, self.seconds):
            return [tuple(row) for row in self.connection.execute(statement, dict(values))]

    def currencies(self, as_of: datetime) -> list[str]:
        with limited_rows(self.connection, self.seconds):
            return row_store_currencies(self.connection, as_of)


@contextmanager
def open_rows(database: Database, *, now: datetime, seconds: float) -> Iterator[RowSource]:
    """The row store as it is now, for one question."""
    with database.reading() as session:
        yield RowSource(session.connection(), now, seconds)

"""Does every row of the ledgers name people, journeys, offers and texts that are there?

Owns the references that PostgreSQL does not look up for every row written (docs/decisions/0007): SQLite does, and so
does every test there. A parent that is named cannot go, a trigger sees to it; `missing` finds what came in otherwise,
such as rows copied by hand. The promise: each row is looked at in the night after it was written.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from core.cursors import advance, position
from core.database import Database

REFERENCES = (
    ("enrolments", "customer_id", "customers"), ("enrolments", "journey_id", "journeys"),
    ("enrolments", "version_id", "journey_versions"), ("visits", "enrolment_id", "enrolments"),
    ("messages", "customer_id", "customers"), ("messages", "revision_id", "content_revisions"),
    ("codes", "customer_id", "customers"), ("codes", "offer_id", "offers"),
)
"""Table, column, and the table whose `id` it names; empty names nothing."""

AGAIN = 100_000
"""So many of the last numbers are looked at once more: who was still writing last night had drawn some of them."""
_MOST = 1_000


def missing(connection: Connection, *, after: Mapping[str, int] | None = None) -> list[str]:
    """One sentence for each reference that names what is not there, among rows above these numbers per table."""
    found = []
    for table, column, parent in REFERENCES:
        first, count = connection.execute(text(
            f"SELECT min(id), count(*) FROM (SELECT c.id FROM {table} c WHERE c.id > :after AND c.{column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = c.{column}) LIMIT {_MOST}) AS lost"),
            {"after": (after or {}).get(table, 0)}).one()
        if count:
            found.append(f"{count if count < _MOST else f'{count} or more'} rows of {table}, such as {first}, name"
                         f" {column} that are not in {parent}")
    return found


def look_at_new(database: Database) -> list[str]:
    """The same for what was written since the last time; on SQLite nothing, the database itself saw to it."""
    if database.is_sqlite:
        return []
    tables = sorted({table for table, _column, _parent in REFERENCES})
    with database.reading() as session:
        connection = session.connection()
        last = {table: connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one()
                for table in tables}
        found = missing(connection, after={table: position(connection, _seen(table)) for table in tables})
    with database.writing() as session:
        for table, number in last.items():
            advance(session.connection(), _seen(table), max(0, number - AGAIN))
    return found


def _seen(table: str) -> str:
    return f"references.{table}"

"""In which world is a forecast played?

Owns the scratch store: an SQLite file of its own with the same schema, into which everything about the people of the
audience is copied, read in one view of the real store. Whatever the forecast does happens there. The promise: of the
real store nothing is written, and every table says how it is copied, or that it is not.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Select, Table, event, literal_column, select

from core.arrays import in_ids
from core.database import Database, open_database
from core.types import Base

WHOLE = (
    "approvals", "arm_beliefs", "attribute_types", "batches", "campaigns", "contact_rules", "content_revisions",
    "contents", "global_holdout", "hook_receivers", "house_rules", "journey_versions", "journeys", "limit_uses",
    "offers", "organisations", "products", "score_names", "segment_refreshes", "segment_snapshots",
    "segment_versions", "segments", "sender_profile", "standing_exclusions", "stores", "suppressions", "winners",
)
"""Tables about things and about the house: copied as they are."""

BY_PERSON: Mapping[str, str] = {
    "customers": "id", "addresses": "customer_id", "allotments": "customer_id",
    "arm_draws": "customer_id", "call_tasks": "customer_id",
    "consents": "customer_id", "contacts": "customer_id", "codes": "customer_id", "enrolments": "customer_id",
    "events": "customer_id", "listed_people": "customer_id", "messages": "customer_id",
    "order_lines": "customer_id", "orders": "customer_id", "past_people": "customer_id",
    "redemptions": "customer_id", "relations": "customer_id", "scores": "customer_id",
    "segment_members": "customer_id",
}
"""Tables about people -> the column that says who: copied for the people of the audience."""

NOT_NEEDED = (
    "alembic_version", "api_keys", "audit_entries", "cancelled_orders", "changes", "code_renewals", "cursors",
    "forecasts", "guesses", "hook_calls", "inbox_deliveries", "installation", "kept_answers", "message_events",
    "refusals", "reservations", "shop_connections", "told_orders", "users", "visit_sums", "visits",
)
"""Tables that no step and no rule reads, or that begin empty in a world of its own."""

AT_ONCE = 20_000
FOLDER = "forecast-"
"""How the folder of a world begins, in the installation's home."""


@dataclass(frozen=True)
class World:
    """The scratch store, its folder, and how many real people stand behind each one in it."""

    database: Database
    folder: Path
    scale: float


@contextmanager
def world(
    real: Database, people: Sequence[int], *, home: Path, scale: float, offers: Sequence[str],
    prepare: Callable[[Database], None],
) -> Iterator[World]:
    """A world with these people, gone when the block ends.

    `prepare` brings the schema into an empty database. Of the pools of `offers` the unissued codes come along, of a
    scaled world the share that belongs to it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=FOLDER, dir=home) as name:
        folder = Path(name)
        scratch = open_database(f"sqlite:///{folder / 'world.db'}", pool_size=4)
        event.listen(scratch.engine, "connect", _lightly)
        try:
            prepare(scratch)
            _fill(real, folder / "world.db", people, scale=scale, offers=offers)
            yield World(scratch, folder, scale)
        finally:
            scratch.dispose()


def _lightly(connection: Any, _record: Any) -> None:
    """What dies with us need not reach the disk, nor be whole where only some people came along."""
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA foreign_keys=OFF")


def _fill(real: Database, path: Path, people: Sequence[int], *, scale: float, offers: Sequence[str]) -> None:
    import sqlite3

    with closing(sqlite3.connect(path, isolation_level=None)) as raw, real.reading() as session:
        for pragma in ("synchronous=OFF", "foreign_keys=OFF", "journal_mode=WAL"):
            raw.execute(f"PRAGMA {pragma}")
        # The followers of changes begin with what happens here; what was copied is no news.
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        raw.execute("BEGIN")
        for name, _sql in triggers:
            raw.execute(f'DROP TRIGGER "{name}"')
        connection = session.connection()
        tables = Base.metadata.tables
        for name in WHOLE:
            _copy(connection, raw, tables[name], None)
        for name, column in BY_PERSON.items():
            for start in range(0, len(people), AT_ONCE):
                _copy(connection, raw, tables[name], in_ids(tables[name].c[column], people[start:start + AT_ONCE]))
        _stock(connection, raw, scale=scale, offers=offers)
        for _name, sql in triggers:
            raw.execute(sql)
        raw.execute("COMMIT")


def _stock(connection: Connection, raw: Any, *, scale: float, offers: Sequence[str]) -> None:
    """The unissued codes of the pools of these offers: of each the share of this world."""
    codes, known = Base.metadata.tables["codes"], Base.metadata.tables["offers"]
    for offer_id in connection.scalars(select(known.c.id).where(known.c.key.in_(sorted(offers)),
                                                                known.c.code_source == "pool")).all():
        holds = (codes.c.offer_id == offer_id) & (codes.c.state == "stock")
        ids = connection.scalars(select(codes.c.id).where(holds).order_by(codes.c.id)).all()
        kept = ids[:int(len(ids) / scale)]
        for start in range(0, len(kept), AT_ONCE):
            _copy(connection, raw, codes, in_ids(codes.c.id, kept[start:start + AT_ONCE]))


def _copy(connection: Connection, raw: Any, table: Table, chosen: Any) -> None:
    """Rows as they are stored; only what PostgreSQL keeps in another form than SQLite is turned."""
    names = [column.name for column in table.columns]
    quote = connection.dialect.identifier_preparer.quote
    columns: list[Any] = [literal_column(f"{table.name}.{quote(name)}") for name in names]
    statement: Select[Any] = select(*columns).select_from(table)
    if chosen is not None:
        statement = statement.where(chosen)
    rows: Any = connection.execute(statement)
    turned = [] if connection.dialect.name == "sqlite" else [
        place for place, column in enumerate(table.columns) if _differs(column.type)]
    listed, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    while part := rows.fetchmany(AT_ONCE):
        plain = [tuple(row) for row in part] if not turned else [_plain(row, turned) for row in part]
        raw.executemany(f'INSERT INTO "{table.name}" ({listed}) VALUES ({marks})', plain)


def _differs(kind: Any) -> bool:
    name = type(getattr(kind, "impl_instance", kind)).__name__.upper()
    return any(word in name for word in ("JSON", "BOOLEAN", "DATE"))


def _plain(row: Any, turned: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in turned:
        value = values[place]
        if isinstance(value, dict | list):
            values[place] = json.dumps(value)
        elif isinstance(value, bool):
            values[place] = int(value)
        elif value is not None and hasattr(value, "isoformat"):
            values[place] = value.isoformat()
    return tuple(values)

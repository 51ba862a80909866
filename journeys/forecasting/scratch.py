"""In which world is a forecast played?

Owns the scratch store: an SQLite file of its own with the same schema, into which everything about the people of the
audience is copied, read in one view of the real store. Whatever the forecast does happens there. The promise: of the
real store nothing is written, and every table says how it is copied, or that it is not.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, event, select

from core.database import Database, open_database
from core.types import Base
from journeys.forecasting.copying import Attached, Fetched

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
    "noted_ahead", "refusals", "reservations", "shop_connections", "told_orders", "users", "visit_sums", "visits",
)
"""Tables that no step and no rule reads, or that begin empty in a world of its own."""

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

    `prepare` brings the schema into an empty database, where it cannot be taken from the real store. Of the pools of
    `offers` the unissued codes come along, of a scaled world the share that belongs to it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=FOLDER, dir=home) as name:
        path = Path(name) / "world.db"
        scratch = open_database(f"sqlite:///{path}", pool_size=4)
        event.listen(scratch.engine, "connect", _lightly)
        try:
            if real.path is None:
                prepare(scratch)
                scratch.dispose()
            _fill(real, path, people, scale=scale, offers=offers)
            yield World(scratch, path.parent, scale)
        finally:
            scratch.dispose()


def _lightly(connection: Any, _record: Any) -> None:
    """What dies with us need not reach the disk, nor be whole where only some people came along."""
    for pragma in ("synchronous=OFF", "foreign_keys=OFF", "wal_autocheckpoint=20000"):
        connection.execute(f"PRAGMA {pragma}")


def _fill(real: Database, path: Path, people: Sequence[int], *, scale: float, offers: Sequence[str]) -> None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rwc", uri=True, isolation_level=None)) as raw, \
            real.reading() as session:
        for pragma in ("synchronous=OFF", "foreign_keys=OFF", "cache_size=-131072"):
            raw.execute(f"PRAGMA {pragma}")
        connection = session.connection()
        source = Fetched(connection, raw) if real.path is None else Attached(connection, raw, real.path, people)
        raw.execute("BEGIN")
        # The followers of changes begin with what happens here; what was copied is no news. Indexes are quicker made
        # at once than row by row.
        later = source.tables_alone()
        tables = Base.metadata.tables
        for name in WHOLE:
            source.copy(tables[name])
        for name, column in BY_PERSON.items():
            source.copy_of(tables[name], column, people)
        for ids in _stock(connection, scale=scale, offers=offers):
            source.copy_of(tables["codes"], "id", ids)
        for written in later:
            raw.execute(written)
        raw.execute("COMMIT")


def _stock(connection: Connection, *, scale: float, offers: Sequence[str]) -> Iterator[Sequence[int]]:
    """The unissued codes of the pools of these offers: of each the share of this world."""
    codes, known = Base.metadata.tables["codes"], Base.metadata.tables["offers"]
    for offer_id in connection.scalars(select(known.c.id).where(known.c.key.in_(sorted(offers)),
                                                                known.c.code_source == "pool")).all():
        holds = (codes.c.offer_id == offer_id) & (codes.c.state == "stock")
        ids = connection.scalars(select(codes.c.id).where(holds).order_by(codes.c.id)).all()
        yield ids[:int(len(ids) / scale)]

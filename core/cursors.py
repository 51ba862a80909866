"""Which rows changed since I last looked?

Owns reading the append-only `changes` list that triggers fill, for the mirror and the journeys alike. The promise:
nothing is missed, late commits, deletes, bulk updates and manual SQL included. On PostgreSQL the cursor is a
transaction number: everything at or above the oldest transaction still open is read again next time, which is
harmless. On SQLite commits are serial and the plain sequence is exact.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from core.models import Change, Cursor, NotedAhead

FOLLOWED = {
    "customers": "id", "addresses": "customer_id", "consents": "customer_id", "suppressions": "id",
    "orders": "id", "order_lines": "order_id", "contacts": "customer_id", "redemptions": "id", "messages": "id",
    "events": "id", "organisations": "id", "relations": "id", "scores": "customer_id", "stores": "id",
    "codes": "id",
    "listed_people": "segment_id",
}
"""Followed table -> the column whose value stands in `changes.key`; the migrations made the triggers."""

_PRUNED = "changes pruned"
_LAST = func.coalesce(Change.last, Change.key).label("last")


@dataclass(frozen=True)
class Changes:
    """Changed keys by table, and the cursor to continue from."""

    cursor: int
    keys: dict[str, list[int]]


def read_changes(connection: Connection, *, after: int, tables: tuple[str, ...] | None = None) -> Changes:
    """The distinct changed keys since `after`, in rising order per table.

    On PostgreSQL call it inside one REPEATABLE READ transaction (`reading()`), so that rows and cursor agree.
    """
    cursor = head(connection)
    rows = select(Change.tbl, Change.key, _LAST).where(_since(connection, after))
    if tables is not None:
        rows = rows.where(Change.tbl.in_(tables))
    keys: dict[str, set[int]] = {}
    for table, first, last in connection.execute(rows.distinct().order_by(Change.tbl)).all():
        keys.setdefault(table, set()).update(range(first, last + 1))
    return Changes(cursor, {table: sorted(found) for table, found in keys.items()})


@contextmanager
def noted_at_once(connection: Connection, table: str, ids: Sequence[int]) -> Iterator[None]:
    """Note new rows of messages or codes, whose numbers rise one by one, in one line; they are written in the block.

    Only SQLite needs to be told: PostgreSQL's triggers see all rows of a statement together. A row that is then not
    written is noted all the same, which is harmless: readers look at what is there.
    """
    if connection.dialect.name != "sqlite" or len(ids) < 2:
        yield
        return
    first, last = ids[0], ids[-1]
    if last - first + 1 != len(ids):
        raise ValueError(f"the numbers from {first} to {last} are not {len(ids)} that rise one by one")
    connection.execute(insert(Change).values(tbl=table, key=first, last=last))
    connection.execute(insert(NotedAhead).values(tbl=table, first=first, last=last))
    try:
        yield
    finally:
        # Later rows of the same numbers, after these were deleted, are changes of their own.
        connection.execute(delete(NotedAhead))


def count_changes(connection: Connection, *, after: int, tables: tuple[str, ...], most: int) -> int:
    """How many keys of these tables changed since `after`, at most `most`; some that changed often may count twice."""
    changed = select(Change.tbl, Change.key, _LAST).where(
        _since(connection, after), Change.tbl.in_(tables)).distinct().limit(most).subquery()
    keys = func.coalesce(func.sum(changed.c.last - changed.c.key + 1), 0)
    return min(most, int(connection.execute(select(keys)).scalar_one()))


def _since(connection: Connection, after: int) -> ColumnElement[bool]:
    # The snapshot predicate: on PostgreSQL the cursor is the oldest transaction that was still open when it was read.
    # Whatever commits later has that number or a higher one, however low its place in the sequence.
    return Change.seq > after if connection.dialect.name == "sqlite" else Change.xid >= after


def changed_tables(connection: Connection, *, after: int) -> tuple[int, set[str]]:
    """The cursor to continue from, and in which tables anything changed since `after`."""
    cursor = head(connection)
    return cursor, set(connection.scalars(select(Change.tbl).where(_since(connection, after)).distinct()))


def head(connection: Connection) -> int:
    """The cursor of somebody who has just read everything."""
    if connection.dialect.name == "sqlite":
        return connection.execute(select(func.coalesce(func.max(Change.seq), 0))).scalar_one()
    return int(connection.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one())


def newest(connection: Connection) -> int:
    """The place of the newest change that can be seen, 0 for none; one row of an index. It tells that something
    changed; what did, only `read_changes` tells."""
    return connection.execute(select(func.coalesce(func.max(Change.seq), 0))).scalar_one()


def position(connection: Connection, name: str) -> int:
    """How far the named reader has read; 0 for a new one."""
    return connection.execute(select(Cursor.position).where(Cursor.name == name)).scalar_one_or_none() or 0


def advance(connection: Connection, name: str, cursor: int) -> None:
    """Store the named reader's position, in the transaction that records its work."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(Cursor)
        .values(name=name, position=cursor)
        .on_conflict_do_update(index_elements=["name"], set_={"position": cursor})
    )


def prune(connection: Connection, *, before: int) -> int:
    """Delete changes below a cursor that every reader has passed; returns how many."""
    older = Change.seq <= before if connection.dialect.name == "sqlite" else Change.xid < before
    advance(connection, _PRUNED, max(before, pruned(connection)))
    return connection.execute(delete(Change).where(older)).rowcount


def prune_read(
    connection: Connection, *, readers: Collection[str], may_begin_anew: Collection[str], most: int, limit: int
) -> int:
    """Delete about `limit` of the changes that all of `readers` have passed; returns how many, 0 when none is left.

    Those in `may_begin_anew` are waited for only while they are at most `most` changes behind.
    """
    passed = min(position(connection, name) for name in readers)
    for name in may_begin_anew:
        stands = position(connection, name)
        if 0 < stands < passed and pruned(connection) <= stands:
            behind = select(Change.seq).where(_since(connection, stands)).limit(most + 1).subquery()
            if connection.execute(select(func.count()).select_from(behind)).scalar_one() <= most:
                passed = stands
    if connection.dialect.name == "sqlite":
        # Everybody waits while rows are deleted there, so it goes piece by piece.
        first = connection.execute(select(func.min(Change.seq))).scalar_one()
        passed = min(passed, (first or 0) + limit - 1)
    return prune(connection, before=passed)


def pruned(connection: Connection) -> int:
    """The cursor below which changes were deleted; a reader that stands lower has missed some and starts anew."""
    return position(connection, _PRUNED)


def length(connection: Connection) -> int:
    """How many changes are kept; a number that only grows says that a reader stands still or nothing is pruned."""
    return connection.execute(select(func.count()).select_from(Change)).scalar_one()

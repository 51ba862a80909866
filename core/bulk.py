"""How do thousands of rows get written at the speed of the driver, inside the caller's transaction?

Owns `bulk_insert`, `insert_absent`, `bulk_update`, `reserve_ids`. PostgreSQL takes COPY and arrays by `unnest`, SQLite
takes blocks of rows; all go through the session's own DBAPI connection, so it stays one transaction. Values are driver
values, column by column: instants as microseconds (`core.types.to_us`), JSON as text, numpy arrays allowed.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Double,
    Float,
    Integer,
    Table,
    text,
)
from sqlalchemy.types import TypeEngine

ROWS_PER_STATEMENT = 100
SQLITE_VARIABLES = 32_000
"""SQLite takes 32,766 variables in one statement."""

Columns = Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]


def bulk_insert(connection: Connection, table: Table, columns: Columns) -> int:
    """Insert rows given as equally long columns; returns how many. Column names are the table's own."""
    names, data = _checked(table, columns)
    count = len(data[0])
    if count == 0:
        return 0
    quote = connection.dialect.identifier_preparer.quote
    listed = ", ".join(quote(name) for name in names)
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        return _insert_blocks(raw, f"INSERT INTO {quote(table.name)} ({listed}) VALUES ", data)
    with raw.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({listed}) FROM STDIN") as copy:
        for row in zip(*data, strict=True):
            copy.write_row(row)
    return count


def insert_absent(connection: Connection, table: Table, columns: Columns) -> int:
    """The same, but a row that would break a unique key is left out; returns how many went in.

    On PostgreSQL it waits for another transaction that is writing the same key, and then leaves the row out.
    """
    names, data = _checked(table, columns)
    quote = connection.dialect.identifier_preparer.quote
    listed = ", ".join(quote(name) for name in names)
    raw: Any = connection.connection.dbapi_connection
    head, tail = f"INSERT INTO {quote(table.name)} ({listed})", " ON CONFLICT DO NOTHING"
    if connection.dialect.name == "sqlite":
        return _insert_blocks(raw, f"{head} VALUES ", data, tail)
    arrays = ", ".join(f"%s::{_array_type(table.c[name])}[]" for name in names)
    with raw.cursor() as cursor:
        cursor.execute(f"{head} SELECT * FROM unnest({arrays}){tail}", [_array(values) for values in data])
        return int(cursor.rowcount)


def _insert_blocks(raw: Any, head: str, data: list[list[Any]], tail: str = "") -> int:
    """Many rows per statement: one whose triggers may fail saves the pages it touches, so once for all its rows."""
    size = max(1, min(ROWS_PER_STATEMENT, SQLITE_VARIABLES // len(data)))
    marks = f"({', '.join('?' * len(data))})"
    whole = len(data[0]) - len(data[0]) % size
    block = head + ", ".join([marks] * size) + tail
    done = 0
    for start in range(0, whole, size):
        rows = zip(*(values[start:start + size] for values in data), strict=True)
        done += raw.execute(block, list(chain.from_iterable(rows))).rowcount
    last = raw.executemany(head + marks + tail, zip(*(values[whole:] for values in data), strict=True))
    return done + max(0, int(last.rowcount))  # -1: there was none


def bulk_update(connection: Connection, table: Table, key: str, columns: Columns) -> int:
    """Update rows by their key column; `columns` holds the key and the new values. Returns the matched row count."""
    names, data = _checked(table, columns)
    if not data[0]:
        return 0
    quote = connection.dialect.identifier_preparer.quote
    changed = [name for name in names if name != key]
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        setters = ", ".join(f"{quote(name)}=?" for name in changed)
        order = [names.index(name) for name in changed] + [names.index(key)]
        cursor = raw.executemany(
            f"UPDATE {quote(table.name)} SET {setters} WHERE {quote(key)}=?",
            zip(*(data[position] for position in order), strict=True),
        )
        return int(cursor.rowcount)
    setters = ", ".join(f"{quote(name)}=new.{quote(name)}" for name in changed)
    arrays = ", ".join(f"%s::{_array_type(table.c[name])}[]" for name in names)
    listed = ", ".join(quote(name) for name in names)
    with raw.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(table.name)} AS old SET {setters} FROM unnest({arrays}) AS new({listed})"
            f" WHERE old.{quote(key)}=new.{quote(key)}",
            [_array(values) for values in data],
        )
        return int(cursor.rowcount)


def reserve_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Fresh ids for `count` rows about to be inserted into a table with an `id` key, in rising order.

    PostgreSQL draws them from the sequence; on SQLite the caller holds the write lock, so the next free ids are safe.
    """
    if count == 0:
        return []
    if connection.dialect.name == "sqlite":
        last = connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {table.name}")).scalar_one()
        return list(range(last + 1, last + 1 + count))
    sequence = f"{table.name}_id_seq"
    rows = connection.execute(text("SELECT nextval(CAST(:name AS regclass)) FROM generate_series(1, :count)"),
                              {"name": sequence, "count": count})
    return sorted(row[0] for row in rows)


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Consecutive slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start:start + size]


def _checked(table: Table, columns: Columns) -> tuple[list[str], list[list[Any]]]:
    unknown = [name for name in columns if name not in table.c]
    if unknown:
        raise ValueError(f"{table.name} has no column {unknown[0]}")
    data = [values.tolist() if isinstance(values, np.ndarray) else list(values) for values in columns.values()]
    if not data or any(len(values) != len(data[0]) for values in data):
        raise ValueError("columns must be given and equally long")
    return list(columns), data


def _array(values: list[Any]) -> str:
    """Values as PostgreSQL reads an array from text: the driver takes ten times as long to write one."""
    texts = ("NULL" if value is None else _quoted(value) if isinstance(value, str) else str(value) for value in values)
    return "{" + ",".join(texts) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _array_type(column: Column[Any]) -> str:
    kind: TypeEngine[Any] = column.type
    impl = getattr(kind, "impl_instance", kind)
    for python_type, name in ((BigInteger, "bigint"), (Integer, "integer"), (Boolean, "boolean"),
                              (Double, "double precision"), (Float, "double precision"), (Date, "date")):
        if isinstance(impl, python_type):
            return name
    return "jsonb" if "JSON" in type(impl).__name__.upper() else "text"

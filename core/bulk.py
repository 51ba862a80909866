"""How do thousands of rows get written at the speed of the driver, inside the caller's transaction?

Owns `bulk_insert`, `insert_absent`, `bulk_update`, `reserve_ids` and `plain_rows`. PostgreSQL takes COPY and arrays by
`unnest`, SQLite takes blocks of rows; all go through the session's own DBAPI connection, so it stays one transaction.
What is the same in every row is handed over once. Values are driver values, column by column: instants as microseconds
(`core.types.to_us`), JSON as text, numpy arrays allowed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Double,
    Float,
    Integer,
    Select,
    Table,
    text,
)
from sqlalchemy.types import TypeEngine

ROWS_PER_STATEMENT = (256, 64, 16, 4, 1)
"""Of few sizes, so that the driver keeps each statement ready. SQLite takes 32,766 variables in one, so 127 columns."""

LINES_AT_ONCE = 1_000
COPY_FROM = 100
"""Rows from which a savepoint around a COPY is cheaper than asking for conflicts row by row."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")

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
        return _in_blocks(raw, f"INSERT INTO {quote(table.name)} ({listed}) VALUES ", data)
    _copy(raw, f"COPY {quote(table.name)} ({listed}) FROM STDIN", data)
    return count


def _copy(raw: Any, statement: str, data: list[list[Any]]) -> None:
    """Rows as lines of text, some thousands at a time: the server takes them in while the next are written.

    What is the same in every row stands in the pattern of a line; the driver would write it out once per row.
    """
    same = [_is_same(values) for values in data]
    pattern = "\t".join(_field(values[0]).replace("%", "%%") if alike else "%s"
                        for values, alike in zip(data, same, strict=True)) + "\n"
    own = [_fields(values) for values, alike in zip(data, same, strict=True) if not alike]
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, len(data[0]), LINES_AT_ONCE):
            if own:
                part = zip(*(values[start:start + LINES_AT_ONCE] for values in own), strict=True)
                copy.write("".join(map(pattern.__mod__, part)))
            else:
                copy.write(pattern % () * len(data[0][start:start + LINES_AT_ONCE]))


def _fields(values: list[Any]) -> list[str] | list[Any]:
    kinds = set(map(type, values))
    if kinds == {int} or (kinds == {str} and not _SPECIAL.search("".join(values))):
        return values  # written by the pattern as they are
    return [_field(value) for value in values]


def _field(value: Any) -> str:
    """A value as COPY reads it from text."""
    if value is None:
        return "\\N"
    return _SPECIAL.sub(_escaped, value) if isinstance(value, str) else str(value)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]


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
        return _in_blocks(raw, f"{head} VALUES ", data, tail)
    if len(data[0]) >= COPY_FROM and _copied(raw, f"COPY {quote(table.name)} ({listed}) FROM STDIN", data):
        return len(data[0])
    arrays = ", ".join(f"%s::{_array_type(table.c[name])}[]" for name in names)
    with raw.cursor() as cursor:
        cursor.execute(f"{head} SELECT * FROM unnest({arrays}){tail}", [_array(values) for values in data])
        return int(cursor.rowcount)


def _copied(raw: Any, statement: str, data: list[list[Any]]) -> bool:
    """Mostly no key is there: then all rows go in at half the cost. False: one is, and none went in."""
    try:
        with raw.transaction():  # a savepoint, in the transaction that is open
            _copy(raw, statement, data)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _in_blocks(raw: Any, head: str, data: list[list[Any]], tail: str = "") -> int:
    """Many rows per statement: one whose triggers may fail saves the pages it touches, so once for all its rows."""
    done = 0
    for marks, values in _blocks(data):
        done += raw.execute(head + marks + tail, values).rowcount
    return done


def _blocks(data: list[list[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Rows as the text of VALUES with numbered variables, and what these hold, block by block.

    What is the same in every row is one variable that all rows name.
    """
    count = len(data[0])
    if count == 0:
        return
    same = tuple(_is_same(values) for values in data)
    shared = [values[0] for values, alike in zip(data, same, strict=True) if alike]
    own = [values for values, alike in zip(data, same, strict=True) if not alike]
    start = 0
    for size in ROWS_PER_STATEMENT:
        while count - start >= size:
            part = zip(*(values[start:start + size] for values in own), strict=True)
            yield _marks(same, size), [*shared, *chain.from_iterable(part)]
            start += size


@lru_cache(maxsize=64)
def _marks(same: tuple[bool, ...], size: int) -> str:
    """`(?1, ?3), (?1, ?4)`: the shared variables come first, then those of each row."""
    shared, number = iter(range(1, sum(same) + 1)), sum(same)
    places = [next(shared) if alike else None for alike in same]
    rows = []
    for _row in range(size):
        marks = []
        for place in places:
            number += place is None
            marks.append(f"?{place or number}")
        rows.append(f"({', '.join(marks)})")
    return ", ".join(rows)


def _is_same(values: list[Any]) -> bool:
    # The last is asked first: most columns that differ differ there, and are not read through.
    return bool(values[0] == values[-1]) and values.count(values[0]) == len(values)


def bulk_update(connection: Connection, table: Table, key: str, columns: Columns) -> int:
    """Update rows by their key column; `columns` holds the key and the new values. Returns the matched row count."""
    names, data = _checked(table, columns)
    if not data[0]:
        return 0
    quote = connection.dialect.identifier_preparer.quote
    changed = [name for name in names if name != key]
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        setters = ", ".join(f"{quote(name)}=new.column{names.index(name) + 1}" for name in changed)
        head = f"UPDATE {quote(table.name)} AS old SET {setters} FROM (VALUES "
        tail = f") AS new WHERE old.{quote(key)}=new.column{names.index(key) + 1}"
        return _in_blocks(raw, head, data, tail)
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


def plain_rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """All rows of a query as the driver gives them, without a row object each: for thousands of numbers and words.

    Nothing is converted: instants are microseconds, and what is true or false is 1 or 0 on SQLite.
    """
    cursor: Any = connection.execute(query).cursor
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


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

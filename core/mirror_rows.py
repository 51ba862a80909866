"""How do rows get from the row store into DuckDB?

Owns reading tables as Arrow batches: out of PostgreSQL by ADBC, on the snapshot of the caller's own transaction; out of
SQLite by a plain cursor. Memory stays flat: a batch at a time.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
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
    select,
    text,
)

from core.arrays import in_ids
from core.database import Database

BATCH = 100_000
KEYS_AT_ONCE = 20_000

_TYPES: tuple[tuple[type[Any], str, pa.DataType], ...] = (
    (Boolean, "BOOLEAN", pa.bool_()),
    (BigInteger, "BIGINT", pa.int64()),
    (Integer, "BIGINT", pa.int64()),
    (Double, "DOUBLE", pa.float64()),
    (Float, "DOUBLE", pa.float64()),
    (Date, "DATE", pa.string()),
)


def duckdb_type(column: Column[Any]) -> str:
    """The DuckDB type of a mirrored column; texts and JSON are VARCHAR, instants microseconds."""
    return _kind(column)[0]


def _kind(column: Column[Any]) -> tuple[str, pa.DataType]:
    impl = getattr(column.type, "impl_instance", column.type)
    for python_type, name, arrow in _TYPES:
        if isinstance(impl, python_type):
            return name, arrow
    return "VARCHAR", pa.string()


def _listed(table: Table, columns: Sequence[str], *, sqlite: bool) -> str:
    """The select list: dates and JSON as text, for Arrow has no type that both databases fill."""
    parts = []
    for name in columns:
        column = table.c[name]
        as_text = not sqlite and (_kind(column)[0] == "DATE" or "JSON" in type(column.type).__name__.upper())
        parts.append(f'CAST("{name}" AS TEXT) AS "{name}"' if as_text else f'"{name}"')
    return ", ".join(parts)


@contextlib.contextmanager
def all_rows(
    database: Database, connection: Connection, table: Table, columns: Sequence[str], *, present: str | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Every row of a table (that has a value in `present`) as a stream of Arrow batches, as the caller sees it."""
    statement = f'SELECT {_listed(table, columns, sqlite=database.is_sqlite)} FROM "{table.name}"'
    if present is not None:
        statement += f' WHERE "{present}" IS NOT NULL'
    if database.is_sqlite:
        raw: Any = connection.connection.dbapi_connection
        with contextlib.closing(raw.execute(statement)) as cursor:
            yield _reader(cursor, table, columns)
        return
    import adbc_driver_postgresql.dbapi as adbc  # slow to load, and only PostgreSQL needs it

    snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with adbc.connect(address) as own, own.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        cursor.execute(statement)
        yield cursor.fetch_record_batch()


def changed_rows(
    connection: Connection, table: Table, columns: Sequence[str], key: str, keys: Sequence[int], *,
    present: str | None = None,
) -> Iterator[pa.RecordBatchReader]:
    """The rows of some keys (that have a value in `present`), read inside the caller's transaction."""
    listed = text(_listed(table, columns, sqlite=connection.dialect.name == "sqlite"))
    for start in range(0, len(keys), KEYS_AT_ONCE):
        wanted = select(listed).select_from(table).where(in_ids(table.c[key], keys[start:start + KEYS_AT_ONCE]))
        if present is not None:
            wanted = wanted.where(table.c[present].is_not(None))
        with contextlib.closing(connection.execution_options(stream_results=True).execute(wanted)) as result:
            yield _reader(result, table, columns)


def _reader(cursor: Any, table: Table, columns: Sequence[str]) -> pa.RecordBatchReader:
    kinds = [_kind(table.c[name])[1] for name in columns]
    schema = pa.schema(list(zip(columns, kinds, strict=True)))

    def batches() -> Iterator[pa.RecordBatch]:
        while rows := cursor.fetchmany(BATCH):
            arrays = [_array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        # SQLite has no booleans: 0 and 1.
        return pa.array([None if value is None else bool(value) for value in values], kind)
    return pa.array(values, kind)

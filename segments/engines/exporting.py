"""How do the facts get to an engine that lives on other machines?

Owns the export: Parquet files of every mirrored table, written from one view of the row store into a new folder, sorted
as in the mirror, and published by a manifest. The promise: a reader sees a whole export or the one before it, and knows
how fresh it is; an export that was killed is cleared away by the next.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import duckdb
from sqlalchemy import Connection, select

from core.database import Database
from core.errors import SettingsError
from core.leases import take
from core.mirror import MirrorTable
from core.mirror_rows import all_rows, duckdb_type
from core.models import Installation
from segments.engines.mirrored import TABLES

KEPT_EXPORTS = 2
"""The newest, and the one before it for who still reads."""
ROWS_PER_GROUP = 500_000
FILE_BYTES = "256MB"
"""Spark gives a file or a part of it to each task."""
_NAME = re.compile(r"export-(\d{8})")


@dataclass(frozen=True)
class Export:
    """One export: its folder's name, when its facts were true, whose they are, and how many rows each table has."""

    folder: str
    as_of: str
    identity: str
    rows: dict[str, int]

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.as_of)


@dataclass(frozen=True)
class SparkAddress:
    """What WINBACK_ENGINE_URL says about Spark: its master, where the exports lie, how often, further settings."""

    master: str
    folder: Path
    every: timedelta
    options: dict[str, str]


def spark_address(engine_url: str, home: Path) -> SparkAddress:
    """Read `spark://host:7077` or `spark:local[4]`, with `?facts=/shared/folder&every_minutes=60&spark.x=y`.

    Every machine of the cluster must see the folder under this name. Raises SettingsError for what is not understood.
    """
    parts = urlsplit(engine_url.replace("[", "%5B").replace("]", "%5D"))
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    folder = Path(given.pop("facts", "") or home / "facts").expanduser()
    minutes = given.pop("every_minutes", "60")
    wrong = [name for name in given if not name.startswith("spark.")]
    if wrong or not minutes.isdigit() or not int(minutes) or not folder.is_absolute():
        raise SettingsError("WINBACK_ENGINE_URL: after the ? stand facts= (an absolute folder), every_minutes= (a "
                            "whole number of 1 or more) and settings of Spark such as spark.executor.memory=4g"
                            f"{_named(wrong)}.")
    local = re.fullmatch(r"local(%5B(\d+|\*)%5D)?", parts.path)
    if parts.netloc:
        master = f"spark://{parts.netloc}"
    elif local:
        master = f"local[{local[2] or '*'}]"
    else:
        raise SettingsError("WINBACK_ENGINE_URL: use spark://host:7077, spark:local or spark:local[4].")
    return SparkAddress(master, folder, timedelta(minutes=int(minutes)), given)


def _named(wrong: list[str]) -> str:
    return f", not {', '.join(wrong)}" if wrong else ""


def newest_export(folder: Path) -> Export | None:
    """The export that counts, or None when there is none that can be used."""
    try:
        export = Export(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    # An export made for other columns is none: what is asked for may be missing.
    fits = set(export.rows) >= {table.name for table in TABLES} and (folder / export.folder).is_dir()
    return export if fits and _NAME.fullmatch(export.folder) else None


def export_facts(database: Database, folder: Path, *, now: datetime, memory_limit: str = "2GB") -> Export | None:
    """Write every mirrored table as Parquet files and publish them; None when another process is at it.

    The facts are those of one transaction on the row store; `now` is the instant that the export carries.
    """
    lease = take(database, "facts")
    if lease is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder, newest_export(folder))
        name = f"export-{_next_number(folder):08d}"
        unfinished = folder / f"{name}.tmp"
        unfinished.mkdir()
        with database.reading() as session:
            connection = session.connection()
            identity = connection.execute(select(Installation.identity)).scalar_one()
            rows = _written(database, connection, unfinished, memory_limit)
        unfinished.replace(folder / name)
        export = Export(name, now.isoformat(), identity, rows)
        _publish(folder, export)
        _clear(folder, export)
        return export
    finally:
        lease.release()


def _written(database: Database, connection: Connection, folder: Path, memory_limit: str) -> dict[str, int]:
    rows = {}
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit, "temp_directory": str(folder / "spill")}
    with duckdb.connect(":memory:", config=config) as writer:
        for table in TABLES:
            with _incoming(database, connection, writer, table) as columns:
                order = ", ".join(f'"{name}"' for name in table.order_by)
                path = str(folder / table.name).replace("'", "''")
                found = writer.execute(
                    f"COPY (SELECT {columns} FROM incoming ORDER BY {order}) TO '{path}' (FORMAT parquet, COMPRESSION "
                    f"zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP}, FILE_SIZE_BYTES '{FILE_BYTES}')").fetchone()
                rows[table.name] = int(found[0]) if found else 0
    shutil.rmtree(folder / "spill", ignore_errors=True)
    return rows


@contextlib.contextmanager
def _incoming(
    database: Database, connection: Connection, writer: duckdb.DuckDBPyConnection, table: MirrorTable
) -> Iterator[str]:
    """The table as `incoming` in the writer, and its select list with the types that the mirror has, too."""
    with all_rows(database, connection, table.table, table.columns) as rows:
        writer.register("incoming", rows)
        yield ", ".join(f'CAST("{name}" AS {duckdb_type(table.table.c[name])}) AS "{name}"' for name in table.columns)
        writer.unregister("incoming")


def _publish(folder: Path, export: Export) -> None:
    temporary = folder / "manifest.json.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(asdict(export), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "manifest.json")


def _clear(folder: Path, current: Export | None) -> None:
    """Remove what was never finished and all but the newest exports; other things in the folder are not ours."""
    for left in folder.glob("export-*.tmp"):
        shutil.rmtree(left, ignore_errors=True)
    number = int(current.folder.removeprefix("export-")) if current else 0
    for path in folder.glob("export-*"):
        named = _NAME.fullmatch(path.name)
        if named and int(named[1]) <= number - KEPT_EXPORTS:
            shutil.rmtree(path, ignore_errors=True)


def _next_number(folder: Path) -> int:
    # A name is never used twice, not even after a crash between the folder and the manifest.
    found = [int(named[1]) for path in folder.glob("export-*") if (named := _NAME.fullmatch(path.name))]
    return 1 + max(found, default=0)

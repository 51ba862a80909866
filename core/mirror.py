"""How do big questions get answers in milliseconds without burdening the row store?

Owns the column mirror: DuckDB files ("generations") that are copies of some tables, sorted for the questions asked. A
generation is never changed: a refresh copies the newest, applies the rows that changed and publishes it under a new
name through a manifest. Readers attach it read-only and never see half a refresh. Lose it and it is built again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from sqlalchemy import Connection, Table, select

from core.cursors import FOLLOWED, advance, head, read_changes
from core.database import Database
from core.errors import NotReady
from core.leases import take
from core.mirror_rows import all_rows, changed_rows, duckdb_type
from core.models import Installation

FORMAT = 1
KEPT_GENERATIONS = 2
TOO_MANY_CHANGES = 500_000
"""More changed keys than this are cheaper to build anew, sorted."""


@dataclass(frozen=True)
class MirrorTable:
    """One mirrored table: which columns, and the order in which its rows lie."""

    table: Table
    columns: tuple[str, ...]
    order_by: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.table.name)

    @property
    def key(self) -> str:
        """The column whose value stands in the list of changes."""
        return FOLLOWED[self.name]


@dataclass(frozen=True)
class Manifest:
    """Which generation counts: its file, how far it has read the changes, and when. `shape` names its columns."""

    file: str
    number: int
    cursor: int
    as_of: str
    identity: str
    shape: str

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.as_of)


@dataclass(frozen=True)
class View:
    """An open, read-only generation. `connection` is for one thread; close it when done."""

    connection: duckdb.DuckDBPyConnection
    manifest: Manifest


class Mirror:
    """The column mirror of one database in one folder; make one per process."""

    def __init__(
        self, folder: Path, database: Database, tables: tuple[MirrorTable, ...], *, memory_limit: str = "2GB",
        threads: int | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        self.tables = tables
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit, "threads": str(threads or os.cpu_count() or 2),
            "temp_directory": str(folder / "spill"),
        }
        self._shape = _shape_of(tables)
        self._lock = threading.Lock()
        self._open: tuple[Manifest, duckdb.DuckDBPyConnection] | None = None

    @property
    def as_of(self) -> datetime | None:
        """How fresh the newest generation is; None when there is none."""
        manifest = self.manifest()
        return manifest.at if manifest else None

    def manifest(self) -> Manifest | None:
        """The newest published generation, if it belongs to this program's columns."""
        try:
            manifest = Manifest(**json.loads((self.folder / "manifest.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return manifest if manifest.shape == self._shape else None

    def view(self) -> View:
        """The newest generation, opened. Raises NotReady when there is none that can be read."""
        for _attempt in range(3):
            # A writer may delete a generation between our reading the manifest and opening the file: read again.
            manifest = self.manifest()
            if manifest is None:
                break
            with contextlib.suppress(duckdb.Error), self._lock:
                if self._open is None or self._open[0].file != manifest.file:
                    self._open = (manifest, self._attached(manifest))
                connection = self._open[1].cursor()
                connection.execute("USE generation")
                return View(connection, manifest)
        raise NotReady("The mirror is being built. Ask again in a minute.")

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A read-only connection to the newest generation, for one thread. Raises NotReady when there is none."""
        return self.view().connection

    def close(self) -> None:
        """Let go of the open generation."""
        with self._lock:
            if self._open is not None:
                self._open[1].close()
                self._open = None

    def refresh(self, *, now: datetime) -> bool:
        """Bring the mirror up to the row store's present state; False when another process is at it.

        Builds it when it is missing, damaged, of another database or of other columns.
        """
        lease = take(self.database, "mirror")
        if lease is None:
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob("*.tmp*"):
                left.unlink()
            with self.database.reading() as session:
                manifest = self._refreshed(session.connection(), now)
            with self.database.writing() as session:
                # Who prunes the list of changes must know how far the mirror has read.
                advance(session.connection(), "mirror", manifest.cursor)
            self._clear_old(manifest)
        finally:
            lease.release()
        return True

    def _refreshed(self, connection: Connection, now: datetime) -> Manifest:
        identity = connection.execute(select(Installation.identity)).scalar_one()
        current = self.manifest()
        if current is None or current.identity != identity or not self._readable(current):
            return self._built(connection, identity, now)
        if self.database.is_sqlite and head(connection) < current.cursor:
            # The changes we have seen are gone: another copy of the database, or a list pruned too far.
            return self._built(connection, identity, now)
        changes = read_changes(connection, after=current.cursor, tables=tuple(table.name for table in self.tables))
        count = sum(map(len, changes.keys.values()))
        if count > TOO_MANY_CHANGES:
            return self._built(connection, identity, now)
        if count == 0:
            return self._published(Manifest(current.file, current.number, changes.cursor, now.isoformat(), identity,
                                            self._shape))
        return self._applied(connection, current, changes.keys, changes.cursor, now)

    def _built(self, connection: Connection, identity: str, now: datetime) -> Manifest:
        number = self._next_number()
        cursor = head(connection)
        with self._writing(number) as target:
            for table in self.tables:
                columns = ", ".join(f'CAST("{name}" AS {duckdb_type(table.table.c[name])}) AS "{name}"'
                                    for name in table.columns)
                with all_rows(self.database, connection, table.table, table.columns) as rows:
                    target.register("incoming", rows)
                    order = ", ".join(f'"{name}"' for name in table.order_by)
                    target.execute(f'CREATE TABLE "{table.name}" AS SELECT {columns} FROM incoming ORDER BY {order}')
                    target.unregister("incoming")
        return self._published(Manifest(_file(number), number, cursor, now.isoformat(), identity, self._shape))

    def _applied(
        self, connection: Connection, current: Manifest, keys: dict[str, list[int]], cursor: int, now: datetime
    ) -> Manifest:
        number = self._next_number()
        shutil.copyfile(self.folder / current.file, self.folder / f"{_file(number)}.tmp")
        with self._writing(number) as target:
            target.execute("BEGIN")
            for table in self.tables:
                if changed := keys.get(table.name):
                    _apply(target, connection, table, changed)
            target.execute("COMMIT")
        return self._published(Manifest(_file(number), number, cursor, now.isoformat(), current.identity, self._shape))

    @contextlib.contextmanager
    def _writing(self, number: int) -> Iterator[duckdb.DuckDBPyConnection]:
        """A generation under a temporary name; complete, closed and durable under its own name when the block ends."""
        temporary, final = self.folder / f"{_file(number)}.tmp", self.folder / _file(number)
        with duckdb.connect(str(temporary), config=self._config) as target:
            yield target
            target.execute("CHECKPOINT")
        if Path(f"{temporary}.wal").exists():
            raise RuntimeError("a mirror generation was closed with work outstanding")
        _make_durable(temporary)
        temporary.replace(final)
        _make_durable(self.folder)

    def _published(self, manifest: Manifest) -> Manifest:
        temporary = self.folder / "manifest.json.tmp"
        temporary.write_text(json.dumps(asdict(manifest)), encoding="utf-8")
        _make_durable(temporary)
        temporary.replace(self.folder / "manifest.json")
        _make_durable(self.folder)
        return manifest

    def _clear_old(self, manifest: Manifest) -> None:
        """Delete all but the newest generations; who still reads one keeps it open until done."""
        for path in self.folder.glob("gen-*.duckdb"):
            if _number(path) <= manifest.number - KEPT_GENERATIONS:
                path.unlink(missing_ok=True)

    def _next_number(self) -> int:
        # A name is never used twice, not even after a crash between the file and the manifest.
        return 1 + max((_number(path) for path in self.folder.glob("gen-*.duckdb")), default=0)

    def _attached(self, manifest: Manifest) -> duckdb.DuckDBPyConnection:
        opened = duckdb.connect(":memory:", config=self._config)
        path = str(self.folder / manifest.file).replace("'", "''")
        opened.execute(f"ATTACH '{path}' AS generation (READ_ONLY)")
        return opened

    def _readable(self, manifest: Manifest) -> bool:
        try:
            with contextlib.closing(self._attached(manifest)) as opened:
                for table in self.tables:
                    opened.execute(f'SELECT count(*) FROM generation."{table.name}"')
        except (duckdb.Error, OSError):
            return False
        return True


def _apply(target: duckdb.DuckDBPyConnection, connection: Connection, table: MirrorTable, keys: list[int]) -> None:
    target.execute("CREATE TEMP TABLE changed AS SELECT unnest($1::BIGINT[]) AS changed_key", [keys])
    target.execute(f'DELETE FROM "{table.name}" WHERE "{table.key}" IN (SELECT changed_key FROM changed)')
    target.execute("DROP TABLE changed")
    names = ", ".join(f'"{name}"' for name in table.columns)
    for rows in changed_rows(connection, table.table, table.columns, table.key, keys):
        target.register("incoming", rows)
        target.execute(f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM incoming')
        target.unregister("incoming")


def _shape_of(tables: tuple[MirrorTable, ...]) -> str:
    shape = [FORMAT, *([table.name, table.columns, table.order_by] for table in tables)]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]


def _file(number: int) -> str:
    return f"gen-{number:08d}.duckdb"


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("gen-"))


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

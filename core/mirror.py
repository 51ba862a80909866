"""How do big questions get answers in milliseconds without burdening the row store?

Owns the column mirror: DuckDB files ("generations") that are copies of some tables, sorted for the questions asked,
with what is summed up of them in advance (core/mirror_summaries.py). A
generation is never changed: a refresh copies the newest, applies the rows that changed and publishes it under a new
name through a manifest (core/mirror_files.py). Readers attach it read-only and never see half a refresh. Lose it or
damage it and it is built again.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb
from sqlalchemy import ColumnElement, Connection, Table, func, select, true

from core.cursors import FOLLOWED, advance, count_changes, head, pruned, read_changes
from core.database import Database
from core.errors import NotReady
from core.leases import Lease, take
from core.mirror_files import Config, Damaged, Folder, Manifest, counted, quoted, tells_of_damage
from core.mirror_rows import all_rows, changed_rows, duckdb_type
from core.mirror_summaries import Summary, sum_up, sum_up_again
from core.models import Installation

__all__ = ["Manifest", "Mirror", "MirrorTable", "Summary", "View"]

log = logging.getLogger("winback.mirror")

FORMAT = 2
TOO_MANY_CHANGES = 500_000
"""More changed keys than this are cheaper to build anew, sorted."""
UNSORTED_SHARE = 0.05
LEAST_UNSORTED = 1_000
"""When keys for so large a share of the rows (and so many) have changed since they were sorted, a refresh sorts all."""
LEAST_REST_SECONDS = 30.0
REST_FACTOR = 20
"""In the background a refresh rests at least so many times as long as the last one took."""

How = Literal["changes", "sorted", "anew"]


@dataclass(frozen=True)
class MirrorTable:
    """One mirrored table: which columns, and the order in which its rows lie.

    Only rows that have a value in the column `present` are mirrored. `whole` is for a handful of rows that no trigger
    follows: they are read and compared at each refresh.
    """

    table: Table
    columns: tuple[str, ...]
    order_by: tuple[str, ...]
    present: str | None = None
    whole: bool = False

    @property
    def where(self) -> ColumnElement[bool]:
        """Which of its rows are mirrored."""
        return true() if self.present is None else self.table.c[self.present].is_not(None)

    @property
    def name(self) -> str:
        return str(self.table.name)

    @property
    def key(self) -> str:
        """The column whose value stands in the list of changes."""
        return FOLLOWED[self.name]


@dataclass(frozen=True)
class View:
    """An open, read-only generation. `connection` is for one thread; close it when done."""

    connection: duckdb.DuckDBPyConnection
    manifest: Manifest


class Mirror:
    """The column mirror of one database in one folder; make one per process."""

    def __init__(
        self, folder: Path, database: Database, tables: tuple[MirrorTable, ...], *,
        summaries: tuple[Summary, ...] = (), memory_limit: str = "2GB", threads: int | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        self.tables = tables
        self.summaries = summaries
        config: Config = {"memory_limit": memory_limit, "threads": str(threads or os.cpu_count() or 2),
                          "temp_directory": str(folder / "spill")}
        self._files = Folder(folder, _shape_of(tables, summaries), config)
        self._lock = threading.Lock()
        self._open: tuple[str, tuple[int, int], duckdb.DuckDBPyConnection] | None = None

    @property
    def as_of(self) -> datetime | None:
        """How fresh the newest generation is; None when there is none."""
        manifest = self.manifest()
        return manifest.at if manifest else None

    def manifest(self) -> Manifest | None:
        """The newest published generation, if it belongs to this program's columns; its file is not looked at."""
        return self._files.manifest()

    def view(self) -> View:
        """The newest generation, opened. Raises NotReady when there is none that can be read."""
        manifest = None
        for _attempt in range(3):
            manifest = self.manifest()
            if manifest is None:
                break
            try:
                return self._view(manifest)
            except FileNotFoundError:
                # A writer deleted the generation between our reading the manifest and opening the file: read again.
                continue
            except Damaged as error:
                self._let_go(manifest, error)
                break
        if manifest is not None:
            self._files.mark(manifest)
        raise NotReady("The mirror is being built. Ask again in a minute.")

    @contextlib.contextmanager
    def asking(self) -> Iterator[View]:
        """`view()` for one question, closed afterwards. Raises NotReady when the file turns out damaged on reading."""
        view = self.view()
        try:
            with view.connection:
                yield view
        except duckdb.Error as error:
            if not tells_of_damage(error):
                raise
            # A full disk looks alike: only a file that cannot be read through is damaged.
            self.close()
            try:
                self._files.read_through(view.manifest)
            except Damaged:
                self._let_go(view.manifest, error)
                self._files.mark(view.manifest)
                raise NotReady("The mirror was damaged and is being built again. Ask again in a minute.") from error
            except FileNotFoundError:
                raise NotReady("The mirror has just been replaced. Ask again.") from error
            raise

    def close(self) -> None:
        """Let go of the open generation."""
        with self._lock:
            if self._open is not None:
                self._open[2].close()
                self._open = None

    def due(self, *, now: datetime) -> bool:
        """Whether a background refresh should begin: nothing readable, or rested for long enough."""
        manifest = self.manifest()
        if manifest is None:
            return True
        try:
            self._files.check(manifest)
        except (Damaged, OSError):
            return True
        rest = max(LEAST_REST_SECONDS, REST_FACTOR * manifest.took_seconds)
        return (now - manifest.at).total_seconds() >= rest

    def check(self) -> Manifest:
        """Read the newest generation through, every block; raises NotReady and has it rebuilt when it is damaged."""
        manifest = self.view().manifest
        try:
            self._files.read_through(manifest)
        except Damaged as error:
            self._let_go(manifest, error)
            self._files.mark(manifest)
            raise NotReady("The mirror is damaged. It is built again at the next refresh.") from error
        return manifest

    def refresh(self, *, now: datetime, how: How = "changes", wait_seconds: float = 0) -> bool:
        """Bring the mirror up to the row store's present state; False when another process was at it all the time.

        Builds it when it is missing, damaged, of another database or of other columns. `how` may also ask for all rows
        to be put in order again (`sorted`), or for building it `anew` from the row store. While another process
        refreshes, waits up to `wait_seconds` for its turn; a generation that is as fresh as `now` by then will do.
        """
        lease = self._turn(now, how, wait_seconds)
        if isinstance(lease, bool):
            return lease
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files.sweep()
            before = self.manifest()
            with self.database.reading() as session:
                manifest = self._refreshed(session.connection(), before, now, how)
            if before is None or before.cursor != manifest.cursor:
                with self.database.writing() as session:
                    # Who prunes the list of changes must know how far the mirror has read.
                    advance(session.connection(), "mirror", manifest.cursor)
            self._files.clear_old(manifest)
        finally:
            lease.release()
        return True

    def _turn(self, now: datetime, how: How, wait_seconds: float) -> Lease | bool:
        deadline = time.monotonic() + wait_seconds
        waited = False
        while (lease := take(self.database, "mirror")) is None:
            if time.monotonic() >= deadline:
                return False
            waited = True
            time.sleep(0.05)
        manifest = self.manifest() if waited and how == "changes" else None
        if manifest is not None and manifest.at >= now:
            lease.release()
            return True
        return lease

    def _refreshed(self, connection: Connection, current: Manifest | None, now: datetime, how: How) -> Manifest:
        started = time.perf_counter()
        identity = connection.execute(select(Installation.identity)).scalar_one()
        if how == "anew" or current is None or current.identity != identity or not self._readable(current):
            return self._built(connection, identity, now, started)
        if pruned(connection) > current.cursor or (self.database.is_sqlite and head(connection) < current.cursor):
            # Changes that we have not seen are gone, or those that we have: pruned, or another copy of the database.
            return self._built(connection, identity, now, started)
        names = tuple(table.name for table in self.tables if not table.whole)
        if count_changes(connection, after=current.cursor, tables=names, most=TOO_MANY_CHANGES) >= TOO_MANY_CHANGES:
            return self._built(connection, identity, now, started)
        changes = read_changes(connection, after=current.cursor, tables=names)
        if not changes.keys and how == "changes" and not self._whole_changed(connection):
            return self._files.publish(replace(current, cursor=changes.cursor, as_of=now.isoformat()))
        try:
            return self._applied(connection, current, changes.keys, changes.cursor, now, how, started)
        except duckdb.Error as error:
            if not tells_of_damage(error):
                raise
            self._let_go(current, error)
            self._files.sweep()
            return self._built(connection, identity, now, started)

    def _built(self, connection: Connection, identity: str, now: datetime, started: float) -> Manifest:
        number = self._files.next_number()
        cursor = head(connection)
        with self._files.writing(number) as target:
            for table in self.tables:
                self._copied(connection, target, table)
            sum_up(target, self.summaries)
        return self._files.publish(self._files.described(
            number, self._names(), cursor=cursor, now=now, identity=identity, sorted_at=now.isoformat(), changed=0,
            started=started))

    def _copied(self, connection: Connection, target: duckdb.DuckDBPyConnection, table: MirrorTable) -> None:
        columns = ", ".join(f'CAST("{name}" AS {duckdb_type(table.table.c[name])}) AS "{name}"'
                            for name in table.columns)
        with all_rows(self.database, connection, table.table, table.columns, present=table.present) as rows:
            target.register("incoming", rows)
            target.execute(f'CREATE OR REPLACE TABLE "{table.name}" AS SELECT {columns} FROM incoming'
                           f" ORDER BY {_order(table)}")
            target.unregister("incoming")

    def _applied(
        self, connection: Connection, current: Manifest, keys: dict[str, list[int]], cursor: int, now: datetime,
        how: How, started: float,
    ) -> Manifest:
        number = self._files.next_number()
        unsorted = current.changed + sum(map(len, keys.values()))
        in_order = how == "sorted" or unsorted > max(current.total_rows * UNSORTED_SHARE, LEAST_UNSORTED)
        # Sorted rows go to a file of their own: within one, what they replace would be kept as empty room.
        changed = self._files.temporary(number, step=".changed" if in_order else "")
        shutil.copyfile(self.folder / current.file, changed)
        if in_order:
            with self._files.connected(changed) as target:
                self._change(connection, target, keys)
                if not self._agrees(connection, target):
                    log.error("the mirror's rows are not those of the row store; it is built anew")
                    return self._built(connection, current.identity, now, started)
            with self._files.writing(number) as target:
                target.execute(f"ATTACH {quoted(changed)} AS changed (READ_ONLY)")
                for table in self.tables:
                    target.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM changed."{table.name}"'
                                   f" ORDER BY {_order(table)}")
                target.execute("DETACH changed")
                sum_up(target, self.summaries)
            changed.unlink()
        else:
            with self._files.writing(number) as target:
                self._change(connection, target, keys)
        return self._files.publish(self._files.described(
            number, self._names(), cursor=cursor, now=now, identity=current.identity,
            sorted_at=now.isoformat() if in_order else current.sorted_at, changed=0 if in_order else unsorted,
            started=started))

    def _change(
        self, connection: Connection, target: duckdb.DuckDBPyConnection, keys: dict[str, list[int]]
    ) -> None:
        target.execute("BEGIN")
        for table in self.tables:
            summaries = [summary for summary in self.summaries if summary.of == table.name]
            if table.whole:
                self._copied(connection, target, table)
                sum_up(target, summaries)
            elif changed := keys.get(table.name):
                _apply(target, connection, table, changed, summaries)
        target.execute("COMMIT")

    def _agrees(self, connection: Connection, target: duckdb.DuckDBPyConnection) -> bool:
        """Whether every table has as many rows as in the row store, both as of this transaction."""
        held = counted(target, [table.name for table in self.tables])
        counting = {table.name: select(func.count()).select_from(table.table).where(table.where)
                    for table in self.tables}
        return all(connection.execute(counting[name]).scalar_one() == rows for name, rows in held.items())

    def _whole_changed(self, connection: Connection) -> bool:
        """Whether one of the few small tables that no trigger follows is not what the generation holds."""
        view = self.view()
        with view.connection:
            for table in self.tables:
                if not table.whole:
                    continue
                names = ", ".join(f'"{name}"' for name in table.columns)
                held = view.connection.execute(f'SELECT {names} FROM "{table.name}"').fetchall()
                rows = connection.execute(select(*(table.table.c[name] for name in table.columns)))
                if {tuple(row) for row in rows} != set(held):
                    return True
        return False

    def _names(self) -> list[str]:
        return [*(table.name for table in self.tables), *(summary.name for summary in self.summaries)]

    def _readable(self, manifest: Manifest) -> bool:
        try:
            with contextlib.suppress(NotReady):
                view = self.view()
                view.connection.close()
                return view.manifest.number == manifest.number
        except OSError:
            pass
        return False

    def _view(self, manifest: Manifest) -> View:
        with self._lock:
            mark = self._files.check(manifest)
            if self._open is None or self._open[:2] != (manifest.file, mark):
                self._open = (manifest.file, mark, self._files.opened(manifest))
            connection = self._open[2].cursor()
            connection.execute("USE generation")
            return View(connection, manifest)

    def _let_go(self, manifest: Manifest, error: Exception) -> None:
        log.error("the mirror is damaged and will be built anew: %s", error)
        self.close()


def _apply(
    target: duckdb.DuckDBPyConnection, connection: Connection, table: MirrorTable, keys: list[int],
    summaries: Sequence[Summary],
) -> None:
    changing = f'"{table.name}" WHERE "{table.key}" IN (SELECT changed_key FROM changed)'
    owning = " UNION ".join(f'SELECT "{summary.owner}" FROM {changing}' for summary in summaries)
    target.execute("CREATE TEMP TABLE changed AS SELECT unnest($1::BIGINT[]) AS changed_key", [keys])
    if summaries:
        # A row may go from one owner to another, so both those before and those after are summed up again.
        target.execute(f"CREATE TEMP TABLE owners AS SELECT * FROM ({owning}) found(owner)")
    target.execute(f"DELETE FROM {changing}")
    names = ", ".join(f'"{name}"' for name in table.columns)
    for rows in changed_rows(connection, table.table, table.columns, table.key, keys, present=table.present):
        target.register("incoming", rows)
        target.execute(f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM incoming ORDER BY {_order(table)}')
        target.unregister("incoming")
    if summaries:
        target.execute(f"INSERT INTO owners {owning}")
        sum_up_again(target, summaries, "owners")
        target.execute("DROP TABLE owners")
    target.execute("DROP TABLE changed")


def _order(table: MirrorTable) -> str:
    return ", ".join(f'"{name}"' for name in table.order_by)


def _shape_of(tables: tuple[MirrorTable, ...], summaries: tuple[Summary, ...]) -> str:
    shape = [FORMAT, *([table.name, table.columns, table.order_by, table.present, table.whole] for table in tables),
             *(astuple(summary) for summary in summaries)]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]

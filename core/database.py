"""How do we talk to the row store, SQLite or PostgreSQL, without losing or blocking anybody?

Owns the engine and the three kinds of transaction: `reading()` (a write in it raises), `writing()` (one at a time per
thread; on SQLite under a file lock that makes writers take turns) and `small(job)` (small hot writes; on SQLite one
writer thread shares one commit among the jobs that queue up). The promise: what these return from is committed.
"""

import fcntl
import os
import select
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from core.group_commit import GroupCommit, Shared
from core.texts import folded, md5_hex

T = TypeVar("T")

RECYCLE_SECONDS = 300
"""A pooled connection is replaced at this age: younger than the idle time after which networks drop it unsaid."""

_held = threading.local()


class LockedConnection(sqlite3.Connection):
    """A SQLite connection whose write transactions take turns on a lock file.

    A busy timeout alone starves writers, and SQLAlchemy's "commit" event fires before the real commit; so the lock is
    taken and given back here, around BEGIN IMMEDIATE and the real commit, rollback or close.
    """

    lock_path: str = ""
    lock_descriptor: int | None = None
    locked: bool = False

    def begin_write(self) -> None:
        if self.lock_descriptor is None:
            self.lock_descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock_descriptor, fcntl.LOCK_EX)
        self.locked = True
        try:
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._unlock()
            raise

    def _unlock(self) -> None:
        if self.locked and self.lock_descriptor is not None:
            self.locked = False
            fcntl.flock(self.lock_descriptor, fcntl.LOCK_UN)

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            if not self.in_transaction:
                self._unlock()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._unlock()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._unlock()
            if self.lock_descriptor is not None:
                os.close(self.lock_descriptor)
                self.lock_descriptor = None


class Database:
    """One row store and its transactions; make one per process with `open_database`."""

    def __init__(self, engine: Engine, alone: Engine | None = None) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writes = engine.execution_options(writes=True)
        self._alone: Engine
        if self.is_sqlite:
            self._reads = self._alone = engine.execution_options(writes=False)
        else:
            self._reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._alone = alone or engine.execution_options(isolation_level="AUTOCOMMIT")
        self._group = GroupCommit(self._writes) if self.is_sqlite else None

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return Path(self.engine.url.database or "") if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent, read-only view; any write in it raises."""
        with Session(self._reads, expire_on_commit=False) as session:
            yield session

    def glance(self, statement: Select[*tuple[Any, ...]], values: dict[str, Any]) -> Row[*tuple[Any, ...]] | None:
        """The one row of one `select`, None when there is none; on PostgreSQL without the way to open and end a view.

        For what every request asks first. Two glances may see two states: read what belongs together in one.
        """
        with self._alone.connect() as connection:
            return connection.execute(statement, values).one_or_none()

    @contextmanager
    def by_itself(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own, for requests whose round trips count.

        Listeners on `engine` do not hear it: see `is_heard`.
        """
        with self._alone.connect() as connection:
            yield connection

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens to the statements of `engine` (tests, tracing)."""
        return bool(self.engine.dispatch.before_cursor_execute or self.engine.dispatch.after_cursor_execute)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One write transaction: committed when the block ends, rolled back when it raises.

        Raises RuntimeError when this thread already holds one: it would wait for itself for ever.
        """
        if getattr(_held, "writing", False):
            raise RuntimeError("a write transaction is already open in this thread")
        _held.writing = True
        try:
            with Session(self._writes, expire_on_commit=False) as session, session.begin():
                yield session
        finally:
            _held.writing = False

    def small(self, job: Callable[[Connection], T], *, shared: Shared | None = None) -> T:
        """Run one small write job and return its value after the commit (or raise its exception).

        The job uses the connection for a few statements, does no other input or output and never commits. `shared`:
        how it may be done together with others of its kind, where jobs share a commit (SQLite).
        """
        if getattr(_held, "writing", False):
            raise RuntimeError("small() inside a write transaction would wait for itself")
        if self._group is not None:
            value: T = self._group.run(job, shared)
            return value
        with self.engine.begin() as connection:
            return job(connection)

    def dispose(self) -> None:
        """Close every connection and end the writer thread."""
        if self._group is not None:
            self._group.close()
        self._alone.dispose()
        self.engine.dispose()


def open_database(url: str, *, pool_size: int | None = None) -> Database:
    """Open the row store at `url` (sqlite:/// or postgresql+psycopg://). Connects lazily, so it is safe before fork."""
    if make_url(url).get_backend_name() == "sqlite":
        return Database(_sqlite_engine(url, pool_size or 8))  # each may cache 64 MB
    # A web process has sixteen threads. What each request asks first, and redeems, needs no transaction around it; to
    # switch a connection between the two kinds would cost as much as asking.
    return Database(_postgres_engine(url, pool_size or 8), _postgres_engine(
        url, pool_size or 16, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True))


def _postgres_engine(url: str, pool_size: int, **options: Any) -> Engine:
    engine = create_engine(url, pool_size=pool_size, max_overflow=32, pool_recycle=RECYCLE_SECONDS, **options)

    @event.listens_for(engine, "checkout")
    def refuse_ended(connection: Any, _record: Any, _proxy: Any) -> None:
        # Asking the server before every use would cost a round trip. It says nothing unasked to a connection at rest:
        # something to read is its farewell (a restart, an administrator), and the pool then takes a new connection.
        if connection.closed:
            raise DisconnectionError("this connection broke when it was used last")
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        if waiting.poll(0):
            raise DisconnectionError("the server ended this connection")

    return engine


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    lock_path = f"{make_url(url).database}.lock"

    def factory(*args: Any, **options: Any) -> LockedConnection:
        connection = LockedConnection(*args, **options)
        connection.lock_path = lock_path
        return connection

    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=32,
        connect_args={"factory": factory, "check_same_thread": False, "timeout": 30},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: LockedConnection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY",
                       "cache_size=-65536", "busy_timeout=30000",
                       # The page that many commits write is copied back once for all of them, while writers wait.
                       "wal_autocheckpoint=4000"):
            connection.execute(f"PRAGMA {pragma}")
        for name, function in (("md5", md5_hex), ("fold", folded)):
            connection.create_function(name, 1, _passing_null(function), deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        if connection.get_execution_options().get("writes", True):
            raw.execute("PRAGMA query_only=0")
            raw.begin_write()
        else:
            raw.execute("PRAGMA query_only=1")
            raw.execute("BEGIN")

    return engine


def _passing_null(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else function(text)

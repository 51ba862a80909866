"""Who is alive, and who leads?

Owns named locks that a process holds for as long as it lives: an advisory lock on a connection of its own in
PostgreSQL, a file lock beside the database with SQLite. The promise: when the holder dies, even by kill -9, the lock
is free at once and no clock is asked; so a claim marked with a dead holder's number can be rescued without waiting.
"""

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from core.database import Database

LEADER = "leader"
"""The lock of the one worker process that rings the bell for all."""


@dataclass
class Lease:
    """A named lock this process holds until `release()` or death. `number` identifies it in claimed rows."""

    name: str
    number: int
    _connection: Connection | None = None
    _descriptor: int | None = None
    _path: Path | None = None

    def release(self) -> None:
        """Give the lock back; harmless when repeated."""
        if self._connection is not None:
            # The server frees the lock of a closed session a moment later: whoever asks at once should find it free.
            with contextlib.suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": self.number})
            # Closing the session frees the advisory lock even if the link is already broken.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        if self._descriptor is not None:
            if self._path is not None and self.name.startswith("worker:"):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def still_held(self) -> bool:
        """Whether the lock is surely still ours (a PostgreSQL link may have been cut)."""
        if self._connection is None:
            return self._descriptor is not None
        try:
            return bool(self._connection.execute(text("SELECT 1")).scalar_one())
        except Exception:  # any failure of the link means the server may have freed the lock
            return False


def number_of(name: str) -> int:
    """The lock number of a name: 62 bits of its SHA-256, never 0."""
    return (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2) | 1


def take(database: Database, name: str) -> Lease | None:
    """Take the named lock if nobody holds it, else None; never waits."""
    number = number_of(name)
    if database.is_sqlite:
        path = _lock_file(database, number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lease(name, number, _descriptor=descriptor, _path=path)
    connection = database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
    if connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar_one():
        return Lease(name, number, _connection=connection)
    connection.close()
    return None


def enlist(database: Database, identity: str) -> Lease:
    """Make a worker known as alive under a fresh identity; claimed rows carry its number."""
    lease = take(database, f"worker:{identity}")
    if lease is None:
        raise RuntimeError(f"a worker named {identity} is already running")
    return lease


def dead(database: Database, numbers: set[int]) -> set[int]:
    """Which of these holders no longer live. Uses a connection of its own and changes nothing."""
    if not numbers:
        return set()
    if database.is_sqlite:
        return {number for number in numbers if not _file_is_held(_lock_file(database, number))}
    with database.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT ((classid::bigint << 32) | objid::bigint) FROM pg_locks"
                " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
        return numbers - {row[0] for row in rows}


def led(database: Database) -> bool:
    """Whether a worker process leads: one of those that run always does, a second after it was started. Looks only, so
    that nobody who stands for election meanwhile is disturbed for longer than until the next try."""
    number = number_of(LEADER)
    if not database.is_sqlite:
        return not dead(database, {number})
    try:
        descriptor = os.open(_lock_file(database, number), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_file(database: Database, number: int) -> Path:
    return Path(f"{database.path}.{number:016x}.held")


def _file_is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    return False

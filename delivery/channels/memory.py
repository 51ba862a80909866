"""What would have arrived outside?

An outside world for demo, tests and preview: its own SQLite file, its own commit for every message, no part of our
transactions. It takes whatever it is given, twice if it is given twice, so that doubles can be counted. Like a real
provider it survives our crash and cannot be rolled back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from delivery.channels import Envelope, Outcome, accepted

_TABLE = """
CREATE TABLE IF NOT EXISTS received (
  id INTEGER PRIMARY KEY, ledger_id INTEGER NOT NULL, message_id TEXT NOT NULL, channel TEXT NOT NULL,
  address TEXT NOT NULL, subject TEXT NOT NULL, code TEXT, body BLOB NOT NULL, received_us INTEGER NOT NULL)
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the outside world got it."""

    ledger_id: int
    message_id: str
    channel: str
    address: str
    subject: str
    code: str | None
    body: bytes
    received_at: datetime


class MemoryChannel:
    """A sink under `path`. `keeps_bodies=False` stores everything but the bodies, for large runs."""

    def __init__(self, path: Path, *, name: str = "memory", keeps_bodies: bool = True) -> None:
        self.name = name
        self._path = path
        self._keeps_bodies = keeps_bodies

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        """Store each envelope in a commit of its own; all are accepted."""
        received_us = (now - _EPOCH) // timedelta(microseconds=1)
        outcomes = []
        with _opened(self._path) as connection:
            for envelope in envelopes:
                connection.execute(
                    "INSERT INTO received (ledger_id, message_id, channel, address, subject, code, body, received_us)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        envelope.ledger_id, envelope.message_id, envelope.channel, envelope.address, envelope.subject,
                        envelope.code, envelope.body if self._keeps_bodies else b"", received_us,
                    ),
                )  # fmt: skip
                outcomes.append(accepted(text="stored"))
        return outcomes


def received(path: Path) -> list[Received]:
    """Return everything that arrived, in order of arrival."""
    with _opened(path) as connection:
        rows = connection.execute(
            "SELECT ledger_id, message_id, channel, address, subject, code, body, received_us FROM received ORDER BY id"
        ).fetchall()
    return [
        Received(ledger_id, message_id, channel, address, subject, code, body, _EPOCH + timedelta(microseconds=at))
        for ledger_id, message_id, channel, address, subject, code, body, at in rows
    ]


def erase(path: Path, ledger_ids: Sequence[int]) -> int:
    """Take these messages out, because the person they went to is forgotten; returns how many were there."""
    if not path.exists():
        return 0
    with _opened(path) as connection:
        return sum(connection.execute("DELETE FROM received WHERE ledger_id = ?", (ledger_id,)).rowcount
                   for ledger_id in ledger_ids)


def doubles(path: Path) -> dict[str, int]:
    """Return the Message-IDs that arrived more than once, with how often."""
    with _opened(path) as connection:
        rows = connection.execute("SELECT message_id, count(*) FROM received GROUP BY message_id HAVING count(*) > 1")
        return {str(name): int(times) for name, times in rows}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file in autocommit, so that every statement is a commit; other processes may write beside us."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_TABLE)
        yield connection

"""What is a kind of import made of?

Owns the description every kind shares: its columns with their converters, what must be there, and the function that
stores checked rows. Higher rooms describe their own kinds with it; the doors put all of them together.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, text

from core.database import Database
from customers.importing.cells import Converter
from customers.importing.rejects import Rejects
from customers.importing.sources import Lines, Source

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Field:
    """One column: its name in CONTRACTS, how its cells are read, whether the column and each cell must be there."""

    name: str
    convert: Converter
    required: bool = False
    filled: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows that passed their column checks: typed columns present in the file, unknown columns, line numbers."""

    columns: dict[str, Any]
    extras: dict[str, Any]
    lines: Lines
    last_lines: Lines

    def __len__(self) -> int:
        return len(self.lines)

    def lists(self) -> dict[str, list[Any]]:
        """The columns as Python lists."""
        return {name: values.to_pylist() for name, values in self.columns.items()}

    def take(self, rows: Sequence[int] | Any) -> "Batch":
        """Only the given rows, in that order."""
        index = np.asarray(rows, dtype=np.int64)
        chosen = pa.array(index)
        return Batch({name: values.take(chosen) for name, values in self.columns.items()},
                     {name: values.take(chosen) for name, values in self.extras.items()},
                     self.lines[index], self.last_lines[index])

    def slice(self, start: int, length: int) -> "Batch":
        """Consecutive rows."""
        end = start + length
        return Batch({name: values.slice(start, length) for name, values in self.columns.items()},
                     {name: values.slice(start, length) for name, values in self.extras.items()},
                     self.lines[start:end], self.last_lines[start:end])


@dataclass
class Run:
    """One import on its way: where it goes, what it counted and rejected. `memory` is the kind's own."""

    database: Database
    now: datetime
    dry_run: bool
    secret_key: str | None
    progress: Progress
    rejects: Rejects
    read: int = 0
    created: int = 0
    updated: int = 0
    notes: list[str] = field(default_factory=list)
    has_forgotten: bool = False
    memory: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One chunk's transaction; read-only in a dry run. Imports take turns on PostgreSQL, too."""
        if self.dry_run:
            with self.database.reading() as session:
                yield session.connection()
            return
        with self.database.writing() as session:
            connection = session.connection()
            if not self.database.is_sqlite:
                connection.execute(_TAKE_TURNS)
                yield connection
                return
            raw: Any = connection.connection.dbapi_connection
            self.memory["checkpoint"] = True
            raw.execute(f"PRAGMA wal_autocheckpoint={_PAGES_BETWEEN_CHECKPOINTS}")
            yield connection

    def finish(self) -> None:
        """Move what SQLite still holds in its log to the database file, so that no later request pays for it."""
        if "checkpoint" in self.memory:
            raw = self.database.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA wal_autocheckpoint=1000")
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                raw.close()

    def count_keys(self, new: Sequence[str], known: Sequence[str]) -> None:
        """Count created and updated things by key; a dry run remembers what it would have created."""
        if self.dry_run:
            seen: set[str] = self.memory.setdefault("seen", set())
            fresh = set(new) - seen
            seen |= fresh
            self.created += len(fresh)
            self.updated += len(set(known) | (set(new) - fresh))
            return
        self.created += len(set(new))
        self.updated += len(set(known))


# Chunks touch the same index pages again and again; writing each page back after every chunk would double the time.
_PAGES_BETWEEN_CHECKPOINTS = 40_000
# A fixed number, so that two imports do not create the same customer side by side.
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(72656001)")


@dataclass(frozen=True)
class Kind:
    """One kind of file. `load` stores the checked batches; `one_of` lists columns of which at least one must be there;
    `takes_extras` keeps unknown columns; `check` looks at whole rows: row -> reason."""

    name: str
    fields: tuple[Field, ...]
    load: Callable[[Run, Iterator[Batch]], None]
    one_of: tuple[tuple[str, ...], ...] = ()
    takes_extras: bool = False
    check: Callable[[Batch], dict[int, str]] | None = None
    prepare: Callable[[Run, Source, "Plan"], None] | None = None
    extras_become: str = "attributes"
    """What unknown columns are kept as."""
    owner: tuple[str, ...] = ()
    """Columns that name the thing a line is part of, when a bad line rejects all of it (orders: shop, order_id)."""


def in_chunks(batches: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """The batches cut to at most `rows` rows: what is committed at once."""
    for batch in batches:
        for start in range(0, len(batch), rows):
            yield batch.slice(start, rows)


def default_rejected_path(path: Path) -> Path:
    """Where rejected lines go when nothing else is said: beside the file."""
    return path.with_name(f"{path.stem}.rejected.csv")


@dataclass(frozen=True)
class Plan:
    """Our field -> position in the file, and the unknown columns by name."""

    kind: Kind
    positions: dict[str, int]
    extras: dict[str, int]
    named: dict[str, str]
    width: int

    def shown(self, name: str) -> str:
        """A column as the user knows it: our name, and theirs if it differs."""
        theirs = self.named.get(name, name)
        return name if theirs == name else f"{name} ({theirs})"

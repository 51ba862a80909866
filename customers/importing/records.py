"""How does one thing that a program reports take the same way as a line of a file?

Owns the source made of records: what the API sends goes through the very columns, checks and upserts of the imports, so
that a shop may report by file today and by call tomorrow and mean the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from core.database import Database
from core.errors import Invalid
from customers.importing.columns import checked_batches, plan_columns
from customers.importing.customer_numbers import notice_forgotten
from customers.importing.kinds import Kind, Run
from customers.importing.rejects import Rejects
from customers.importing.sources import Block


class RecordSource:
    """Records with the same columns; None is an empty cell. The first record is line 1."""

    def __init__(self, records: Sequence[Mapping[str, str | None]]) -> None:
        self.columns = list(records[0])
        self.notes: list[str] = []
        self.total_bytes = len(records)
        self._records = records

    def blocks(self) -> Iterator[Block]:
        """All records in one block."""
        lines = np.arange(1, len(self._records) + 1, dtype=np.int64)
        yield Block(pa.table({str(place): pa.array([record[name] for record in self._records], pa.string())
                              for place, name in enumerate(self.columns)}), lines, lines)

    def originals(self, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The records as they came; nobody keeps them in a file."""
        yield from (str(dict(self._records[first - 1])) for first, _last in spans)


@dataclass(frozen=True)
class Stored:
    """Whether things were made or brought up to date."""

    created: int
    updated: int


def store_records(
    database: Database, kind: Kind, records: Sequence[Mapping[str, str | None]], *, now: datetime, secret_key: str
) -> Stored:
    """Store records of one kind, all or nothing. Raises Invalid with the first reason when one does not fit."""
    source = RecordSource(records)
    plan = plan_columns(kind, source, {})
    for dry_run in (True, False):
        run = Run(database, now, dry_run, secret_key, lambda _done, _total: None, Rejects())
        notice_forgotten(run)
        if kind.prepare is not None:
            kind.prepare(run, source, plan)
        kind.load(run, checked_batches(run, source, plan))
        if len(run.rejects):
            line, reason = run.rejects.listed(1)[0]
            place, _, message = reason.partition(": ")
            named = message and place.split(" ")[0] in plan.positions
            raise Invalid(message if named else reason, place=place if named else f"line {line}")
    return Stored(run.created, run.updated)

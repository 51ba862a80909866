"""How is a Parquet file read as the same blocks as a CSV file?

Owns reading Parquet. A row's "line" is its number, starting at 1. Types the file already has are kept: an instant
stays an instant, a decimal a decimal.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from core.errors import Invalid
from customers.importing.sources import Block

ROWS = 20_000


class ParquetSource:
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.total_bytes = path.stat().st_size
        try:
            self._file = parquet.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise Invalid(f"{path.name} is not a readable Parquet file.") from error
        self.columns: list[str] = [str(name).strip() for name in self._file.schema_arrow.names]

    def blocks(self) -> Iterator[Block]:
        """The rows in blocks."""
        total, start = max(self._file.metadata.num_rows, 1), 1
        try:
            for batch in self._file.iter_batches(batch_size=ROWS):
                table = pa.Table.from_batches([batch]).rename_columns([str(n) for n in range(len(self.columns))])
                lines = np.arange(start, start + table.num_rows, dtype=np.int64)
                start += table.num_rows
                yield Block(table, lines, lines, done_bytes=self.total_bytes * (start - 1) // total)
        except (pa.ArrowInvalid, OSError) as error:
            raise Invalid(f"{self.path.name} cannot be read beyond row {start - 1}; the file is damaged.") from error

    def originals(self, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The rows at rising numbers, as JSON."""
        wanted = iter(span[0] for span in spans)
        row, start = next(wanted, None), 1
        for batch in self._file.iter_batches(batch_size=ROWS):
            while row is not None and row < start + batch.num_rows:
                [fields] = batch.slice(row - start, 1).to_pylist()
                yield json.dumps(fields, ensure_ascii=False, default=str)
                row = next(wanted, None)
            start += batch.num_rows
            if row is None:
                return

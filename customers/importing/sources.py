"""How does a file become columns with the line numbers they came from?

Owns the shape every file format is read into: blocks of columns, each row with its physical line, and the lines that
could not even be split into fields. The promise: a row is never attributed to another row's line, and no format
reads more than a block at a time into memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

Lines = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Broken:
    """A record that could not be split into fields; `fields` is what could be made out, in file order."""

    line: int
    last_line: int
    reason: str
    fields: list[str]


@dataclass(frozen=True)
class Block:
    """Some records: a pyarrow table with the file's own column names, and the first and last line of each row."""

    table: Any
    lines: Lines
    last_lines: Lines
    broken: list[Broken] = field(default_factory=list)
    done_bytes: int = 0

    @property
    def read(self) -> int:
        return len(self.lines) + len(self.broken)


class Source(Protocol):
    """An opened file: its column names, its blocks, and the original text of given records."""

    columns: list[str]
    notes: list[str]
    total_bytes: int

    def blocks(self) -> Iterator[Block]: ...

    def originals(self, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The original text of records given as rising (first line, last line)."""
        ...

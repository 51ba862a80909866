"""Which lines were not imported, and why?

Owns the list of rejected lines of one import and the file it becomes: line number, reason, original text. The promise:
every line that was read and not imported is in it, once for each reason found first.
"""

import csv
from pathlib import Path

from customers.importing.sources import Source


class Rejects:
    """Rejected lines by their first physical line."""

    def __init__(self) -> None:
        self._reasons: dict[int, tuple[int, str]] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def __contains__(self, line: int) -> bool:
        return line in self._reasons

    def add(self, line: int, last_line: int, reason: str) -> None:
        """Reject one line; the first reason stays."""
        self._reasons.setdefault(int(line), (int(last_line), reason))

    def listed(self, limit: int | None = None) -> list[tuple[int, str]]:
        """(line, reason) in the order of the file."""
        return [(line, self._reasons[line][1]) for line in sorted(self._reasons)[:limit]]

    def write(self, path: Path, source: Source) -> None:
        """Write line, reason and original as CSV (UTF-8 with a mark, so that spreadsheets read it rightly)."""
        order = sorted(self._reasons)
        originals = source.originals([(line, self._reasons[line][0]) for line in order])
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["line", "reason", "original"])
            for line, original in zip(order, originals, strict=True):
                writer.writerow([line, self._reasons[line][1], original])

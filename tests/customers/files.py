"""Small files and imports for the tests of this room."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from core.database import Database
from customers.importing import ImportResult, Kind, import_file

SECRET = "test-secret-key-0123456789"


@dataclass
class Desk:
    """Writes files into a folder and imports them into one database."""

    database: Database
    folder: Path
    now: datetime
    number: int = 0

    def path(self, content: str | bytes) -> Path:
        self.number += 1
        path = self.folder / f"file{self.number}.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, kind: str | Kind, content: str | bytes | Path, **options: Any) -> ImportResult:
        path = content if isinstance(content, Path) else self.path(content)
        return import_file(self.database, kind, path, now=self.now, secret_key=SECRET, **options)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.reading() as session:
            return [tuple(row) for row in session.execute(text(statement))]


def reasons(result: ImportResult) -> dict[int, str]:
    """line -> reason of the first rejected lines."""
    return dict(result.first_rejects)


Load = Callable[..., ImportResult]

"""A desk for both databases, and one for SQLite alone where the engine does not matter."""

from datetime import datetime
from pathlib import Path

import pytest

from core.database import Database
from tests.customers.files import Desk


@pytest.fixture
def desk(database: Database, tmp_path: Path, now: datetime) -> Desk:
    """Files and imports on SQLite and on PostgreSQL."""
    return Desk(database, tmp_path, now)


@pytest.fixture
def quick_desk(sqlite_database: Database, tmp_path: Path, now: datetime) -> Desk:
    """Files and imports on SQLite."""
    return Desk(sqlite_database, tmp_path, now)

"""What a generation knows in advance is what its rows add up to, whatever happened to them since it was first made."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from core.database import Database
from core.mirror import LEAST_UNSORTED, Mirror, MirrorTable, Summary
from customers.models import Customer
from tests.conftest import only_postgresql

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TABLES = (MirrorTable(Customer.__table__, ("id", "external_id", "dunning_level"), ("id",)),)  # type: ignore[arg-type]
LEVELS = Summary(
    "levels", of="customers", owner="dunning_level", order_by=("dunning_level",),
    sql="SELECT dunning_level, count(*) AS people, max(id) AS newest FROM {rows} AS mine GROUP BY dunning_level")


@pytest.fixture
def mirror(database: Database, tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "mirror", database, TABLES, summaries=(LEVELS,), memory_limit="100MB", threads=1)
    yield made
    made.close()


def _add(database: Database, level: int, *ids: int) -> None:
    with database.writing() as session:
        session.execute(insert(Customer), [
            {"id": number, "external_id": f"C{number}", "imported_at": NOW, "attributes": {}, "dunning_level": level}
            for number in ids])


def _levels(mirror: Mirror) -> list[tuple[int, ...]]:
    with mirror.view().connection as connection:
        return connection.execute("SELECT * FROM levels ORDER BY 1").fetchall()


def test_a_summary_is_made_with_the_generation_and_is_one_of_its_tables(mirror: Mirror) -> None:
    _add(mirror.database, 0, 1, 2)
    _add(mirror.database, 3, 3)
    mirror.refresh(now=NOW)
    assert _levels(mirror) == [(0, 2, 2), (3, 1, 3)]
    assert mirror.check().rows == {"customers": 3, "levels": 2}


def test_who_comes_goes_and_changes_owner_is_summed_up_again(mirror: Mirror) -> None:
    database = mirror.database
    _add(database, 0, 1, 2, 3)
    _add(database, 1, 4, 5)
    _add(database, 2, 6)
    mirror.refresh(now=NOW)
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 3).values(dunning_level=1))
        session.execute(delete(Customer).where(Customer.id.in_((5, 6))))
    _add(database, 7, 8)
    mirror.refresh(now=NOW + timedelta(seconds=1))
    assert _levels(mirror) == [(0, 2, 2), (1, 2, 4), (7, 1, 8)]
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 2).values(external_id="another name"))
    mirror.refresh(now=NOW + timedelta(seconds=2))
    assert _levels(mirror) == [(0, 2, 2), (1, 2, 4), (7, 1, 8)]


def test_sorting_all_rows_makes_the_summaries_anew(mirror: Mirror) -> None:
    _add(mirror.database, 0, 1)
    mirror.refresh(now=NOW)
    _add(mirror.database, 1, *range(2, LEAST_UNSORTED + 4))
    mirror.refresh(now=NOW + timedelta(seconds=1))
    manifest = mirror.manifest()
    assert manifest is not None and manifest.changed == 0
    assert _levels(mirror) == [(0, 1, 1), (1, LEAST_UNSORTED + 2, LEAST_UNSORTED + 3)]


@only_postgresql
def test_the_owners_of_rows_committed_late_are_summed_up_again(mirror: Mirror) -> None:
    _add(mirror.database, 0, 1, 2)
    mirror.refresh(now=NOW)
    with mirror.database.engine.connect() as late:
        late.execute(update(Customer).where(Customer.id == 1).values(dunning_level=5))
        _add(mirror.database, 0, 3)
        mirror.refresh(now=NOW + timedelta(seconds=1))
        assert _levels(mirror) == [(0, 3, 3)]
        late.commit()
    mirror.refresh(now=NOW + timedelta(seconds=2))
    assert _levels(mirror) == [(0, 2, 3), (5, 1, 1)]


def test_a_generation_without_the_summaries_of_this_program_is_built_anew(mirror: Mirror) -> None:
    _add(mirror.database, 0, 1)
    before = Mirror(mirror.folder, mirror.database, TABLES, memory_limit="100MB", threads=1)
    before.refresh(now=NOW)
    before.close()
    assert mirror.manifest() is None
    mirror.refresh(now=NOW)
    assert _levels(mirror) == [(0, 1, 1)]

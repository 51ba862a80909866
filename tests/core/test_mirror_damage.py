"""A mirror that is not what was published is let go of, said so, and built again; readers in other processes go on."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import delete

from core.bulk import bulk_insert
from core.database import Database
from core.errors import NotReady
from core.leases import take
from core.mirror import LEAST_REST_SECONDS, LEAST_UNSORTED, REST_FACTOR, Mirror, MirrorTable
from core.models import Change
from customers.models import Contact, Customer

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PEOPLE = 20_000
TABLES = (
    MirrorTable(Customer.__table__, ("id", "external_id", "dunning_level"), ("dunning_level", "id")),  # type: ignore[arg-type]
    MirrorTable(Contact.__table__, ("customer_id", "at", "kind"), ("kind", "at")),  # type: ignore[arg-type]
)


@pytest.fixture
def mirror(sqlite_database: Database, tmp_path: Path) -> Iterator[Mirror]:
    _people(sqlite_database, 1, PEOPLE)
    made = Mirror(tmp_path / "mirror", sqlite_database, TABLES, memory_limit="100MB", threads=1)
    made.refresh(now=NOW)
    yield made
    made.close()


def _people(database: Database, first: int, last: int) -> None:
    ids = range(first, last + 1)
    with database.writing() as session:
        bulk_insert(session.connection(), TABLES[0].table, {
            "id": ids, "external_id": [f"C{number}" for number in ids], "attributes": ["{}"] * len(ids),
            "imported_at": [0] * len(ids), "dunning_level": [number * 7919 % 1000 for number in ids]})


def _asked(mirror: Mirror) -> int:
    with mirror.asking() as view:
        row = view.connection.execute("SELECT count(DISTINCT external_id) FROM customers").fetchone()
    assert row is not None
    return int(row[0])


def _file(mirror: Mirror) -> Path:
    manifest = mirror.manifest()
    assert manifest is not None
    return mirror.folder / manifest.file


def _untouched(path: Path, as_before: os.stat_result) -> None:
    """Damage on the disk itself leaves the time of last write as it was."""
    os.utime(path, ns=(as_before.st_atime_ns, as_before.st_mtime_ns))


def _harm(path: Path, how: str) -> None:
    before = path.stat()
    if how == "cut short":
        os.truncate(path, before.st_size // 2)
    elif how in ("bits turned", "bits turned by the disk"):
        data = bytearray(path.read_bytes())
        for place in range(len(data) // 4, len(data) - 4096, 997):
            data[place] ^= 0xFF
        path.write_bytes(data)
    elif how == "rows taken out":
        other = shutil.copyfile(path, path.with_suffix(".other"))
        with duckdb.connect(str(other)) as connection:
            connection.execute("DELETE FROM customers WHERE id % 2 = 0")
        other.replace(path)
    else:
        path.unlink()
        with duckdb.connect(str(path.with_suffix(".other"))) as connection:
            connection.execute("CREATE TABLE customers AS SELECT 1 AS id")
        path.with_suffix(".other").replace(path)
    if how not in ("cut short", "bits turned"):
        _untouched(path, before)


HARMS = ["cut short", "bits turned", "bits turned by the disk", "rows taken out", "another file"]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("opened", [False, True], ids=["new process", "open already"])
def test_a_harmed_file_gives_no_wrong_answer_and_is_built_again(mirror: Mirror, harm: str, opened: bool) -> None:
    reader = Mirror(mirror.folder, mirror.database, TABLES, memory_limit="100MB", threads=1)
    if opened:
        mirror.view().connection.close()
        reader.view().connection.close()
    _harm(_file(mirror), harm)
    for asked in (mirror, reader):
        try:
            answer = _asked(asked)
        except NotReady as said:
            assert "being built" in said.message or "built again" in said.message
        else:
            # What is read already is still right; wrong it must never be.
            assert opened and answer == PEOPLE
    _people(mirror.database, PEOPLE + 1, PEOPLE + 1)
    assert mirror.refresh(now=NOW + timedelta(minutes=1))
    try:
        mirror.check()
    except NotReady:
        # A refresh copies what it does not read. Whoever reads it is told, and the next one builds.
        assert mirror.due(now=NOW + timedelta(minutes=1)) and mirror.refresh(now=NOW + timedelta(minutes=1))
    mirror.check()
    assert _asked(mirror) == _asked(reader) == PEOPLE + 1
    reader.close()


def test_a_refresh_that_meets_the_damage_builds_anew(mirror: Mirror) -> None:
    _harm(_file(mirror), "bits turned by the disk")
    with mirror.database.writing() as session:
        session.execute(delete(Customer).where(Customer.id == 1))
    assert mirror.refresh(now=NOW, how="sorted")
    mirror.check()
    assert _asked(mirror) == PEOPLE - 1


def test_a_mirror_with_other_row_counts_than_the_row_store_is_built_anew_at_night(mirror: Mirror) -> None:
    manifest = mirror.manifest()
    assert manifest is not None
    with mirror.database.writing() as session:
        # What no trigger saw: the list of changes itself was tampered with.
        session.execute(delete(Customer).where(Customer.id <= 10))
        session.execute(delete(Change).where(Change.seq > manifest.cursor))
    mirror.refresh(now=NOW)
    assert _asked(mirror) == PEOPLE
    mirror.refresh(now=NOW, how="sorted")
    assert _asked(mirror) == PEOPLE - 10


def test_rows_are_put_in_order_at_night_and_when_many_have_changed(mirror: Mirror) -> None:
    def order() -> bool:
        with mirror.asking() as view:
            rows = view.connection.execute("SELECT dunning_level, id FROM customers").fetchall()
        return rows == sorted(rows)

    assert order()
    _people(mirror.database, PEOPLE + 1, PEOPLE + 500)
    mirror.refresh(now=NOW + timedelta(minutes=1))
    manifest = mirror.manifest()
    assert manifest is not None and manifest.changed == 500 and not order()
    assert manifest.sorted_at == NOW.isoformat()
    mirror.refresh(now=NOW + timedelta(minutes=2), how="sorted")
    manifest = mirror.manifest()
    assert manifest is not None and manifest.changed == 0 and order()
    _people(mirror.database, PEOPLE + 501, PEOPLE + 500 + 2 * LEAST_UNSORTED)
    mirror.refresh(now=NOW + timedelta(minutes=3))
    manifest = mirror.manifest()
    assert manifest is not None and manifest.changed == 0 and order()
    assert manifest.rows == {"customers": PEOPLE + 500 + 2 * LEAST_UNSORTED, "contacts": 0}


def test_building_anew_on_demand_makes_a_new_generation(mirror: Mirror) -> None:
    before = _file(mirror)
    assert mirror.refresh(now=NOW, how="anew")
    assert _file(mirror) != before and _asked(mirror) == PEOPLE


def test_a_background_refresh_rests_by_what_the_last_one_took(mirror: Mirror) -> None:
    manifest = mirror.manifest()
    assert manifest is not None
    rest = max(LEAST_REST_SECONDS, REST_FACTOR * manifest.took_seconds)
    assert not mirror.due(now=NOW + timedelta(seconds=rest - 1)) and mirror.due(now=NOW + timedelta(seconds=rest + 1))
    path = mirror.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "took_seconds": 60.0}))
    assert not mirror.due(now=NOW + timedelta(seconds=1100)) and mirror.due(now=NOW + timedelta(seconds=1201))
    _file(mirror).unlink()
    assert mirror.due(now=NOW)


def test_who_waits_for_another_s_refresh_takes_its_result(mirror: Mirror) -> None:
    lease = take(mirror.database, "mirror")
    assert lease is not None
    later = NOW + timedelta(minutes=5)
    manifest = mirror.manifest()
    assert manifest is not None

    def publish() -> None:
        path = mirror.folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "as_of": later.isoformat()}))
        lease.release()

    waiting = threading.Timer(0.3, publish)
    waiting.start()
    assert mirror.refresh(now=later, wait_seconds=120)
    waiting.join()
    assert not list(mirror.folder.glob("gen-00000002*")) and mirror.as_of == later


_READER = """
import sys, time
from pathlib import Path
from core.database import open_database
from core.mirror import Mirror, MirrorTable
from customers.models import Contact, Customer
TABLES = (MirrorTable(Customer.__table__, ("id", "external_id", "dunning_level"), ("dunning_level", "id")),
          MirrorTable(Contact.__table__, ("customer_id", "at", "kind"), ("kind", "at")))
mirror = Mirror(Path(sys.argv[2]), open_database(sys.argv[1]), TABLES, memory_limit="100MB", threads=1)
asked, generations, last = 0, set(), 0
over = False
while not over or asked < 10:
    over = Path(sys.argv[4]).exists()  # then it is asked once more
    with mirror.asking() as view:
        count, total = view.connection.execute("SELECT count(*), sum(id) FROM customers").fetchone()
        generations.add(view.manifest.file)
    assert total == count * (count + 1) // 2 and count % 100 == 0 and count >= last, (count, total, last)
    asked, last = asked + 1, count
    Path(sys.argv[3]).touch()
    time.sleep(0.01)
print(asked, len(generations))
"""


def test_other_processes_read_whole_generations_while_one_refreshes(mirror: Mirror, tmp_path: Path) -> None:
    done = tmp_path / "done"
    root = Path(__file__).parents[2]
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, str(mirror.database.engine.url), str(mirror.folder),
             str(tmp_path / f"ready{number}"), str(done)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": "."})
        for number in range(2)
    ]
    deadline = time.monotonic() + 240
    while not all((tmp_path / f"ready{number}").exists() for number in range(2)):
        assert time.monotonic() < deadline and all(reader.poll() is None for reader in readers)
        time.sleep(0.02)
    for number in range(4):
        _people(mirror.database, PEOPLE + 1 + number * 100, PEOPLE + (number + 1) * 100)
        assert mirror.refresh(now=NOW + timedelta(seconds=number), how="sorted" if number == 2 else "changes")
    done.touch()
    for reader in readers:
        said, trouble = reader.communicate(timeout=240)
        assert reader.returncode == 0, trouble
        asked, generations = map(int, said.split())
        assert asked >= 10 and generations > 1

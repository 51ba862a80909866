"""The column mirror: published whole or not at all, brought up to date by what changed, rebuilt when it must be."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import delete, select, update

from core.cursors import position
from core.database import Database
from core.errors import NotReady
from core.leases import take
from core.mirror import Mirror, MirrorTable
from core.models import Installation
from customers.models import Contact, Customer

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TABLES = (
    MirrorTable(Customer.__table__, ("id", "external_id", "dunning_level", "attributes", "birthday_on"), ("id",)),  # type: ignore[arg-type]
    MirrorTable(Contact.__table__, ("customer_id", "at", "kind"), ("kind", "at")),  # type: ignore[arg-type]
)


def _mirror(database: Database, folder: Path) -> Mirror:
    return Mirror(folder, database, TABLES, memory_limit="100MB", threads=1)


@pytest.fixture
def mirror(database: Database, tmp_path: Path) -> Iterator[Mirror]:
    made = _mirror(database, tmp_path / "mirror")
    yield made
    made.close()


@pytest.fixture
def sqlite_mirror(sqlite_database: Database, tmp_path: Path) -> Iterator[Mirror]:
    made = _mirror(sqlite_database, tmp_path / "mirror")
    yield made
    made.close()


def _add(database: Database, *ids: int) -> None:
    with database.writing() as session:
        session.add_all(Customer(id=number, external_id=f"C{number}", dunning_level=number, imported_at=NOW,
                                 birthday_on=datetime(1980, 2, 29, tzinfo=UTC).date(), attributes={"größe": number})
                        for number in ids)


def _seen(mirror: Mirror) -> list[int]:
    with mirror.view().connection as connection:
        return [row[0] for row in connection.execute("SELECT id FROM customers ORDER BY id").fetchall()]


def _generations(mirror: Mirror) -> list[str]:
    return sorted(path.name for path in mirror.folder.glob("gen-*"))


def test_without_a_mirror_the_answer_is_that_it_is_being_built(sqlite_mirror: Mirror) -> None:
    assert sqlite_mirror.as_of is None
    with pytest.raises(NotReady, match="being built"):
        sqlite_mirror.view()


def test_a_mirror_holds_what_the_row_store_holds(mirror: Mirror) -> None:
    _add(mirror.database, 2, 1)
    assert mirror.refresh(now=NOW)
    assert mirror.as_of == NOW
    with mirror.view().connection as connection:
        row = connection.execute("SELECT * FROM customers ORDER BY id LIMIT 1").fetchone()
    assert row is not None and json.loads(row[3]) == {"größe": 1}
    assert (row[0], row[1], row[2], row[4]) == (1, "C1", 1, datetime(1980, 2, 29, tzinfo=UTC).date())


def test_a_refresh_follows_added_changed_and_deleted_rows(mirror: Mirror) -> None:
    _add(mirror.database, 1, 2, 3)
    mirror.refresh(now=NOW)
    with mirror.database.writing() as session:
        session.add_all(Contact(external_id=f"k{number}", customer_id=2, at=NOW, kind="call", direction="in")
                        for number in range(3))
        session.execute(update(Customer).where(Customer.id == 1).values(dunning_level=9))
        session.execute(delete(Customer).where(Customer.id == 3))
    _add(mirror.database, 4)
    mirror.refresh(now=NOW + timedelta(seconds=1))
    assert _seen(mirror) == [1, 2, 4]
    with mirror.view().connection as connection:
        assert connection.execute("SELECT dunning_level FROM customers WHERE id = 1").fetchone() == (9,)
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (3,)
    with mirror.database.writing() as session:
        session.execute(delete(Contact).where(Contact.external_id == "k1"))
    mirror.refresh(now=NOW + timedelta(seconds=2))
    with mirror.view().connection as connection:
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (2,)


def test_without_changes_only_the_time_moves_on(sqlite_mirror: Mirror) -> None:
    _add(sqlite_mirror.database, 1)
    sqlite_mirror.refresh(now=NOW)
    before = sqlite_mirror.manifest()
    sqlite_mirror.refresh(now=NOW + timedelta(minutes=1))
    after = sqlite_mirror.manifest()
    assert before is not None and after is not None
    assert after.file == before.file and sqlite_mirror.as_of == NOW + timedelta(minutes=1)


def test_only_the_newest_two_generations_are_kept_and_a_reader_keeps_its_own(sqlite_mirror: Mirror) -> None:
    _add(sqlite_mirror.database, 1)
    sqlite_mirror.refresh(now=NOW)
    with sqlite_mirror.view().connection as early:
        for number in range(2, 6):
            _add(sqlite_mirror.database, number)
            sqlite_mirror.refresh(now=NOW)
        assert _generations(sqlite_mirror) == ["gen-00000004.duckdb", "gen-00000005.duckdb"]
        assert early.execute("SELECT count(*) FROM customers").fetchone() == (1,)
    assert _seen(sqlite_mirror) == [1, 2, 3, 4, 5]


def test_the_reader_s_position_stands_in_the_row_store(mirror: Mirror) -> None:
    _add(mirror.database, 1)
    mirror.refresh(now=NOW)
    manifest = mirror.manifest()
    with mirror.database.reading() as session:
        assert manifest is not None and position(session.connection(), "mirror") == manifest.cursor > 0


@pytest.mark.parametrize("harm", ["file gone", "file damaged", "manifest gone", "manifest damaged", "other columns"])
def test_a_lost_or_damaged_mirror_is_rebuilt(sqlite_mirror: Mirror, harm: str) -> None:
    _add(sqlite_mirror.database, 1, 2)
    sqlite_mirror.refresh(now=NOW)
    file, manifest = sqlite_mirror.folder / "gen-00000001.duckdb", sqlite_mirror.folder / "manifest.json"
    if harm == "file gone":
        file.unlink()
    elif harm == "file damaged":
        file.write_bytes(b"not a database" * 1000)
    elif harm == "manifest gone":
        manifest.unlink()
    elif harm == "manifest damaged":
        manifest.write_text('{"file": 7', encoding="utf-8")
    else:
        manifest.write_text(manifest.read_text(encoding="utf-8").replace('"shape": "', '"shape": "x'), encoding="utf-8")
    again = _mirror(sqlite_mirror.database, sqlite_mirror.folder)
    with pytest.raises(NotReady):
        again.view()
    assert again.refresh(now=NOW)
    assert _seen(again) == [1, 2]
    again.close()


def test_the_mirror_of_another_database_is_rebuilt(sqlite_mirror: Mirror) -> None:
    _add(sqlite_mirror.database, 1)
    sqlite_mirror.refresh(now=NOW)
    with sqlite_mirror.database.writing() as session:
        session.execute(update(Installation).values(identity="another"))
    sqlite_mirror.refresh(now=NOW)
    manifest = sqlite_mirror.manifest()
    assert manifest is not None and (manifest.identity, manifest.number) == ("another", 2)
    assert _seen(sqlite_mirror) == [1]


def test_a_second_writer_stands_back(mirror: Mirror) -> None:
    lease = take(mirror.database, "mirror")
    assert lease is not None
    assert not mirror.refresh(now=NOW)
    assert mirror.as_of is None
    lease.release()
    assert mirror.refresh(now=NOW)


def test_a_writer_that_dies_leaves_the_old_generation_and_no_litter(sqlite_mirror: Mirror) -> None:
    _add(sqlite_mirror.database, 1)
    sqlite_mirror.refresh(now=NOW)
    _add(sqlite_mirror.database, 2)
    # A process that opens its next generation and never comes to publish it.
    dying = (
        "import sys, os, signal, duckdb\n"
        "from core.database import open_database\n"
        "from core.leases import take\n"
        "lease = take(open_database(sys.argv[1]), 'mirror')\n"
        "assert lease is not None\n"
        "duckdb.connect(sys.argv[2]).execute('CREATE TABLE customers AS SELECT 1 AS id')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    litter = sqlite_mirror.folder / "gen-00000002.duckdb.tmp"
    died = subprocess.run([sys.executable, "-c", dying, str(sqlite_mirror.database.engine.url), str(litter)],
                          check=False, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."})
    assert died.returncode == -signal.SIGKILL and litter.exists()
    assert _seen(sqlite_mirror) == [1]
    assert sqlite_mirror.refresh(now=NOW)
    assert _seen(sqlite_mirror) == [1, 2]
    assert not list(sqlite_mirror.folder.glob("*.tmp*"))


def test_a_generation_that_was_never_published_is_passed_over(sqlite_mirror: Mirror) -> None:
    _add(sqlite_mirror.database, 1)
    sqlite_mirror.refresh(now=NOW)
    (sqlite_mirror.folder / "gen-00000002.duckdb").write_bytes(b"complete, but the manifest was not written")
    assert _seen(sqlite_mirror) == [1]
    _add(sqlite_mirror.database, 2)
    sqlite_mirror.refresh(now=NOW)
    assert _seen(sqlite_mirror) == [1, 2]
    manifest = sqlite_mirror.manifest()
    assert manifest is not None and manifest.number == 3


def test_two_readers_see_whole_generations_while_one_publishes(sqlite_mirror: Mirror) -> None:
    """Each refresh adds a pair of people, so a reader that ever sees an odd number has seen half a refresh."""
    database = sqlite_mirror.database
    _add(database, 1, 2)
    sqlite_mirror.refresh(now=NOW)
    wrong: list[object] = []
    seen: set[int] = set()
    started, done = threading.Barrier(3), threading.Event()

    def read(mirror: Mirror) -> None:
        last, over = 0, False
        try:
            while not over:
                over = done.is_set()  # then it is looked once more
                count = len(_seen(mirror))
                if not last:
                    started.wait(120)
                seen.add(count)
                if count % 2 or count < last:
                    wrong.append((last, count))
                last = count
        except (NotReady, duckdb.Error, OSError) as error:
            wrong.append(error)
        mirror.close()

    readers = [threading.Thread(target=read, args=(_mirror(database, sqlite_mirror.folder),)) for _ in range(2)]
    for reader in readers:
        reader.start()
    started.wait(120)
    for number in range(3, 19, 2):
        _add(database, number, number + 1)
        assert sqlite_mirror.refresh(now=NOW)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == [] and len(seen) > 1
    with database.reading() as session:
        assert len(session.scalars(select(Customer.id)).all()) == len(_seen(sqlite_mirror)) == 18

"""The export of the facts: whole or not at all, as fresh as it says, and made anew when asked for."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import delete, select

from core.database import Database
from core.errors import SettingsError
from core.leases import take
from core.settings import read_settings
from customers.models import Customer, OrderLine
from segments.engines.exporting import export_facts, newest_export, spark_address
from segments.engines.mirrored import TABLES
from segments.engines.questions import Questions
from tests.segments.population import AS_OF, load, people


def _rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    return duckdb.sql(f"SELECT * FROM '{folder}/{table}/*.parquet'").fetchall()


def test_an_export_holds_every_mirrored_table_and_says_how_fresh_it_is(database: Database, tmp_path: Path) -> None:
    load(database, people(40, seed=5))
    made = export_facts(database, tmp_path, now=AS_OF)
    assert made is not None and made == newest_export(tmp_path) and made.at == AS_OF
    assert set(made.rows) == {table.name for table in TABLES}
    with database.reading() as session:
        for table in TABLES:
            stored = len(session.execute(select(*table.table.primary_key.columns)).all())
            assert len(_rows(tmp_path / made.folder, table.name)) == made.rows[table.name] == stored, table.name
        people_stored = {(row.id, row.external_id) for row in session.scalars(select(Customer))}
    assert {row[:2] for row in _rows(tmp_path / made.folder, "customers")} == people_stored


def test_a_new_export_leaves_the_one_before_it_for_its_readers(sqlite_database: Database, tmp_path: Path) -> None:
    made = []
    for number in range(3):
        load(sqlite_database, people(10 + number, seed=number))
        made.append(export_facts(sqlite_database, tmp_path, now=AS_OF + timedelta(minutes=number)))
    names = [export.folder for export in made if export]
    assert sorted(path.name for path in tmp_path.glob("export-*")) == names[1:]
    assert newest_export(tmp_path) == made[-1]
    assert len(_rows(tmp_path / names[1], "customers")) == 11


def test_an_export_that_died_is_never_read_and_cleared_away(sqlite_database: Database, tmp_path: Path) -> None:
    load(sqlite_database, people(10, seed=1))
    first = export_facts(sqlite_database, tmp_path, now=AS_OF)
    half = tmp_path / "export-00000002.tmp"
    (half / "customers").mkdir(parents=True)
    finished_but_unpublished = tmp_path / "export-00000003"
    finished_but_unpublished.mkdir()
    assert newest_export(tmp_path) == first
    again = export_facts(sqlite_database, tmp_path, now=AS_OF)
    assert again is not None and again.folder == "export-00000004" and newest_export(tmp_path) == again
    assert not half.exists()


def test_an_export_that_fails_leaves_the_old_one_in_force(
    sqlite_database: Database, tmp_path: Path
) -> None:
    load(sqlite_database, people(10, seed=1))
    first = export_facts(sqlite_database, tmp_path, now=AS_OF)
    with pytest.raises(duckdb.Error):
        export_facts(sqlite_database, tmp_path, now=AS_OF, memory_limit="nonsense")
    assert newest_export(tmp_path) == first
    assert export_facts(sqlite_database, tmp_path, now=AS_OF) is not None  # the lease was given back


def test_two_processes_do_not_export_at_once(sqlite_database: Database, tmp_path: Path) -> None:
    other = take(sqlite_database, "facts")
    assert other is not None
    assert export_facts(sqlite_database, tmp_path, now=AS_OF) is None
    other.release()


@pytest.mark.parametrize("spoilt", ["{", '{"folder": "x"}', "[]"])
def test_a_damaged_or_foreign_manifest_is_no_export(sqlite_database: Database, tmp_path: Path, spoilt: str) -> None:
    made = export_facts(sqlite_database, tmp_path, now=AS_OF)
    assert made is not None
    manifest = tmp_path / "manifest.json"
    good = json.loads(manifest.read_text())
    manifest.write_text(spoilt)
    assert newest_export(tmp_path) is None
    fewer = {name: count for name, count in good["rows"].items() if name != "orders"}
    for wrong in ({**good, "rows": fewer}, {**good, "folder": "../elsewhere"}):
        manifest.write_text(json.dumps(wrong))
        assert newest_export(tmp_path) is None


def test_the_worker_exports_again_when_the_last_export_is_old_enough(
    sqlite_database: Database, tmp_path: Path
) -> None:
    settings = read_settings({"WINBACK_HOME": str(tmp_path), "WINBACK_DATABASE_URL": "sqlite:////tmp/none.db",
                              "WINBACK_ENGINE_URL": f"spark:local?facts={tmp_path}/shared&every_minutes=30"})
    questions = Questions(sqlite_database, settings)
    assert questions.engine() == "spark"
    load(sqlite_database, people(10, seed=1))
    assert questions.refresh(now=AS_OF)
    mark = questions.facts_mark()
    assert not questions.refresh(now=AS_OF + timedelta(minutes=29))
    with sqlite_database.writing() as session:
        session.execute(delete(OrderLine))
    assert questions.refresh(now=AS_OF + timedelta(minutes=30))
    assert questions.facts_mark() != mark
    found = newest_export(tmp_path / "shared")
    assert found is not None and found.rows["order_lines"] == 0


def test_an_address_of_spark_is_read_whole_or_refused(tmp_path: Path) -> None:
    cluster = spark_address("spark://boss:7077?facts=/mnt/facts&every_minutes=5&spark.executor.memory=4g", tmp_path)
    assert (cluster.master, cluster.folder) == ("spark://boss:7077", Path("/mnt/facts"))
    assert (cluster.every, cluster.options) == (timedelta(minutes=5), {"spark.executor.memory": "4g"})
    for given, master in (("spark:local", "local[*]"), ("spark:local[3]", "local[3]"), ("spark:local[*]", "local[*]")):
        here = spark_address(given, tmp_path)
        assert (here.master, here.folder, here.every) == (master, tmp_path / "facts", timedelta(hours=1))
    for wrong in ("spark:local[x]", "spark:localhost", "spark:local?fact=/x", "spark:local?facts=relative",
                  "spark:local?every_minutes=0", "spark:local?every_minutes=-1"):
        with pytest.raises(SettingsError, match="WINBACK_ENGINE_URL"):
            spark_address(wrong, tmp_path)

"""The tests that need Spark: collected only where the `spark` extra is installed, as in `make spark`."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database, open_database
from segments.exporting import SparkAddress, export_facts, spark_address
from tests.segments.population import AS_OF, load, people

if importlib.util.find_spec("pyspark") is None:
    collect_ignore_glob = ["*.py"]

SHOP = people(250, seed=7)
SMALL = "spark.sql.shuffle.partitions=2&spark.driver.memory=1g&spark.default.parallelism=2"


@pytest.fixture(scope="session")
def shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A shop of 250 people in SQLite."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    shutil.copyfile(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    load(database, SHOP)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def address(shop: Database, tmp_path_factory: pytest.TempPathFactory) -> SparkAddress:
    """Spark in this process, over an export of the shop."""
    folder = tmp_path_factory.mktemp("facts")
    assert export_facts(shop, folder, now=AS_OF) is not None
    return spark_address(f"spark:local[2]?facts={folder}&{SMALL}", folder)

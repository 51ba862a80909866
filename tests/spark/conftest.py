"""The tests that need Spark: collected only where the `spark` extra is installed, as in `make spark`."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database, open_database
from core.settings import Settings, read_settings
from segments.engines.exporting import export_facts
from segments.engines.questions import Questions
from tests.segments.population import AS_OF, load, people

if importlib.util.find_spec("pyspark") is None:
    collect_ignore_glob = ["*.py"]

SHOP = people(120, seed=7)
SHORT_LIVED = "spark.driver.extraJavaOptions=-Xss16m -XX:TieredStopAtLevel=1 -XX:%2BUseSerialGC"
"""A driver that lives for two minutes: making its code quick would be most of the time."""
QUICK = (f"{SHORT_LIVED}&spark.sql.shuffle.partitions=2&spark.driver.memory=1g&spark.sql.codegen.wholeStage=false"
         "&spark.sql.codegen.factoryMode=NO_CODEGEN&spark.sql.adaptive.enabled=false")
"""Hundreds of questions about a handful of people: compiling each to machine code would be most of the time."""


def spark_settings(home: Path, master: str, options: str) -> Settings:
    """An installation whose questions go to Spark over the facts in `home`/facts."""
    return read_settings({"WINBACK_HOME": str(home), "WINBACK_DATABASE_URL": f"sqlite:///{home}/shop.db",
                          "WINBACK_ENGINE_URL": f"{master}?facts={home}/facts&{options}"})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def shop(sqlite_template: Path, home: Path) -> Iterator[Database]:
    """A shop of 120 people in SQLite, its facts exported."""
    shutil.copyfile(sqlite_template, home / "shop.db")
    database = open_database(f"sqlite:///{home / 'shop.db'}")
    load(database, SHOP)
    assert export_facts(database, home / "facts", now=AS_OF) is not None
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def questions(shop: Database, home: Path) -> Iterator[Questions]:
    """Spark inside this process, over the exported shop."""
    asked = Questions(shop, spark_settings(home, "spark:local[2]", QUICK), seconds=600)
    yield asked
    asked.close()

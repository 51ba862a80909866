"""How long do the engines beside the mirror take for the same questions about the same shop?

Owns a PostgreSQL and an SQLite that hold the shop, with the product's own indexes, and Spark over its export. Each of
the eight questions is asked once, as the product would ask it, and stopped after `MOST_SECONDS`; whoever answers must
find as many people as the mirror does.
"""

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Connection, create_engine, text

from benchmarks.engines import exported
from benchmarks.invented import given, rest_of
from benchmarks.questions import AS_OF, QUESTIONS
from benchmarks.rows import filled
from core.database import open_database
from core.errors import TooSlow
from core.types import Base
from segments.engines.limits import limited_rows
from segments.engines.members import prepare
from segments.engines.mirrored import TABLES
from segments.language.rules import parse_rule

MOST_SECONDS = 60
Ask = Callable[[dict[str, Any]], int]
_NEEDED = ("customers", "addresses", "consents", "orders", "order_lines")
_ROOMY = ("shared_buffers=4GB", "work_mem=256MB", "maintenance_work_mem=2GB", "max_wal_size=16GB")
"""What an administrator gives a database of this size: a baseline that is held back proves nothing."""


def asked_once(asks: Mapping[str, Ask], expected: Mapping[str, int]) -> dict[str, dict[str, float | None]]:
    """Milliseconds by engine and question; None for one that was stopped."""
    times: dict[str, dict[str, float | None]] = {name: {} for name in asks}
    for name, ask in asks.items():
        for question in QUESTIONS:
            started = time.perf_counter()
            try:
                found = ask(question.rule)
            except TooSlow:
                times[name][question.name] = None
                continue
            times[name][question.name] = round((time.perf_counter() - started) * 1000, 1)
            if found != expected[question.name]:
                raise RuntimeError(f"{name}, {question.name}: {found} and not {expected[question.name]}")
    return times


@contextlib.contextmanager
def beside(source: duckdb.DuckDBPyConnection, shop: Path, postgres: Connection | None) -> Iterator[dict[str, Ask]]:
    """The engines that are there: SQLite, PostgreSQL when it runs, Spark when the extra is installed."""
    with contextlib.ExitStack() as opened:
        database = open_database(f"sqlite:///{filled(shop)}")
        opened.callback(database.dispose)
        asks: dict[str, Ask] = {"sqlite": _of_rows(opened.enter_context(database.engine.connect()))}
        if postgres is not None:
            asks["postgresql"] = _of_rows(postgres)
        if importlib.util.find_spec("pyspark") is not None:
            asks["spark"] = opened.enter_context(_spark(source, shop))
        yield asks


def on_rows(connection: Connection, rule: dict[str, Any]) -> int:
    """How many people, by the statement that the product asks of a row store."""
    prepared = prepare(parse_rule(rule))
    return int(connection.execute(prepared.counting, prepared.cuts.values(AS_OF)).scalar_one())


def _of_rows(connection: Connection) -> Ask:
    def ask(rule: dict[str, Any]) -> int:
        with limited_rows(connection, MOST_SECONDS):
            return on_rows(connection, rule)
    return ask


@contextlib.contextmanager
def _spark(source: duckdb.DuckDBPyConnection, shop: Path) -> Iterator[Ask]:
    from segments.engines.exporting import spark_address
    from segments.engines.spark import Spark  # an extra

    facts = shop.with_suffix(".facts")
    exported(source, facts)
    spark = Spark(spark_address(f"spark:local?facts={facts}&spark.driver.memory=4g", facts))

    def ask(rule: dict[str, Any]) -> int:
        prepared = prepare(parse_rule(rule), staged=False)
        with spark.asking(seconds=MOST_SECONDS) as opened:
            return int(opened.column(prepared.counting, prepared.cuts.values(AS_OF), str(rule))[0])

    ask({"customer": "country", "is": "DE"})  # the first one starts it
    yield ask
    spark.close()


@contextlib.contextmanager
def running_shop(source: duckdb.DuckDBPyConnection) -> Iterator[Connection]:
    """A PostgreSQL with the same rows and the product's own indexes. ImportError when it cannot be started."""
    from adbc_driver_postgresql import dbapi as adbc

    from tests.postgres import running_postgres

    with running_postgres(settings=_ROOMY) as url:
        engine = create_engine(url)
        wanted = [table for table in TABLES if table.name in _NEEDED]
        Base.metadata.create_all(engine, tables=[table.table for table in wanted])
        indexes = [index for table in wanted for index in table.table.indexes]
        for index in indexes:
            index.drop(engine)  # made once over all rows at the end, in a quarter of the time
        with adbc.connect(url.replace("postgresql+psycopg", "postgresql")) as own, own.cursor() as cursor:
            # The rows agree by construction; checking every reference would double the loading time.
            cursor.execute("SET session_replication_role = replica")
            for table in wanted:
                names = ", ".join(f'"{name}"' for name in given(table.name))
                rest = rest_of(table.name)
                rows = source.sql(f"SELECT {names} FROM {table.name}").to_arrow_reader()
                cursor.adbc_ingest(f"copy_{table.name}", rows, mode="create")
                cursor.execute(f"INSERT INTO {table.name} ({names}, {', '.join(rest)})"
                               f" SELECT {names}, {', '.join(rest.values())} FROM copy_{table.name}")
                cursor.execute(f"DROP TABLE copy_{table.name}")
            own.commit()
        for index in indexes:
            index.create(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            yield connection
        engine.dispose()

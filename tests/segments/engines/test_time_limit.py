"""A question that would run for minutes is stopped, says so, and leaves its connection fit for the next one."""

import duckdb
import pytest
from sqlalchemy import text

from core.database import Database
from core.errors import TooSlow
from segments.engines.limits import limited_duckdb, limited_rows

LONG = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) "
              "SELECT count(*) FROM n",
    "postgresql": "SELECT count(*) FROM pg_sleep(1)",
}
"""A second or two, so that a limit that does not work is found out and keeps nobody."""


def test_the_row_store_stops_a_question_in_time(database: Database) -> None:
    long, short = text(LONG[database.engine.dialect.name]), text("SELECT 1")
    with pytest.raises(TooSlow, match=r"took longer than 0\.05 seconds and was stopped"), database.reading() as session:
        connection = session.connection()
        with limited_rows(connection, 0.05):
            connection.execute(long).all()
    with database.reading() as session:
        connection = session.connection()
        with limited_rows(connection, 60):
            assert connection.execute(short).scalar_one() == 1
        # after the block nobody's limit holds any more
        assert connection.execute(long).scalar_one() is not None


def test_the_mirror_stops_a_question_in_time() -> None:
    with duckdb.connect(":memory:") as connection:
        with pytest.raises(TooSlow, match=r"took longer than 0\.05 seconds"), limited_duckdb(connection, 0.05):
            connection.execute("SELECT count(*) FROM range(20000) a, range(20000) b "
                               "WHERE hash(a.range, b.range) % 7 = 3").fetchall()
        with limited_duckdb(connection, 60):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]

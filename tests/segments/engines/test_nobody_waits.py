"""A question whose answer nobody waits for is stopped where it runs, and its connection is fit for the next one."""

import threading
from collections.abc import Callable

import duckdb
import pytest
from sqlalchemy import text

from core.database import Database
from core.errors import TooSlow
from segments.engines.limits import Waiting, asked_for, limited_duckdb, limited_rows

MINUTES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000000) "
              "SELECT count(*) FROM n",
    "postgresql": "SELECT count(*) FROM pg_sleep(600)",
}


def _goes_while(waiting: Waiting, ask: Callable[[Callable[[], None]], object]) -> None:
    """Ask, and go once that has begun, again and again: the statement may begin a moment later."""
    begun, ended = threading.Event(), threading.Event()

    def leave() -> None:
        begun.wait(60)
        while not ended.wait(0.05):
            waiting.go()

    leaver = threading.Thread(target=leave)
    with asked_for(waiting):
        leaver.start()
        try:
            with pytest.raises(TooSlow, match="nobody waits for its answer any more"):
                ask(begun.set)
        finally:
            begun.set()
            ended.set()
            leaver.join()


def test_the_row_store_works_no_longer_for_who_has_gone(database: Database) -> None:
    waiting = Waiting()

    def ask(begin: Callable[[], None]) -> None:
        with database.reading() as session:
            connection = session.connection()
            with limited_rows(connection, 60):
                begin()
                connection.execute(text(MINUTES[database.engine.dialect.name])).all()

    _goes_while(waiting, ask)
    with database.reading() as session:
        connection = session.connection()
        with limited_rows(connection, 60):
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        with asked_for(waiting), pytest.raises(TooSlow, match="nobody waits"), limited_rows(connection, 60):
            connection.execute(text("SELECT 1"))


def test_the_mirror_works_no_longer_for_who_has_gone() -> None:
    waiting = Waiting()
    with duckdb.connect(":memory:") as connection:

        def ask(begin: Callable[[], None]) -> None:
            with limited_duckdb(connection, 60):
                begin()
                connection.execute("SELECT count(*) FROM range(2000000) a, range(2000000) b "
                                   "WHERE hash(a.range, b.range) % 7 = 3").fetchall()

        _goes_while(waiting, ask)
        with limited_duckdb(connection, 60):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]

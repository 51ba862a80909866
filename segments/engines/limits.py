"""How long may one question take, and how is it stopped?

Owns the time limit on a statement, engine by engine: SQLite is asked between its steps, PostgreSQL has a timeout of its
own, DuckDB is interrupted. The promise: a question that is too slow ends with a sentence that says what to do, and
leaves its connection as it was.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from core.errors import TooSlow

STEPS = 20_000
"""SQLite looks at the clock after so many steps of its machine: about a thousand times a second."""
_CANCELLED = "57014"
"""PostgreSQL's code for a statement that was stopped."""


def too_slow(seconds: float) -> TooSlow:
    """What is raised when a question was stopped."""
    shown = f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"
    return TooSlow(
        f"This question took longer than {shown} and was stopped. Make it narrower: a shorter window, fewer "
        "conditions, or a category, country or channel first. The operator can allow more time with "
        "WINBACK_QUESTION_SECONDS.")


@contextmanager
def limited_rows(connection: Connection, seconds: float) -> Iterator[None]:
    """Statements of this transaction on the row store, each stopped after so long. Raises TooSlow."""
    if connection.dialect.name == "sqlite":
        with _limited_sqlite(connection.connection.dbapi_connection, seconds):
            yield
        return
    milliseconds = str(max(int(seconds * 1000), 1))
    # Until the end of the transaction only: the next user of the connection has their own.
    connection.execute(select(func.set_config("statement_timeout", milliseconds, True)))
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _CANCELLED:
            raise too_slow(seconds) from error
        raise
    connection.execute(select(func.set_config("statement_timeout", "0", True)))


@contextmanager
def _limited_sqlite(raw: Any, seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    late = False

    def look() -> bool:
        nonlocal late
        late = time.monotonic() > deadline
        return late

    raw.set_progress_handler(look, STEPS)
    try:
        yield
    except OperationalError as error:
        if late:
            raise too_slow(seconds) from error
        raise
    finally:
        with suppress(sqlite3.ProgrammingError):  # whoever closed the connection meanwhile has no use for a handler
            raw.set_progress_handler(None, 0)


@contextmanager
def limited_duckdb(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Everything asked of this connection within the block, stopped after so long. Raises TooSlow."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise too_slow(seconds) from error
    finally:
        timer.cancel()

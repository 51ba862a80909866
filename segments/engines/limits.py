"""How long may one question take, and how is it stopped?

Owns the time limit on a statement, engine by engine: SQLite is asked between its steps, PostgreSQL has a timeout of its
own, DuckDB is interrupted. Owns, too, stopping what nobody waits for any more (`Waiting`), by the same ways. The
promise: a question that is stopped ends with a sentence that says why, and leaves its connection as it was.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import duckdb
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from core.errors import TooSlow

STEPS = 20_000
"""SQLite looks at the clock after so many steps of its machine: about a thousand times a second."""
CANCEL_SECONDS = 2.0
"""PostgreSQL is told to stop over a connection of its own; one that does not come about stops nothing."""
_CANCELLED = "57014"
"""PostgreSQL's code for a statement that was stopped."""


def too_slow(seconds: float) -> TooSlow:
    """What is raised when a question was stopped."""
    shown = f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"
    return TooSlow(
        f"This question took longer than {shown} and was stopped. Make it narrower: a shorter window, fewer "
        "conditions, or a category, country or channel first. The operator can allow more time with "
        "WINBACK_QUESTION_SECONDS.")


class Waiting:
    """Somebody who waits for answers, until they go: what is being worked out for them then is stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self.gone = False

    def go(self) -> None:
        """Stop every question asked for them, those under way and those to come. Any thread may say so, and again."""
        with self._lock:
            self.gone = True
            for stop in self._stops:
                stop()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called when they go within the block, never after it. Raises TooSlow when they are gone."""
        with self._lock:
            if self.gone:
                raise not_awaited()
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


_waiting: ContextVar[Waiting | None] = ContextVar("waiting", default=None)


@contextmanager
def asked_for(waiting: Waiting) -> Iterator[None]:
    """Whatever this thread asks within the block is asked for them."""
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)


@contextmanager
def stopped_when_gone(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Have `stop` called when whoever waits for this block goes; the value tells whether they have gone."""
    waiting = _waiting.get()
    if waiting is None:
        yield lambda: False
        return
    with waiting.stopping(stop):
        yield lambda: waiting.gone


def not_awaited() -> TooSlow:
    """What is raised when a question was stopped because nobody waits for its answer."""
    return TooSlow("This question was stopped, because nobody waits for its answer any more. Ask again to have it "
                   "counted.")


def _stopped(gone: bool, seconds: float) -> TooSlow:
    return not_awaited() if gone else too_slow(seconds)


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
    raw: Any = connection.connection.dbapi_connection
    with stopped_when_gone(lambda: raw.cancel_safe(timeout=CANCEL_SECONDS)) as gone:
        try:
            yield
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == _CANCELLED:
                raise _stopped(gone(), seconds) from error
            raise
    connection.execute(select(func.set_config("statement_timeout", "0", True)))


@contextmanager
def _limited_sqlite(raw: Any, seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    late = False
    with stopped_when_gone(lambda: None) as gone:

        def look() -> bool:
            nonlocal late
            late = gone() or time.monotonic() > deadline
            return late

        raw.set_progress_handler(look, STEPS)
        try:
            yield
        except OperationalError as error:
            if late:
                raise _stopped(gone(), seconds) from error
            raise
        finally:
            with suppress(sqlite3.ProgrammingError):  # whoever closed the connection meanwhile needs no handler
                raw.set_progress_handler(None, 0)


@contextmanager
def limited_duckdb(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Everything asked of this connection within the block, stopped after so long. Raises TooSlow."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        with stopped_when_gone(connection.interrupt) as gone:
            try:
                yield
            except duckdb.InterruptException as error:
                raise _stopped(gone(), seconds) from error
    finally:
        timer.cancel()

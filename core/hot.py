"""How does a statement that runs thousands of times a second cost little more than the driver?

Owns `Hot`: a Core statement with bound parameters, compiled once per dialect and then run on the connection's own
driver cursor, inside the same transaction. Values go in and come out as the driver has them: instants as microseconds,
JSON as text. Where somebody listens to statements (tests, tracing) it takes SQLAlchemy's way, so that they hear it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, zip_longest
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.elements import ClauseElement

from core.prepared import Prepared, is_watched

_numbers = count()
_Compiled = tuple[str, tuple[str, ...] | None, dict[str, Any]]
"""The text, the order of its parameters (None: by name) and values of the statement itself that are still bound."""


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Let what is sent in this block travel to PostgreSQL in one piece; answers are there when the block has ended.

    Each is still a statement of its own, run in order, and sees what was committed when it began.
    """
    if connection.dialect.name == "postgresql" and not _is_heard(connection):
        with _driver(connection).pipeline():
            yield
    else:
        yield


class Sent:
    """A statement on its way: its rows, or how many it changed, once the block of `together` has ended."""

    def __init__(self, cursor: Any, known: tuple[list[tuple[Any, ...]], int] | None = None) -> None:
        self._cursor = cursor
        self._known = known

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row as the driver gives it."""
        found: list[tuple[Any, ...]] = self._known[0] if self._known is not None else self._cursor.fetchall()
        return found

    def row(self) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        found = self.rows()
        return found[0] if found else None

    def count(self) -> int:
        """How many rows were changed."""
        return self._known[1] if self._known is not None else int(self._cursor.rowcount)


class Hot:
    """One statement for each dialect, or one for all."""

    def __init__(self, statement: ClauseElement | Mapping[str, ClauseElement]) -> None:
        self._statements = statement
        self._compiled: dict[str, _Compiled] = {}
        self._prepared: Prepared | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it and return every row as the driver gives it."""
        text, parameters, heard = self._ready_for(connection, values)
        if heard:
            return [tuple(row) for row in connection.exec_driver_sql(text, parameters)]
        found: list[tuple[Any, ...]] = _driver(connection).execute(text, parameters).fetchall()
        return found

    def row(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run it and return its first row, None when there is none."""
        found = self.rows(connection, values)
        return found[0] if found else None

    def answer(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """As `row`, by the shortest way to PostgreSQL (core/prepared.py); for a statement that answers with rows."""
        if connection.dialect.name != "postgresql" or _is_heard(connection) or is_watched(_driver(connection)):
            return self.row(connection, values)
        text, _order, fixed = self._compiled.get("postgresql") or self._compile(connection)
        prepared = self._prepared
        if prepared is None:
            prepared = self._prepared = Prepared(text, f"hot_{next(_numbers)}")
        found = prepared.rows(_driver(connection), {**fixed, **values})
        return found[0] if found else None

    def count(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run it and return how many rows it changed."""
        text, parameters, heard = self._ready_for(connection, values)
        if heard:
            return connection.exec_driver_sql(text, parameters).rowcount
        return int(_driver(connection).execute(text, parameters).rowcount)

    def send(self, connection: Connection, values: Mapping[str, Any]) -> Sent:
        """Run it without waiting for the answer, inside a block of `together`."""
        text, parameters, heard = self._ready_for(connection, values)
        if heard:
            result = connection.exec_driver_sql(text, parameters)
            rows = [tuple(row) for row in result] if result.returns_rows else []
            return Sent(None, (rows, result.rowcount))
        return Sent(_driver(connection).execute(text, parameters))

    def _ready_for(self, connection: Connection, values: Mapping[str, Any]) -> tuple[str, Any, bool]:
        text, order, fixed = self._compiled.get(connection.dialect.name) or self._compile(connection)
        given = {**fixed, **values}
        parameters = given if order is None else tuple([given[name] for name in order])
        return text, parameters, _is_heard(connection)

    def _compile(self, connection: Connection) -> _Compiled:
        name = connection.dialect.name
        statement: Any = self._statements[name] if isinstance(self._statements, Mapping) else self._statements
        compiled = statement.compile(dialect=connection.dialect)
        fixed = {key: value for key, value in compiled.params.items() if value is not None}
        written = {key: _literal(value) for key, value in fixed.items() if isinstance(value, str | int)}
        text, order = str(compiled), None
        if compiled.positional:
            order = tuple(key for key in compiled.positiontup if key not in written)
            text = "".join(_interleaved(text.split("?"), [written.get(key, "?") for key in compiled.positiontup]))
        else:
            for key, literal in written.items():
                text = text.replace(f"%({key})s", literal.replace("%", "%%"))
        made = (text, order, {key: value for key, value in fixed.items() if key not in written})
        self._compiled[name] = made
        return made


def _literal(value: str | int) -> str:
    """A constant of the statement itself as SQL.

    Bound, it would keep PostgreSQL's general plan from partial indexes, and SQLite would plan the statement anew each
    time: half of what a redemption took there.
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).upper() if isinstance(value, bool) else str(value)


def _interleaved(pieces: Sequence[str], between: Sequence[str]) -> Iterator[str]:
    if len(pieces) != len(between) + 1:
        raise ValueError("a statement that runs often holds a question mark in its text")
    for piece, literal in zip_longest(pieces, between, fillvalue=""):
        yield piece
        yield literal


def _is_heard(connection: Connection) -> bool:
    """Whether somebody listens to the statements of this connection."""
    heard: bool | None = connection.__dict__.get("_heard")
    if heard is None:  # once per transaction: SQLAlchemy takes longer to say so than SQLite to find a row
        heard = bool(connection.dispatch.before_cursor_execute or connection.dispatch.after_cursor_execute)
        connection.__dict__["_heard"] = heard
    return heard


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection

"""How does a statement that decides every redemption reach PostgreSQL without a cursor of its own?

Owns running a prepared statement by one call of libpq, with the interpreter free meanwhile. A cursor of the driver
looks up an adapter for each value and waits in Python, which takes longer than the statement. The promise: the same
rows, and the same exceptions, as a cursor gives; each connection prepares a statement once.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from psycopg import Cursor, OperationalError, errors, pq

_NAMED = re.compile(r"%\((\w+)\)s|%%")
_LOADERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda raw: raw == b"t",
    **dict.fromkeys((20, 21, 23, 26), int),
    **dict.fromkeys((18, 19, 25, 1042, 1043), bytes.decode),
    **dict.fromkeys((114, 3802), json.loads),
    1700: lambda raw: Decimal(raw.decode()),
}
"""By the number of PostgreSQL's type: boolean, whole numbers, text, JSON, numeric."""
_BOOLEAN = 16


def is_watched(connection: Any) -> bool:
    """Whether somebody gave this connection of psycopg cursors of their own, to see what is run: they must be used."""
    return connection.cursor_factory is not Cursor


class Prepared:
    """One statement in the driver's own style of parameters, `%(name)s`."""

    def __init__(self, text: str, name: str) -> None:
        names: dict[str, int] = {}

        def numbered(match: "re.Match[str]") -> str:
            return "%" if match[1] is None else f"${names.setdefault(match[1], len(names) + 1)}"

        self._text = _NAMED.sub(numbered, text).encode()
        self._order = tuple(names)
        self._name = name.encode()

    def rows(self, connection: Any, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it on a connection of psycopg that is in no transaction, or in one that the caller ends."""
        known: set[bytes] = connection.__dict__.setdefault("_prepared_by_name", set())
        if self._name not in known:
            # The dialect casts what it binds but for truth values, which would be taken for text.
            kinds = [_BOOLEAN if isinstance(values[name], bool) else 0 for name in self._order]
            _checked(connection.pgconn.prepare(self._name, self._text, kinds), pq.ExecStatus.COMMAND_OK)
            known.add(self._name)
        given = [_written(values[name]) for name in self._order]
        result = connection.pgconn.exec_prepared(self._name, given)
        _checked(result, pq.ExecStatus.TUPLES_OK)
        loaders = [_LOADERS[result.ftype(column)] for column in range(result.nfields)]
        return [tuple(None if raw is None else load(raw) for raw, load in (
            (result.get_value(row, column), loader) for column, loader in enumerate(loaders)))
            for row in range(result.ntuples)]


def _checked(result: Any, wanted: int) -> None:
    if result.status != wanted:
        if result.error_field(pq.DiagnosticField.SQLSTATE) is None:  # not the server's word: there is none any more
            raise OperationalError(result.error_message.decode("utf-8", "replace").strip())
        raise errors.error_from_result(result, encoding="utf-8")


def _written(value: Any) -> bytes | None:
    """A value as PostgreSQL reads it from text; its type is the statement's."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, list):
        return b"{" + b",".join(_element(text) for text in value) + b"}"
    raise TypeError(f"a {type(value).__name__} is not sent this way")


def _element(text: str) -> bytes:
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'

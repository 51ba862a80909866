"""How does DuckDB run the very statement that the row store runs?

Owns the dialect (PostgreSQL's, with numbered parameters, which DuckDB takes as they are), the rendering of a select
into text and a list of values, and the opened mirror. The text depends on the rule alone, so it is kept; only the
cut-offs change.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql.base import PGDialect

from core.mirror import View
from core.types import to_us
from segments.engines.limits import limited_duckdb
from segments.engines.sources import Asked, Kept


class MirrorDialect(PGDialect):
    """PostgreSQL's SQL under a name of its own, so that the few differences can be told apart."""

    name = "duckdb"
    supports_statement_cache = True


@dataclass(frozen=True)
class Rendered:
    """A statement as DuckDB takes it: text with `$1`, and the names and fixed values of its parameters in order."""

    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def values(self, moving: Mapping[str, Any]) -> list[Any]:
        """The parameters in order, cut-offs taken from `moving`."""
        return [moving[name] if name in moving else self.fixed[name] for name in self.names]


def render(statement: Asked) -> Rendered:
    """The statement's text and parameters for DuckDB."""
    dialect: Any = _dialect()
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    fixed = compiled.construct_params(_check=False)
    return Rendered(str(compiled), tuple(compiled.positiontup or ()), fixed)


def _dialect() -> MirrorDialect:
    make: Callable[..., MirrorDialect] = MirrorDialect
    return make(paramstyle="numeric_dollar")


@dataclass(frozen=True)
class MirrorSource:
    """One view of one generation, for one question; close the view's connection afterwards."""

    view: View
    seconds: float
    texts: Kept[Rendered]
    firsts: Kept[dict[str, int]]
    """When each currency was first used, by generation: a generation never changes, so it is asked once."""

    @property
    def facts_at(self) -> datetime:
        return self.view.manifest.at

    def column(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[Any]:
        rendered = self.texts.get(key, lambda: render(statement))
        with limited_duckdb(self.view.connection, self.seconds):
            found = self.view.connection.execute(rendered.text, rendered.values(values)).fetchnumpy()
        return list(next(iter(found.values())).tolist())

    def rows(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[tuple[Any, ...]]:
        rendered = self.texts.get(key, lambda: render(statement))
        with limited_duckdb(self.view.connection, self.seconds):
            return self.view.connection.execute(rendered.text, rendered.values(values)).fetchall()

    def currencies(self, as_of: datetime) -> list[str]:
        firsts = self.firsts.get(self.view.manifest.file, self._first_orders)
        return [currency for currency, first in firsts.items() if first < to_us(as_of)]

    def _first_orders(self) -> dict[str, int]:
        with limited_duckdb(self.view.connection, self.seconds):
            return dict(self.view.connection.execute(
                "SELECT currency, min(ordered_at) FROM orders WHERE NOT cancelled GROUP BY currency").fetchall())

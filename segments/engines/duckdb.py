"""How does DuckDB run the very statement that the row store runs?

Owns the dialect (PostgreSQL's, with numbered parameters, which DuckDB takes as they are) and the rendering of a select
into text and a list of values. The text depends on the rule alone, so it is kept; only the cut-offs change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.base import PGDialect


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


def render(statement: Select[Any]) -> Rendered:
    """The statement's text and parameters for DuckDB."""
    dialect: Any = _dialect()
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    fixed = compiled.construct_params(_check=False)
    return Rendered(str(compiled), tuple(compiled.positiontup or ()), fixed)


def _dialect() -> MirrorDialect:
    make: Callable[..., MirrorDialect] = MirrorDialect
    return make(paramstyle="numeric_dollar")

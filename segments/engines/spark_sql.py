"""How does Spark run the very statement that the row store runs?

Owns the way from a select to Spark's SQL: compiled like PostgreSQL's, with the few functions that
segments/dialects/portable.py spells for Spark, and transpiled by sqlglot. The promise: values never become text; every
one is a named parameter that Spark binds (`spark.sql(text, args=...)`). Needs no Spark itself.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlglot
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlglot import exp

from segments.engines.sources import Asked

LARGEST = 2**63 - 1


class SparkDialect(PGDialect):
    """PostgreSQL's SQL under a name of its own, so that the few differences can be told apart."""

    name = "spark"
    supports_statement_cache = True


@dataclass(frozen=True)
class SparkText:
    """A statement as Spark takes it: text with `:p1`, and the names and fixed values of its parameters in order."""

    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def values(self, moving: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters by the text's own names, cut-offs taken from `moving`."""
        return {f"p{number}": _bindable(moving[name] if name in moving else self.fixed[name])
                for number, name in enumerate(self.names, start=1)}


def spark_text(statement: Asked) -> SparkText:
    """The statement's text and parameters for Spark."""
    make: Callable[..., SparkDialect] = SparkDialect
    compiled: Any = statement.compile(dialect=make(paramstyle="numeric_dollar"),
                                      compile_kwargs={"render_postcompile": True})
    tree = sqlglot.parse_one(str(compiled), read="postgres").transform(_named)
    fixed = compiled.construct_params(_check=False)
    return SparkText(tree.sql(dialect="spark"), tuple(compiled.positiontup or ()), fixed)


def _named(node: exp.Expr) -> exp.Expr:
    """`$1` is `:p1` for Spark; its own `${1}` would be replaced as text."""
    return exp.Placeholder(this=f"p{node.name}") if isinstance(node, exp.Parameter) else node


def _bindable(value: Any) -> Any:
    """The value as Spark binds it: lists travel as one JSON text, numbers beyond 64 bits as decimals."""
    if isinstance(value, list | tuple):
        return json.dumps(list(value), ensure_ascii=False)
    if isinstance(value, bool) or not isinstance(value, int):
        if value is None or isinstance(value, bool | str | float | date | Decimal):
            return value
        raise TypeError(f"{type(value).__name__} cannot be bound")
    return value if -LARGEST <= value <= LARGEST else Decimal(value)

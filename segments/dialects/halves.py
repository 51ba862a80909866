"""How does DuckDB take the rows of one table that have, or have not, a fitting row in another?

Owns SEMI JOIN and ANTI JOIN, which only DuckDB's statements use: no pair is made, and a row is done with as soon as one
fits. An EXISTS with a comparison of times in it takes twice as long there.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import Join


class HalfJoin(Join):
    """The rows of `left` with a row of `right` that fits (`having`), or without any; only `left` may be selected."""

    inherit_cache = False

    def __init__(self, left: FromClause, right: FromClause, fits: ColumnElement[bool], *, having: bool) -> None:
        super().__init__(left, right, fits)
        self.fits = fits
        self.having = having


@compiles(HalfJoin)
def _written(element: HalfJoin, compiler: SQLCompiler, **options: Any) -> str:
    left, right = (compiler.process(side, **{**options, "asfrom": True}) for side in (element.left, element.right))
    kind = "SEMI" if element.having else "ANTI"
    return f"{left} {kind} JOIN {right} ON {compiler.process(element.fits, **options)}"

"""What is known of each owner of mirrored rows in advance, so that no question has to add it up?

Owns summaries: tables of a generation that are worked out of one of its mirrored tables, a few rows per owner. The
promise: a summary is at all times what it would be if it were made anew. Whose rows changed, as they were and as they
are now, is summed up again in the very transaction that changes the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Summary:
    """One summary: the mirrored table it is worked out of, and the column of that table that names the owner.

    `sql` is a DuckDB select over `{rows}` whose rows each belong to one owner, named by a column as in the table; its
    rows lie in the order `order_by`. Owners that are null have no summary.
    """

    name: str
    of: str
    owner: str
    sql: str
    order_by: tuple[str, ...]

    def select(self, rows: str) -> str:
        """Its rows, in order, worked out of `rows`."""
        return f"SELECT * FROM ({self.sql.format(rows=rows)}) ORDER BY " + ", ".join(
            f'"{name}"' for name in self.order_by)


def sum_up(target: duckdb.DuckDBPyConnection, summaries: Sequence[Summary]) -> None:
    """Make these summaries anew."""
    for summary in summaries:
        target.execute(f'CREATE OR REPLACE TABLE "{summary.name}" AS ' + summary.select(f'"{summary.of}"'))


def sum_up_again(target: duckdb.DuckDBPyConnection, summaries: Sequence[Summary], owners: str) -> None:
    """Replace what these summaries say of `owners`, a table whose column `owner` names them."""
    for summary in summaries:
        theirs = f'"{summary.owner}" IN (SELECT owner FROM {owners})'
        target.execute(f'DELETE FROM "{summary.name}" WHERE {theirs}')
        target.execute(f'INSERT INTO "{summary.name}" '
                       + summary.select(f'(SELECT * FROM "{summary.of}" WHERE {theirs})'))

"""How are rows of a simple table stored by the shop's own key?

Owns the plain case: one line, one row. The later of two lines with one key counts. Columns that the file lacks keep
their stored values; an empty cell clears the stored one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from core.arrays import in_texts
from core.bulk import bulk_insert, bulk_update
from customers.importing.kinds import Run


def upsert_rows(
    connection: Connection,
    run: Run,
    table: Table,
    key: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    defaults: Mapping[str, Any],
) -> None:
    """Insert or update rows by their key column and count them.

    `columns` holds driver values, the key among them. `defaults` fills new rows where a column is absent and stands
    for an empty cell where the table wants a value.
    """
    filled = {name: [defaults.get(name) if value is None else value for value in values]
              for name, values in columns.items()}
    keys: list[str] = [str(value) for value in filled[key]]  # key cells are never empty
    last = {value: row for row, value in enumerate(keys)}
    names = list(filled)
    listed = [table.c[name] for name in names]
    stored = {row[key]: row for row in connection.execute(
        select(table.c.id, *listed).where(in_texts(table.c[key], list(last)))).mappings()}
    run.count_keys([value for value in last if value not in stored], [value for value in last if value in stored])
    if run.dry_run:
        return
    new = [row for value, row in last.items() if value not in stored]
    changed = [row for value, row in last.items() if value in stored]
    missing = {name: value for name, value in defaults.items() if name not in filled}
    if new:
        bulk_insert(connection, table, {
            **{name: [filled[name][row] for row in new] for name in names},
            **{name: [value] * len(new) for name, value in missing.items()},
        })
    if changed:
        ids = [stored[keys[row]]["id"] for row in changed]
        bulk_update(connection, table, "id",
                    {"id": ids, **{name: [filled[name][row] for row in changed] for name in names}})

"""How do the rows of the real store come into a scratch store?

Owns the two ways: an SQLite file is attached and read by the other, statement by statement; from PostgreSQL rows are
fetched in the form in which SQLite keeps them. The promise: both read one view of the real store and never write there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, literal_column, select

from core.arrays import in_ids

AT_ONCE = 20_000
MANY = 0.1
"""For more than this share of all customers a table is read through, not looked up person by person."""
_SCHEMA = ("SELECT type, sql FROM {}.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
           " ORDER BY type = 'trigger', type = 'index', rowid")


class Attached:
    """A real store that is an SQLite file, beside the scratch store in one connection."""

    def __init__(self, connection: Connection, raw: Any, path: Path, people: Sequence[int]) -> None:
        """`connection` reads the real store and keeps its files there meanwhile; `raw` has no transaction open yet."""
        self.raw = raw
        raw.execute("ATTACH ? AS real", (f"{path.absolute().as_uri()}?mode=ro",))
        everybody = int(connection.exec_driver_sql("SELECT count(*) FROM customers").scalar_one())
        self.through = len(people) > MANY * everybody
        raw.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")

    def tables_alone(self) -> list[str]:
        """Make the tables as they are there; returns the statements that make their indexes and triggers."""
        written = self.raw.execute(_SCHEMA.format("real")).fetchall()
        for kind, statement in written:
            if kind == "table":
                self.raw.execute(statement)
        return [statement for kind, statement in written if kind != "table"]

    def copy(self, table: Table, where: str = "") -> None:
        """All rows of one table, as they are."""
        listed = ", ".join(f'"{column.name}"' for column in table.columns)
        self.raw.execute(f'INSERT INTO main."{table.name}" ({listed})'
                         f' SELECT {listed} FROM real."{table.name}" AS rows{where}')

    def copy_of(self, table: Table, column: str, ids: Sequence[int]) -> None:
        """The rows whose `column` is one of these, in the order in which they lie there."""
        self.raw.execute("DELETE FROM chosen")
        self.raw.executemany("INSERT INTO chosen VALUES (?)", ((each,) for each in ids))
        # A plus keeps SQLite from looking up one by one what it may as well read through.
        self.copy(table, f' WHERE {"+" if self.through else ""}rows."{column}" IN (SELECT id FROM chosen)')


class Fetched:
    """A real store on PostgreSQL, read by its own connection."""

    def __init__(self, connection: Connection, raw: Any) -> None:
        self.connection, self.raw = connection, raw

    def tables_alone(self) -> list[str]:
        """Leave the tables alone that are here already; returns the statements that make indexes and triggers anew."""
        written = self.raw.execute(_SCHEMA.format("main").replace("type, sql", "type, sql, name")).fetchall()
        later = [(kind, statement, name) for kind, statement, name in written if kind in ("index", "trigger")]
        for kind, _statement, name in later:
            self.raw.execute(f'DROP {kind} "{name}"')
        return [statement for _kind, statement, _name in later]

    def copy(self, table: Table, where: Any = None) -> None:
        """All rows of one table, in the form of SQLite."""
        statement: Select[Any] = select(*map(self._column, table.columns)).select_from(table)
        found: Any = self.connection.execute(statement if where is None else statement.where(where))
        listed, marks = ", ".join(f'"{each.name}"' for each in table.columns), ", ".join("?" * len(table.columns))
        # The driver's own rows: there is nothing to turn, and they are many.
        while part := found.cursor.fetchmany(AT_ONCE):
            self.raw.executemany(f'INSERT INTO "{table.name}" ({listed}) VALUES ({marks})', part)
        found.close()

    def copy_of(self, table: Table, column: str, ids: Sequence[int]) -> None:
        """The rows whose `column` is one of these."""
        for start in range(0, len(ids), AT_ONCE):
            self.copy(table, in_ids(table.c[column], ids[start:start + AT_ONCE]))

    def _column(self, column: Any) -> Any:
        named = f"{column.table.name}.{self.connection.dialect.identifier_preparer.quote(column.name)}"
        kind = type(getattr(column.type, "impl_instance", column.type)).__name__.upper()
        if "JSON" in kind:
            return literal_column(f"{named}::text")
        if "BOOLEAN" in kind:
            return literal_column(f"{named}::int")
        return literal_column(f"to_char({named}, 'YYYY-MM-DD')" if "DATE" in kind else named)

"""How does each test get an empty PostgreSQL database without waiting for a new one?

Owns the databases that one test process has made from the migrated template. A copy costs ten times what emptying does,
so a used one is emptied and given out again. The promise: it is as the template is, in schema, rows and sequences; one
whose schema a test has changed is dropped, and so is one that has grown.
"""

import itertools
import os
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

USES = 50
"""Deleted rows stay in the files: after so many tests a database makes room for a new one."""
LARGE_BYTES = 4_000_000
"""Nor is one kept in whose tables a test has left more than this."""

# A row of a catalogue that is written anew has another xmin; one that is dropped is missed in the count.
_MARK = "coalesce(max({0}xmin::text::bigint), 0) || ' ' || count(*)"
_SHAPE = " UNION ALL ".join([
    f"SELECT 'relations ' || {_MARK.format('')} FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    f"SELECT 'columns ' || {_MARK.format('a.')} FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE c.relnamespace = 'public'::regnamespace",
    *(f"SELECT '{name} ' || {_MARK.format('')} FROM {name}"
      for name in ("pg_trigger", "pg_constraint", "pg_attrdef", "pg_index", "pg_proc")),
    "SELECT 'settings ' || count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
    " WHERE d.datname = current_database()",
])
_TABLES = ("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
           " ORDER BY relname")
_MOVED = ("SELECT quote_ident(sequencename), last_value, start_value FROM pg_sequences"
          " WHERE schemaname = 'public' AND last_value IS NOT NULL")
_OTHERS = ("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
           " WHERE datname = current_database() AND pid <> pg_backend_pid()")

Connection = psycopg.Connection[Any]
_numbers = itertools.count(1)


class Template:
    """What a new database is like: its schema's marks, the tables with rows and those rows, the sequences used."""

    def __init__(self, connection: Connection) -> None:
        self.shape = _shape(connection)
        tables = [row[0] for row in connection.execute(_TABLES)]
        self.rows = {table: rows for table in tables if (rows := _rows(connection, table))}
        self.sequences = {name: last for name, last, _start in connection.execute(_MOVED)}
        self._used = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {0}, pg_relation_size({0}::regclass) WHERE EXISTS (SELECT 1 FROM {1})").format(
                sql.Literal(table), sql.Identifier(table)) for table in tables if table not in self.rows)

    def restore(self, connection: Connection) -> bool:
        """Take out what a test has put in; False, and nothing is done, when the schema changed or there is too much."""
        with connection.transaction():
            used = dict(connection.execute(self._used).fetchall())
            if _shape(connection) != self.shape or sum(used.values()) > LARGE_BYTES:
                return False
            connection.execute("SET LOCAL session_replication_role = replica")  # no trigger notes it, no key minds
            for table in used:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for table, rows in self.rows.items():
                if _rows(connection, table) != rows:
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                        copy.write(rows)
            for name, last, start in connection.execute(_MOVED).fetchall():
                first = self.sequences.get(name)
                if last != first:
                    connection.execute("SELECT setval(%s, %s, %s)", (name, first or start, first is not None))
        return True


def _shape(connection: Connection) -> list[Any]:
    return sorted(connection.execute(_SHAPE).fetchall())


def _rows(connection: Connection, table: str) -> bytes:
    """A table's rows as COPY writes them."""
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(copy)


class SpareDatabases:
    """The databases of one test process: `take` one, `give_back` its address, `close` at the end."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._from = make_url(server), template
        self._admin = self._connect(str(self._server.database))
        self._template: Template | None = None
        self._free: list[tuple[str, Connection, int]] = []
        self._taken: dict[str, tuple[str, Connection, int]] = {}

    def take(self) -> str:
        """The address of a database that is as the template is."""
        name, connection, uses = self._free.pop() if self._free else self._make()
        address = self._server.set(database=name).render_as_string(hide_password=False)
        self._taken[address] = name, connection, uses + 1
        return address

    def give_back(self, address: str) -> None:
        """Take it out of use; whoever is still connected is cut off."""
        name, connection, uses = self._taken.pop(address)
        connection.execute(_OTHERS)
        if self._template and uses < USES and self._template.restore(connection):
            self._free.append((name, connection, uses))
            return
        connection.close()
        self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Close the connections; the databases go with their server."""
        for _name, connection, _uses in [*self._free, *self._taken.values()]:
            connection.close()
        self._admin.close()

    def _make(self) -> tuple[str, Connection, int]:
        name = f"w{os.getpid()}_{next(_numbers)}"
        self._admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(self._from)))
        connection = self._connect(name)
        self._template = self._template or Template(connection)
        return name, connection, 0

    def _connect(self, name: str) -> Connection:
        address = self._server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True)

"""How does the invented shop get into a row store of SQLite?

Owns filling one as the product would have it, with its schema, indexes and triggers. It takes long, so it is done once
and the file kept beside the shop; whoever changes it works on a copy.
"""

from pathlib import Path

import duckdb
from sqlalchemy import text

from benchmarks.invented import given, rest_of
from benchmarks.questions import AS_OF
from core.database import Database, open_database
from segments.engines.mirrored import TABLES
from winback.schema import name_installation, upgrade

FILLED = ("customers", "addresses", "consents", "orders", "order_lines")
BLOCK = 200_000
_LATER = text("SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
              " AND tbl_name IN ('customers', 'addresses', 'consents', 'orders', 'order_lines')")


def filled(source: Path) -> Path:
    """A row store with this shop, made once and kept beside it."""
    path = source.with_suffix(".db")
    if not path.exists():
        temporary = source.with_suffix(".unready.db")
        for left in temporary.parent.glob(f"{temporary.name}*"):
            left.unlink()
        database = open_database(f"sqlite:///{temporary}")
        _fill(database, source)
        database.dispose()  # the last connection to close brings the write-ahead log in
        temporary.replace(path)
    return path


def _fill(database: Database, source: Path) -> None:
    upgrade(database)
    with duckdb.connect(str(source), read_only=True) as connection:
        with database.writing() as session:
            name_installation(session, "test", now=AS_OF)
            # Made again over all rows at the end: following every invented row one by one would take half an hour.
            made_later = session.execute(_LATER).all()
            for kind, name, _statement in made_later:
                session.execute(text(f"DROP {kind} {name}"))
        for table in (table for table in TABLES if table.name in FILLED):
            names, fixed = given(table.name), rest_of(table.name)
            listed = ", ".join([*(f'"{name}"' for name in names), *(f"{sql} AS {name}" for name, sql in fixed.items())])
            columns = ", ".join(f'"{name}"' for name in (*names, *fixed))
            insert = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * (len(names) + len(fixed)))})"
            rows = connection.execute(f"SELECT {listed} FROM {table.name}")
            while block := rows.fetchmany(BLOCK):
                with database.writing() as session:
                    session.connection().exec_driver_sql(insert, block)
        with database.writing() as session:
            for _kind, _name, statement in made_later:
                session.connection().exec_driver_sql(statement)

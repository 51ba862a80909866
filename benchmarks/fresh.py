"""On which empty or prepared database does each measured piece of work begin?

Owns making a database once and handing out copies of it: a file's copy on SQLite, a template's on a PostgreSQL of our
own with durable commits. So what is compared begins with the same tables, rows, indexes and triggers.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

SETTINGS = ("shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min", "wal_compression=lz4",
            "random_page_cost=1.1")
"""What docs/scaling.md advises a server of PostgreSQL; for all that is compared alike."""

Fresh = Callable[[str], str]
"""Makes a copy of this name, in place of an older one, and returns its address."""


@contextmanager
def files(folder: Path, prepare: Callable[[str], None]) -> Iterator[Fresh]:
    """Copies of a SQLite file in this folder that `prepare` fills first, given its address."""
    prepare(f"sqlite:///{folder / 'prepared.db'}")

    def fresh(name: str) -> str:
        for old in folder.glob(f"{name}.db*"):
            old.unlink()
        shutil.copyfile(folder / "prepared.db", folder / f"{name}.db")
        return f"sqlite:///{folder / name}.db"

    yield fresh


@contextmanager
def server(prepare: Callable[[str], None]) -> Iterator[Fresh]:
    """The same on PostgreSQL, which waits for its disk at every commit."""
    from tests.postgres import running_postgres

    with running_postgres(durable=True, settings=SETTINGS) as address:
        admin = create_engine(address, isolation_level="AUTOCOMMIT")

        def run_there(statement: str) -> None:
            with admin.connect() as connection:
                connection.execute(text(statement))

        def named(name: str) -> str:
            return make_url(address).set(database=name).render_as_string(hide_password=False)

        def fresh(name: str) -> str:
            run_there(f"DROP DATABASE IF EXISTS {name}")
            run_there(f"CREATE DATABASE {name} TEMPLATE prepared")
            return named(name)

        run_there("CREATE DATABASE prepared")
        prepare(named("prepared"))
        yield fresh
        admin.dispose()

"""What does every command need before it can start?

Owns the context handed to each command: settings, the open database and the installation's time. Opening it checks
that the schema is there, so that a command on an empty database ends with the way out instead of a trace.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from core.clock import current_now
from core.database import Database, open_database
from core.errors import Invalid
from core.settings import Settings, read_settings
from winback.schema import found_revision, newest_revision


@dataclass
class Context:
    """One command's surroundings; the database is opened and checked when first used."""

    settings: Settings

    @cached_property
    def raw_database(self) -> Database:
        """The database without the check, for `db upgrade`."""
        return open_database(self.settings.database_url)

    @cached_property
    def database(self) -> Database:
        """The database, checked; raises Invalid when its schema is missing or of another version."""
        check_schema(self.raw_database)
        return self.raw_database

    def now(self) -> datetime:
        """The installation's time."""
        with self.database.reading() as session:
            return current_now(session.connection())


def open_context() -> Context:
    """The context of this process, from its environment."""
    return Context(read_settings(os.environ))


def check_schema(database: Database) -> None:
    """Raise Invalid unless the schema is exactly the one this code expects."""
    found, wanted = found_revision(database), newest_revision()
    if found is None:
        raise Invalid("The database has no tables yet. Run: winback db upgrade")
    if found != wanted:
        raise Invalid(f"The database is at revision {found}, this program needs {wanted}. Run: winback db upgrade")

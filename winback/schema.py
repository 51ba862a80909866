"""Is the database's schema the one this code expects, and how does it get there?

Owns running the Alembic migrations and naming this installation. Importing this module imports every room's tables.
"""

import re
import uuid
from datetime import datetime
from pathlib import Path

from sqlalchemy import MetaData, inspect, select, text
from sqlalchemy.orm import Session

import campaigns.models  # noqa: F401  (imported for their tables, like those below)
import coupons.models  # noqa: F401
import customers.models  # noqa: F401
import delivery.hook_models
import delivery.models  # noqa: F401
import journeys.models  # noqa: F401
import segments.models  # noqa: F401
import web.models
import web.shops.models  # noqa: F401
from core.database import Database
from core.errors import Invalid
from core.models import Installation
from core.types import Base

METADATA: MetaData = Base.metadata
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(database: Database) -> None:
    """Bring the schema to the newest revision; harmless when it is there already."""
    from alembic import command  # slow to load, and every command starts by looking at the schema only
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    command.upgrade(config, "head")


def newest_revision() -> str:
    """The revision this code expects: the one that no other follows. Numbers do not say; they were given ahead."""
    files = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("[0-9]*.py")]
    names, followed = ({found[1] for file in files if (found := re.search(rf'^{word} = "(\d+)"', file, re.MULTILINE))}
                       for word in ("revision", "down_revision"))
    return max(names - followed)


def found_revision(database: Database) -> str | None:
    """The revision the database is at; None when it has no tables yet."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def name_installation(session: Session, kind: str, *, now: datetime) -> Installation:
    """Make this database an installation of the given kind (live, demo, test), or check that it is one.

    Raises Invalid when it already is of another kind.
    """
    found = session.execute(select(Installation).where(Installation.id == 1)).scalar_one_or_none()
    if found is None:
        found = Installation(id=1, identity=str(uuid.uuid4()), kind=kind, clock_offset_us=0, created_at=now)
        session.add(found)
        session.flush()
    elif found.kind != kind:
        raise Invalid(f"This database is a {found.kind} installation, not a {kind} one.")
    return found

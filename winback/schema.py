"""Is the database's schema the one this code expects, and how does it get there?

Owns running the Alembic migrations and naming this installation. Importing this module imports every room's tables.
"""

import uuid
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, select
from sqlalchemy.orm import Session

import campaigns.models  # noqa: F401  (imported for their tables, like the five below)
import coupons.models  # noqa: F401
import customers.models  # noqa: F401
import delivery.models  # noqa: F401
import journeys.models  # noqa: F401
import segments.models  # noqa: F401
import web.models  # noqa: F401
from core.database import Database
from core.errors import Invalid
from core.models import Installation
from core.types import Base

METADATA: MetaData = Base.metadata


def upgrade(database: Database) -> None:
    """Bring the schema to the newest revision; harmless when it is there already."""
    config = alembic_config()
    config.attributes["database"] = database
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """Alembic's settings: only where the revisions lie."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


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

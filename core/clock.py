"""What time is it for this installation?

Owns the offset between wall time and the installation's time. It is 0 except in a demo or test home, where only the
demo and `winback tick --until` move it. Doors ask once per request or tick and hand `now` down; nothing below a door
reads a clock.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, update

from core.errors import Invalid
from core.models import Installation
from core.types import MICROSECOND

_OFFSET = select(Installation.clock_offset_us).where(Installation.id == 1)


def wall_now() -> datetime:
    """Wall time in UTC; for doors only."""
    return datetime.now(UTC)


def current_now(connection: Connection) -> datetime:
    """The installation's time: wall time plus its offset."""
    offset = connection.execute(_OFFSET).scalar_one_or_none()
    return wall_now() + timedelta(microseconds=offset or 0)


def may_move(connection: Connection) -> bool:
    """Whether this installation's clock may be moved (a demo or test home)."""
    kind = connection.execute(select(Installation.kind).where(Installation.id == 1)).scalar_one_or_none()
    return kind in ("demo", "test")


def move_to(connection: Connection, instant: datetime) -> None:
    """Set the installation's time to `instant`; it runs on from there. Raises Invalid in a live installation."""
    if not may_move(connection):
        raise Invalid("The clock of a live installation cannot be moved. Only a demo or test home can.")
    offset = (instant - wall_now()) // MICROSECOND
    connection.execute(update(Installation).where(Installation.id == 1).values(clock_offset_us=offset))

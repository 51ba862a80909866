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

CLOCK = (Installation.clock_offset_us, Installation.clock_stands_at)
"""The columns that `clock_now` takes, for a door that reads them together with something else."""

THE_INSTALLATION = Installation.id == 1
_CLOCK = select(*CLOCK).where(THE_INSTALLATION)


def wall_now() -> datetime:
    """Wall time in UTC; for doors only."""
    return datetime.now(UTC)


def current_now(connection: Connection) -> datetime:
    """The installation's time: where its clock stands, else wall time plus its offset."""
    row = connection.execute(_CLOCK).one_or_none()
    return wall_now() if row is None else clock_now(*row)


def clock_now(offset_us: int | None, stands_at: datetime | None) -> datetime:
    """The time by the columns of `CLOCK`; both None: there is no installation yet, and wall time is its time."""
    return stands_at or wall_now() + timedelta(microseconds=offset_us or 0)


def may_move(connection: Connection) -> bool:
    """Whether this installation's clock may be moved (a demo or test home)."""
    kind = connection.execute(select(Installation.kind).where(Installation.id == 1)).scalar_one_or_none()
    return kind in ("demo", "test")


def stand_at(connection: Connection, instant: datetime) -> None:
    """Set the clock to `instant` and let it stand there, so that killed simulated work resumes at that instant.

    Raises Invalid in a live installation.
    """
    _insist_movable(connection)
    connection.execute(update(Installation).where(Installation.id == 1).values(clock_stands_at=instant))


def run_from(connection: Connection, instant: datetime) -> None:
    """Set the clock to `instant`; it runs on from there. Raises Invalid in a live installation."""
    _insist_movable(connection)
    offset = (instant - wall_now()) // MICROSECOND
    connection.execute(
        update(Installation).where(Installation.id == 1).values(clock_offset_us=offset, clock_stands_at=None)
    )


def run_on(connection: Connection) -> None:
    """Let a clock that stands run on from where it stands; harmless when it runs."""
    _offset_us, stands_at = connection.execute(_CLOCK).one()
    if stands_at is not None:
        run_from(connection, stands_at)


def _insist_movable(connection: Connection) -> None:
    if not may_move(connection):
        raise Invalid("The clock of a live installation cannot be moved. Only a demo or test home can.")

"""How much is in the ledger, and how much waits?"""

from datetime import datetime

from sqlalchemy import Connection, func, select

from delivery.models import Message


def state_counts(connection: Connection) -> dict[str, int]:
    """Ledger rows by state."""
    rows = connection.execute(select(Message.state, func.count()).group_by(Message.state))
    return dict(iter(rows))


def due_count(connection: Connection, *, now: datetime) -> int:
    """Queued messages whose time has come."""
    waiting = select(func.count()).where(Message.state == "queued", Message.due_at <= now)
    return connection.execute(waiting).scalar_one()

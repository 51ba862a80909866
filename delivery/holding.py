"""How does what a campaign wants to say stand still while the campaign is paused?

Owns holding back all that has not left the house: what is queued or claimed, the calls on the desk, and what comes back
from a channel with "later", since it was just being handed over. It is due from an instant that never comes until it is
let go. The promise: nothing of a paused campaign leaves the house, except the call that an agent is making; and the
days in which a call may be made do not pass meanwhile.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update

from core.types import MICROSECOND
from delivery.models import Message
from delivery.outbox import take_back
from delivery.states import move


def hold(connection: Connection, campaign: str, *, until: datetime, now: datetime) -> None:
    """Make everything of the campaign due at `until`, which lies beyond all time."""
    mine = Message.campaign == campaign
    # First what waits: whoever is just claiming it is waited for, and nobody claims anything after that.
    connection.execute(update(Message).where(mine, Message.state == "queued").values(due_at=until))
    claimed = connection.scalars(select(Message.id).where(mine, Message.state == "claimed").order_by(Message.id)).all()
    move(connection, claimed, "queued", from_="claimed", now=now)
    connection.execute(update(Message).where(mine, Message.state.in_(("queued", "handed_over")), Message.due_at < until)
                       .values(due_at=until))


def let_go(
    connection: Connection, campaign: str, *, held_from: datetime, since: datetime, ends_at: datetime | None,
    now: datetime,
) -> None:
    """Put the calls back on the desk, each with as many days as it had left at `since`, and let what is being handed
    over come back as usual. What is queued is the caller's matter, since there may be very much of it."""
    held = _held(campaign, held_from)
    calls = (*held, Message.channel == "phone", Message.expires_at.is_not(None))
    connection.execute(
        update(Message).where(*calls).values(expires_at=Message.expires_at + (now - since) // MICROSECOND))
    if ends_at is not None:
        connection.execute(update(Message).where(*calls, Message.expires_at > ends_at).values(expires_at=ends_at))
    connection.execute(update(Message).where(*held, Message.state == "handed_over").values(due_at=now))


def take_calls_back(connection: Connection, campaign: str, *, held_from: datetime, reason: str, now: datetime) -> None:
    """Take the held calls off the desk for good; the one that an agent is making is not tried again."""
    on_desk = connection.scalars(select(Message.id).where(
        *_held(campaign, held_from), Message.state == "handed_over", Message.channel == "phone")).all()
    take_back(connection, on_desk, reason=reason, now=now)


def _held(campaign: str, held_from: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Message.campaign == campaign, Message.state.in_(("queued", "handed_over")), Message.due_at >= held_from)

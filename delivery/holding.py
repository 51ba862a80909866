"""How does what a campaign wants to say stand still while the campaign is paused?

Owns holding back all that has not left the house: what is queued or claimed, the calls on the desk, and what comes back
from a channel with "later", since it was just being handed over. All of it is due at an instant that never comes, until
it is let go. Whoever sends is told which campaigns rest, so nothing goes out from the moment of the pause, and what is
queued, which may be very much, is held part by part. The promise: nothing of a paused campaign leaves the house, except
the call that an agent is making; and the days in which a call may be made do not pass meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select, update

from core.arrays import in_ids
from core.types import MICROSECOND
from delivery.models import Message
from delivery.outbox import take_back
from delivery.states import move, moved

Resting = Callable[[Connection], Mapping[str, datetime]]
"""Campaigns of which nothing goes out now -> the instant beyond all time at which what they say is due."""


def hold(connection: Connection, campaign: str, *, until: datetime, now: datetime) -> None:
    """Make what workers, channels and agents have of the campaign due at `until`; `park` does what is queued."""
    mine = Message.campaign == campaign
    claimed = connection.scalars(select(Message.id).where(mine, Message.state == "claimed").order_by(Message.id)).all()
    move(connection, claimed, "queued", from_="claimed", now=now, due_at=until)
    connection.execute(update(Message).where(mine, Message.state == "handed_over", Message.due_at < until)
                       .values(due_at=until))


def park(connection: Connection, campaign: str, *, until: datetime, limit: int) -> int:
    """Make so many of the campaign's queued messages due at `until`; returns how many, fewer when none is left."""
    waiting = (Message.campaign == campaign, Message.state == "queued", Message.due_at < until)
    # Whoever is just claiming one is waited for, and what they took is not queued any more.
    ids = connection.scalars(select(Message.id).where(*waiting).order_by(Message.id).limit(limit)).all()
    connection.execute(update(Message).where(in_ids(Message.id, ids), *waiting).values(due_at=until))
    return len(ids)


def not_of(resting: Mapping[str, datetime]) -> ColumnElement[bool]:
    """Messages of other campaigns, or of none."""
    return or_(Message.campaign.is_(None), Message.campaign.not_in(sorted(resting)))


def kept_back(
    connection: Connection, ids: Sequence[int], resting: Mapping[str, datetime], *, worker: int, now: datetime
) -> set[int]:
    """Put those of a worker's claimed messages back whose campaign rests meanwhile; returns which."""
    if not resting:
        return set()
    mine = connection.execute(select(Message.id, Message.campaign).where(
        in_ids(Message.id, ids), Message.campaign.in_(sorted(resting)))).all()
    back: set[int] = set()
    for campaign, until in resting.items():
        back |= set(moved(connection, [row.id for row in mine if row.campaign == campaign], "queued", from_="claimed",
                          now=now, of_worker=worker, due_at=until))
    return back


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

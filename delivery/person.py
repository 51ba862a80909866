"""What did we say to this person, and how do they reach us?

Owns one person's messages walked backwards by time, the evidence behind an inferred channel, and this room's part of
the export and the erasure. The promise: erasing takes words, values and notes; the ledger rows stay, without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from customers.models import Contact
from delivery.models import CallTask, Content, ContentRevision, Message, MessageEvent
from delivery.policy import CHANNELS
from delivery.preference import ASIDE, CHANNEL_OF_KIND, contact_weights


@dataclass(frozen=True)
class Spoken:
    """One message with the name of its content (None: none was chosen) and the instant it stands at in the story:
    when it went out, else when it was settled, else when it was queued."""

    message: Message
    content: str | None
    at: datetime


@dataclass(frozen=True)
class Evidence:
    """How often somebody used a channel of their own accord, and its share of the weight (recent ones weigh more)."""

    channel: str
    contacts: int
    share: float


def messages_before(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50,
    campaign: str | None = None, code: str | None = None,
) -> list[Spoken]:
    """This person's messages, the ones kept back too, newest first; narrowed to a campaign's key, or to those that
    carry one code."""
    at = func.coalesce(Message.sent_at, Message.settled_at, Message.queued_at)
    statement = (
        select(Message, Content.name).outerjoin(ContentRevision, ContentRevision.id == Message.revision_id)
        .outerjoin(Content, Content.id == ContentRevision.content_id).where(Message.customer_id == customer_id))
    if before is not None:
        statement = statement.where(at < before)
    if campaign is not None:
        statement = statement.where(Message.campaign == campaign)
    if code is not None:
        statement = statement.where(Message.code == code)
    rows = session.execute(statement.order_by(at.desc(), Message.id.desc()).limit(limit))
    return [Spoken(message, name, message.sent_at or message.settled_at or message.queued_at)
            for message, name in rows]


def contact_evidence(session: Session, customer_id: int, *, now: datetime) -> list[Evidence]:
    """What an inferred preference rests on, strongest channel first; complaints and service requests are left out."""
    weights = contact_weights(session.connection(), [customer_id], now=now)[0]
    total = float(weights.sum())
    counts = dict.fromkeys(CHANNELS, 0)
    for noted, kind in session.execute(
            select(Contact.channel, Contact.kind)
            .where(Contact.customer_id == customer_id, Contact.direction == "in", Contact.at <= now,
                   Contact.kind.not_in(ASIDE))):
        channel = CHANNEL_OF_KIND.get(noted or "") or CHANNEL_OF_KIND.get(kind)
        if channel is not None:
            counts[channel] += 1
    found = [Evidence(channel, counts[channel], float(weights[place]) / total if total else 0.0)
             for place, channel in enumerate(CHANNELS)]
    return sorted(found, key=lambda each: -each.share)


def ledger_ids(session: Session, customer_id: int) -> dict[int, str]:
    """Everything that was or will be said to this person: ledger id -> public id."""
    rows = session.execute(select(Message.id, Message.public_id).where(Message.customer_id == customer_id))
    return {row[0]: row[1] for row in rows}


def held_messages(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """This room's part of the export: messages with what happened to them and the calls, as JSON values."""
    messages = list(session.scalars(
        select(Message).where(Message.customer_id == customer_id).order_by(Message.queued_at, Message.id)))
    ids = [message.id for message in messages]
    events = _by_message(session.scalars(
        select(MessageEvent).where(in_ids(MessageEvent.message_id, ids)).order_by(MessageEvent.id)).all())
    calls = _by_message(session.scalars(select(CallTask).where(in_ids(CallTask.message_id, ids))).all())
    return [
        {
            **_plain(message, _OF_MESSAGE),
            "events": [_plain(event, ("kind", "at", "source", "detail")) for event in events.get(message.id, [])],
            "calls": [_plain(call, ("state", "due_at", "agent", "attempts", "outcome", "note", "done_at"))
                      for call in calls.get(message.id, [])],
        }
        for message in messages
    ]


_OF_MESSAGE = ("public_id", "campaign", "arm", "step", "message_class", "channel", "code", "values", "state", "reason",
               "queued_at", "sent_at", "expected_at", "opened_at", "clicked_at", "bounced_at")


def _by_message(rows: Sequence[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.message_id, []).append(row)
    return found


def _plain(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _json(getattr(row, name)) for name in names}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def erase_messages(session: Session, customer_id: int) -> None:
    """Take out of the ledger what is personal: the values of messages, the details of events, the notes of calls."""
    mine = select(Message.id).where(Message.customer_id == customer_id)
    session.execute(update(Message).where(Message.customer_id == customer_id).values(values={}))
    session.execute(update(MessageEvent).where(MessageEvent.message_id.in_(mine)).values(detail={}))
    session.execute(update(CallTask).where(CallTask.customer_id == customer_id).values(note=None))

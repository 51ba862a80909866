"""What do programs and pages see of the ledger?

Owns the JSON form of a message, its lists, walked by key, and the counts by state, channel and reason that pages open
into those lists. The promise: a count and the list behind it come from the same filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from core.errors import Invalid, NotFound
from customers.models import Customer
from customers.people import display_name
from delivery.models import CallTask, Message
from delivery.states import SENTENCES

NOT_SENT = ("suppressed", "expired", "cancelled", "failed")
"""States of messages that did not go out although the person was to be written to."""


@dataclass(frozen=True)
class MessageFilter:
    """Which messages; None: any. `customer` is the shop's number, `state` one of delivery/states.py or "not_sent"."""

    state: str | None = None
    channel: str | None = None
    campaign: str | None = None
    customer: str | None = None
    reason: str | None = None
    arm: str | None = None
    step: str | None = None


@dataclass(frozen=True)
class MessageCount:
    """How many messages of a campaign share these marks."""

    step: str | None
    state: str
    channel: str | None
    reason: str | None
    messages: int


def list_messages(
    session: Session, chosen: MessageFilter, *, after: int = 0, limit: int = 100
) -> tuple[list[dict[str, Any]], int | None]:
    """Messages in the order in which they were queued, and where the next page begins (None: no more).

    Raises Invalid for a state that does not exist.
    """
    statement = _chosen(select(Message, Customer).join(Customer, Customer.id == Message.customer_id), chosen)
    rows: Sequence[Row[Message, Customer]] = session.execute(
        statement.where(Message.id > after).order_by(Message.id).limit(limit + 1)).all()
    bodies = [message_body(row[0], row[1]) for row in rows[:limit]]
    return bodies, rows[limit - 1][0].id if len(rows) > limit else None


def count_messages(session: Session, chosen: MessageFilter) -> int:
    """How many messages the filter finds."""
    statement = select(func.count()).select_from(Message)
    if chosen.customer is not None:
        statement = statement.join(Customer, Customer.id == Message.customer_id)
    found: int = session.execute(_chosen(statement, chosen)).scalar_one()
    return found


def find_message(session: Session, public_id: str) -> dict[str, Any]:
    """One message by its public id. Raises NotFound."""
    row = session.execute(
        select(Message, Customer).join(Customer, Customer.id == Message.customer_id)
        .where(Message.public_id == public_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such message.")
    return message_body(row[0], row[1])


def message_counts(session: Session, *, campaign: str) -> list[MessageCount]:
    """The messages of a campaign by step, state, channel and reason, most first."""
    marks = (Message.step, Message.state, Message.channel, Message.reason)
    rows = session.execute(
        select(*marks, func.count()).where(Message.campaign == campaign).group_by(*marks)
        .order_by(func.count().desc(), *marks))
    return [MessageCount(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def sent_between(session: Session, *, start: datetime, end: datetime) -> list[tuple[str | None, str | None, int]]:
    """Campaign, channel and number of the messages that went out in [start, end)."""
    rows = session.execute(
        select(Message.campaign, Message.channel, func.count())
        .where(Message.state == "sent", Message.sent_at >= start, Message.sent_at < end)
        .group_by(Message.campaign, Message.channel).order_by(Message.campaign, Message.channel))
    return [(row[0], row[1], row[2]) for row in rows]


def due_between(
    session: Session, *, start: datetime, end: datetime
) -> list[tuple[str | None, str | None, datetime, int]]:
    """Campaign, channel, first instant and number of the queued messages that become due in [start, end)."""
    rows = session.execute(
        select(Message.campaign, Message.channel, func.min(Message.due_at), func.count())
        .where(Message.state == "queued", Message.due_at >= start, Message.due_at < end)
        .group_by(Message.campaign, Message.channel).order_by(func.min(Message.due_at)))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def count_open_calls(session: Session, *, now: datetime) -> int:
    """How many calls an agent may take now."""
    found: int = session.execute(
        select(func.count()).select_from(CallTask).join(Message, Message.id == CallTask.message_id)
        .where(CallTask.state == "open", CallTask.due_at <= now, Message.due_at <= now)).scalar_one()
    return found


def message_body(message: Message, customer: Customer) -> dict[str, Any]:
    """A message as programs see it; instants are ISO 8601 in UTC."""
    return {
        "id": message.public_id, "state": message.state, "reason": message.reason, "channel": message.channel,
        "customer": customer.external_id, "name": display_name(customer), "origin": message.origin,
        "campaign": message.campaign, "arm": message.arm, "step": message.step, "class": message.message_class,
        "code": message.code, "attempt": message.attempt, "cost_cents": message.cost_cents,
        "meaning": SENTENCES[message.state],
        **{name: _text(getattr(message, name)) for name in _INSTANTS},
    }


_INSTANTS = ("queued_at", "due_at", "expires_at", "handed_over_at", "sent_at", "expected_at", "settled_at",
             "opened_at", "clicked_at", "bounced_at")


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _chosen(statement: Select[*tuple[Any, ...]], chosen: MessageFilter) -> Select[*tuple[Any, ...]]:
    if chosen.state == "not_sent":
        statement = statement.where(Message.state.in_(NOT_SENT))
    elif chosen.state is not None:
        if chosen.state not in SENTENCES:
            raise Invalid(f"Use one of {', '.join(SENTENCES)}.", place="state")
        statement = statement.where(Message.state == chosen.state)
    for name in ("campaign", "reason", "arm", "step"):
        wanted = getattr(chosen, name)
        if wanted is not None:
            statement = statement.where(getattr(Message, name) == wanted)
    if chosen.channel == "none":
        statement = statement.where(Message.channel.is_(None))
    elif chosen.channel is not None:
        statement = statement.where(Message.channel == chosen.channel)
    return statement if chosen.customer is None else statement.where(Customer.external_id == chosen.customer)

"""What happened to a message after it left?

Owns events (opened, clicked, bounced, complained, unsubscribed, called), each recorded once by its source's own key,
and what follows from them. The promise: a repeated event changes nothing; a no takes effect at once, on what is still
queued too; only an address that does not exist is given up, never one that refused us over policy.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.errors import Invalid, NotFound
from customers.consents import current_consents, lock_customers, object_to
from customers.models import Address
from customers.suppression import ADDRESS_CHANNEL, suppress, suppressed
from delivery.models import Message, MessageEvent
from delivery.outbox import withdraw_calls
from delivery.policy import said_no
from delivery.states import moved

KINDS = ("delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "called")
_STAMP = {"opened": Message.opened_at, "clicked": Message.clicked_at, "bounced": Message.bounced_at}


def message_by_public_id(session: Session, public_id: str) -> Message:
    """The message a link speaks of. Raises NotFound."""
    message = session.scalars(select(Message).where(Message.public_id == public_id)).one_or_none()
    if message is None:
        raise NotFound("There is no such message.")
    return message


def record_event(
    session: Session, message_id: int, kind: str, *, at: datetime, source: str, source_key: str,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Record one event; False when this source has told it before. The first of its kind stamps the message."""
    if kind not in KINDS:
        raise Invalid(f"{kind!r} is not a kind of event: use one of {', '.join(KINDS)}.")
    connection = session.connection()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    fresh = connection.execute(
        insert(MessageEvent)
        .values(message_id=message_id, kind=kind, at=at, source=source, source_key=source_key,
                detail=dict(detail or {}))
        .on_conflict_do_nothing(index_elements=["source", "source_key"])
        .returning(MessageEvent.id)
    ).first()
    if fresh is None:
        return False
    stamp = _STAMP.get(kind)
    if stamp is not None:
        connection.execute(
            update(Message).where(Message.id == message_id, stamp.is_(None)).values({stamp: at})
        )
    return True


def unsubscribe(session: Session, public_id: str, *, now: datetime, secret_key: str, source: str = "link") -> Message:
    """This person wants nothing more on this message's channel: withdraw, block the address, take back what is queued.

    Harmless when repeated; a consent given again later can be withdrawn again through the same link.
    """
    message = message_by_public_id(session, public_id)
    if message.channel is None:
        raise NotFound("This message went out on no channel.")
    if stop_channel(session, message.customer_id, message.channel, reason="unsubscribed",
                    source=f"{source}: message {public_id}", now=now, secret_key=secret_key):
        record_event(session, message.id, "unsubscribed", at=now, source=source,
                     source_key=f"{public_id}.{now.isoformat()}")
    return message


def stop_channel(
    session: Session, customer_id: int, channel: str, *, reason: str, source: str, now: datetime, secret_key: str
) -> bool:
    """Record a no to a channel and let it take effect on what is still queued; False when it stood already."""
    connection = session.connection()
    lock_customers(connection, [customer_id])
    said = current_consents(connection, [customer_id], channel=channel, now=now)[0]
    barred = suppressed(connection, [customer_id], channel=channel, secret_key=secret_key)[0]
    stood = said in ("denied", "withdrawn") and barred
    if not stood:
        object_to(session, customer_id, channel=channel, source=source, now=now, secret_key=secret_key, reason=reason)
    silence(connection, customer_id, channel, now=now)
    return not stood


def silence(connection: Connection, customer_id: int, channel: str, *, now: datetime) -> int:
    """Take back this person's marketing messages on this channel that have not left; returns how many.

    The caller holds the customer's lock. Rows that a claim holds at this moment are skipped: it waits for that lock
    and will see the no.
    """
    mine = (Message.customer_id == customer_id, Message.channel == channel, Message.message_class == "marketing")
    waiting = connection.execute(
        select(Message.id).where(*mine, Message.state.in_(("queued", "claimed")))
        .order_by(Message.id).with_for_update(skip_locked=True, key_share=True)
    ).scalars().all()
    reason = said_no(channel)
    count = len(moved(connection, waiting, "suppressed", from_=("queued", "claimed"), now=now, reason=reason))
    if channel == "phone":
        on_desk = connection.execute(select(Message.id).where(*mine, Message.state == "handed_over")).scalars().all()
        withdrawn = withdraw_calls(connection, on_desk, now=now)
        count += len(moved(connection, withdrawn, "suppressed", from_="handed_over", now=now, reason=reason))
    return count


def bounced(
    session: Session, public_id: str, *, at: datetime, source: str, source_key: str, about_address: bool,
    address: str | None = None, detail: Mapping[str, Any] | None = None, now: datetime, secret_key: str,
) -> bool:
    """Record that a message came back; False when told before.

    With `about_address` (no such recipient or domain) the address is given up, unless it has changed meanwhile:
    `address` is the one the bounce names. Everything else says something about us, not about the person.
    """
    message = message_by_public_id(session, public_id)
    if about_address:
        lock_customers(session.connection(), [message.customer_id])
    if not record_event(session, message.id, "bounced", at=at, source=source, source_key=source_key,
                        detail={**(detail or {}), "about_address": about_address}):
        return False
    if about_address and _is_present_address(session, message, address):
        address_is_dead(session.connection(), [message.id], now=now, secret_key=secret_key)
    return True


def _is_present_address(session: Session, message: Message, address: str | None) -> bool:
    if address is None:
        return True
    value = session.execute(
        select(Address.value).where(Address.customer_id == message.customer_id,
                                    Address.channel == ADDRESS_CHANNEL[message.channel or ""])
    ).scalar_one_or_none()
    return value is not None and value.strip().casefold() == address.strip().casefold()


def address_is_dead(connection: Connection, message_ids: Sequence[int], *, now: datetime, secret_key: str) -> None:
    """Give up the addresses these messages went to: marked at the person, and blocked whoever has them."""
    rows = connection.execute(
        select(Message.customer_id, Message.channel).where(in_ids(Message.id, message_ids)).distinct()
    ).all()
    lock_customers(connection, sorted({row.customer_id for row in rows}))
    for customer_id, channel in rows:
        if channel is None:
            continue
        connection.execute(
            update(Address)
            .where(Address.customer_id == customer_id, Address.channel == ADDRESS_CHANNEL[channel],
                   Address.undeliverable_at.is_(None))
            .values(undeliverable_at=now)
        )
        suppress(connection, customer_id, channel=channel, reason="bounced", now=now, secret_key=secret_key)

"""What does this person want to hear from us, and how do they tell us through a link?

Owns the preferences behind a signed link: channels on and off, and the preferred one. The promise: a no takes effect at
once, whatever the link; a yes needs proof, so a link turns e-mail on only if it came by e-mail, letters always, and
calls never (consent to calls is given in a call or in the shop).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from customers.consents import lock_customers, record_consent
from customers.models import Customer
from customers.suppression import unblock
from delivery.feedback import message_by_public_id, stop_channel
from delivery.models import Message
from delivery.policy import CHANNELS, no_consent, said_no, verdicts

PROOF = "ticked on the preferences page, opened through the personal link of message {public_id} ({channel})"
"""What is stored as proof of a consent given on the page."""


@dataclass(frozen=True)
class ChannelWish:
    """One channel on the page: whether it is on, and whether this link may change that."""

    channel: str
    is_on: bool
    may_change: bool


@dataclass(frozen=True)
class Wishes:
    """One person's preferences as the page shows them."""

    channels: tuple[ChannelWish, ...]
    preferred: str | None


def wishes_of(session: Session, public_id: str, *, now: datetime, secret_key: str) -> Wishes:
    """The preferences of the person a message went to. Raises NotFound."""
    return _wishes(session, message_by_public_id(session, public_id), now=now, secret_key=secret_key)


def _wishes(session: Session, message: Message, *, now: datetime, secret_key: str) -> Wishes:
    answers = verdicts(session.connection(), [message.customer_id] * len(CHANNELS), CHANNELS,
                       message_class="marketing", now=now, secret_key=secret_key)
    shown = []
    for channel, answer in zip(CHANNELS, answers, strict=True):
        if answer is None:
            shown.append(ChannelWish(channel, True, True))
        elif _is_own_no(channel, answer):
            may = channel == "letter" or (channel == "email" and message.channel == "email")
            shown.append(ChannelWish(channel, False, may))
    customer = session.get_one(Customer, message.customer_id)
    return Wishes(tuple(shown), customer.preferred_channel)


def _is_own_no(channel: str, reason: str) -> bool:
    """Whether only the person's own word stands in the way; then the person can change it."""
    return reason in (no_consent(channel), said_no(channel), "suppressed: unsubscribed", "suppressed: objected")


def save_wishes(
    session: Session, public_id: str, *, on: Collection[str], preferred: str | None, now: datetime, secret_key: str
) -> Wishes:
    """Store what the person ticked: `on` are the channels wanted, `preferred` one of them or None.

    Returns the preferences as they now stand; repeating is harmless. Raises NotFound.
    """
    message = message_by_public_id(session, public_id)
    connection = session.connection()
    lock_customers(connection, [message.customer_id])
    for wish in _wishes(session, message, now=now, secret_key=secret_key).channels:
        if wish.is_on and wish.channel not in on:
            stop_channel(session, message.customer_id, wish.channel, reason="objected",
                         source=f"preferences: message {public_id}", now=now, secret_key=secret_key)
        elif not wish.is_on and wish.may_change and wish.channel in on:
            record_consent(session, message.customer_id, channel=wish.channel, state="granted", basis="consent",
                           source="preferences link", now=now,
                           proof=PROOF.format(public_id=public_id, channel=message.channel))
            unblock(connection, message.customer_id, channel=wish.channel, secret_key=secret_key)
    now_on = {wish.channel for wish in _wishes(session, message, now=now, secret_key=secret_key).channels if wish.is_on}
    customer = session.get_one(Customer, message.customer_id)
    customer.preferred_channel = preferred if preferred in now_on else None
    session.flush()
    return _wishes(session, message, now=now, secret_key=secret_key)

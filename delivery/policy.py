"""May we speak to this person on this channel, now?

Owns the legal basis per channel and message class and the closed list of reasons to stay silent. Everything is asked
for a whole batch at once. Asked when a channel is chosen, and again, under the customers' locks, in the transaction
that claims a message: the second answer is the one that counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from core.arrays import in_ids, in_texts
from core.bulk import plain_rows
from customers.consents import current_consents
from customers.models import Address, Customer, Suppression
from customers.suppression import ADDRESS_CHANNEL, address_hashes
from customers.suppression import REASONS as SUPPRESSION_REASONS
from delivery.channels.postal import has_no_postal_codes

CHANNELS = ("email", "letter", "phone")
"""The channels messages go out on, cheapest first by `CHANNEL_COST`."""

CHANNEL_COST_CENTS: Mapping[str, int] = {"email": 1, "letter": 91, "phone": 400}
"""Default price of one message: an e-mail, a printed and posted letter, one call of a few minutes."""

CONSENT_NEEDED: Mapping[str, frozenset[str]] = {
    # Advertising: e-mail and calls need a given consent; a letter may go until the person says no.
    "marketing": frozenset({"email", "phone", "sms", "push"}),
    "service": frozenset(),
    "transactional": frozenset(),
}
"""Message class -> channels that need a granted consent."""

MINDS_A_NO: Mapping[str, bool] = {"marketing": True, "service": False, "transactional": False}
"""Message class -> whether a denied or withdrawn consent silences it. A suppression silences every class."""


@dataclass(frozen=True)
class _Words:
    name: str
    address: str
    undeliverable: str


_WORDS: Mapping[str, _Words] = {
    "email": _Words("e-mail", "e-mail address", "e-mail address undeliverable"),
    "letter": _Words("letters", "postal address", "postal address undeliverable"),
    "phone": _Words("calls", "phone number", "phone number does not work"),
    "sms": _Words("text messages", "phone number", "phone number does not work"),
}

LEFT_OUT = "left out: "
"""Begins the reason of a message that its campaign's own exclusions kept back; no other channel is tried then."""

ERASED = "data erased at the person's wish"
EXPIRED = "expired before sending"
INCOMPLETE = "postal address incomplete"


def no_consent(channel: str) -> str:
    """The reason when a needed consent was never given."""
    return f"no consent for {_WORDS[channel].name}"


def said_no(channel: str) -> str:
    """The reason when the person refused or took back the consent."""
    return f"said no to {_WORDS[channel].name}"


def no_address(channel: str) -> str:
    """The reason when we do not know where to reach the person."""
    return f"no {_WORDS[channel].address}"


def undeliverable(channel: str) -> str:
    """The reason when a hard bounce, a returned letter or a wrong number showed that the address is dead."""
    return _WORDS[channel].undeliverable


def blocked(reason: str) -> str:
    """The reason when the address stands on the list of addresses nobody writes to."""
    return f"suppressed: {reason}"


def channel_words(channel: str) -> str:
    """How sentences name the channel: e-mail, letters, calls."""
    return _WORDS[channel].name


REASONS = (
    ERASED, EXPIRED, INCOMPLETE,
    *(blocked(reason) for reason in SUPPRESSION_REASONS),
    *(make(channel) for make in (no_consent, said_no, no_address, undeliverable) for channel in _WORDS),
)
"""Every reason a verdict may give."""


def verdicts(
    connection: Connection, customer_ids: Sequence[int], channels: Sequence[str], *, message_class: str, now: datetime,
    secret_key: str,
) -> list[str | None]:
    """Per person and channel (two columns of equal length) the reason to stay silent, or None: we may speak."""
    result: list[str | None] = [None] * len(customer_ids)
    for channel in sorted(set(channels)):
        places = [place for place, wanted in enumerate(channels) if wanted == channel]
        answers = _of_channel(
            connection, [customer_ids[place] for place in places], channel, message_class=message_class, now=now,
            secret_key=secret_key,
        )
        for place, answer in zip(places, answers, strict=True):
            result[place] = answer
    return result


def _of_channel(
    connection: Connection, ids: list[int], channel: str, *, message_class: str, now: datetime, secret_key: str
) -> list[str | None]:
    distinct = list(dict.fromkeys(ids))
    consents = current_consents(connection, distinct, channel=channel, now=now)
    addresses = _addresses(connection, distinct, channel)
    barred = _barred(connection, addresses, channel, secret_key)
    erased = set(connection.execute(
        select(Customer.id).where(in_ids(Customer.id, distinct), Customer.forgotten_at.is_not(None))
    ).scalars())
    nowhere = _Place("", no_address(channel))
    found: dict[int, str | None] = {}
    for customer_id, consent in zip(distinct, consents, strict=True):
        found[customer_id] = (
            (ERASED if customer_id in erased else None)
            or barred.get(customer_id)
            or _legal(channel, message_class, consent)
            or addresses.get(customer_id, nowhere).trouble
        )
    return [found[customer_id] for customer_id in ids]


class _Place(NamedTuple):
    """An address as the block list knows it, and why it cannot be used (None: it can)."""

    lookup: str
    trouble: str | None


def _barred(connection: Connection, addresses: Mapping[int, _Place], channel: str, secret_key: str) -> dict[int, str]:
    """The reason for each person whose address is blocked."""
    lookups = [place.lookup for place in addresses.values()]
    hashes = dict(zip(addresses, address_hashes(channel, lookups, secret_key=secret_key), strict=True))
    rows = connection.execute(
        select(Suppression.address_hash, Suppression.reason)
        .where(Suppression.channel == channel, in_texts(Suppression.address_hash, sorted(set(hashes.values()))))
    )
    reasons = {row[0]: blocked(row[1]) for row in rows}
    if not reasons:
        return {}
    return {customer_id: reasons[hashed] for customer_id, hashed in hashes.items() if hashed in reasons}


def _legal(channel: str, message_class: str, consent: str | None) -> str | None:
    if consent in ("denied", "withdrawn") and MINDS_A_NO[message_class]:
        return said_no(channel)
    if channel in CONSENT_NEEDED[message_class] and consent != "granted":
        return no_consent(channel)
    return None


def _addresses(connection: Connection, ids: list[int], channel: str) -> dict[int, _Place]:
    # The database looks at each field; only a letter without a postal code needs a second look, at its country.
    empty = [func.coalesce(field, "") == "" for field in (Address.value, Address.city, Address.postal_code)]
    letters_only = [(empty[1], 3), (empty[2], 4)] if channel == "letter" else []
    rows = plain_rows(connection, (
        select(Address.customer_id, Address.lookup, Address.country,
               case((empty[0], 1), (Address.undeliverable_at.is_not(None), 2), *letters_only, else_=0))
        .where(Address.channel == ADDRESS_CHANNEL[channel], in_ids(Address.customer_id, ids))
    ))
    troubles = (None, no_address(channel), undeliverable(channel), INCOMPLETE, INCOMPLETE)
    found: dict[int, _Place] = {}
    for customer_id, lookup, country, trouble in rows:
        excused = trouble == 4 and has_no_postal_codes(country or "")
        found[customer_id] = _Place(lookup, None if excused else troubles[trouble])
    return found

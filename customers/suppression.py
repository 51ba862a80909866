"""At which addresses must nobody be written to, whoever lives there?

Owns the keyed hashes of blocked addresses. The promise: a block outlives the erasure of the person, and the table
gives no address away to somebody who lacks the installation's secret key.
"""

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from core.arrays import in_ids, in_texts
from core.errors import Invalid
from customers.models import CHANNELS, Address, Suppression

ADDRESS_CHANNEL = {"email": "email", "letter": "letter", "phone": "phone", "sms": "phone", "push": "push",
                   "ads": "email"}
"""Channel -> the channel whose address row it uses."""

REASONS = ("unsubscribed", "bounced", "complained", "objected", "erased")


def address_hash(channel: str, value: str, *, secret_key: str) -> str:
    """HMAC-SHA256 (hex) of a normalised address (`Address.lookup`) on one channel."""
    return hmac.digest(secret_key.encode(), f"{channel}:{value}".encode(), "sha256").hex()


def address_hashes(channel: str, values: Iterable[str], *, secret_key: str) -> list[str]:
    """`address_hash` of many addresses; the key's part of the hash is worked out once."""
    key = secret_key.encode()
    key = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))
    inner.update(f"{channel}:".encode())
    hashes = []
    for value in values:
        first, second = inner.copy(), outer.copy()
        first.update(value.encode())
        second.update(first.digest())
        hashes.append(second.hexdigest())
    return hashes


# HMAC as in RFC 2104: two hashes, begun with the key under one pattern each.
_BLOCK = 64
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))


def suppressed(connection: Connection, customer_ids: Sequence[int], *, channel: str, secret_key: str) -> list[bool]:
    """Whether each customer's address on this channel is blocked; False for people without such an address."""
    _known(channel)
    rows = connection.execute(
        select(Address.customer_id, Address.lookup)
        .where(in_ids(Address.customer_id, customer_ids), Address.channel == ADDRESS_CHANNEL[channel])
    )
    lookups = dict(rows.all())
    hashes = dict(zip(lookups, address_hashes(channel, lookups.values(), secret_key=secret_key), strict=True))
    blocked = set(connection.scalars(
        select(Suppression.address_hash)
        .where(Suppression.channel == channel, in_texts(Suppression.address_hash, sorted(set(hashes.values()))))
    )) if hashes else set()
    return [hashes.get(customer_id) in blocked for customer_id in customer_ids]


def suppress(
    connection: Connection, customer_id: int, *, channel: str, reason: str, now: datetime, secret_key: str
) -> bool:
    """Block the customer's present address on this channel; False when there is none. Twice is harmless.

    The caller holds the customer's row (`lock_customers`). An earlier block keeps its first reason and time.
    """
    _known(channel)
    if reason not in REASONS:
        raise Invalid(f"{reason!r} is not a reason to block an address: use one of {', '.join(REASONS)}.")
    lookup = connection.execute(
        select(Address.lookup)
        .where(Address.customer_id == customer_id, Address.channel == ADDRESS_CHANNEL[channel])
    ).scalar_one_or_none()
    if not lookup:
        return False
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(Suppression)
        .values(channel=channel, address_hash=address_hash(channel, lookup, secret_key=secret_key), reason=reason,
                at=now)
        .on_conflict_do_nothing(index_elements=["channel", "address_hash"])
    )
    return True


def unblock(connection: Connection, customer_id: int, *, channel: str, secret_key: str) -> bool:
    """Lift the block that this person's own no has set on the present address, because the person now says yes.

    A block for any other reason (bounced, complained, erased) stays. The caller holds the customer's row.
    """
    _known(channel)
    lookup = connection.execute(
        select(Address.lookup)
        .where(Address.customer_id == customer_id, Address.channel == ADDRESS_CHANNEL[channel])
    ).scalar_one_or_none()
    if not lookup:
        return False
    gone = connection.execute(
        delete(Suppression)
        .where(Suppression.channel == channel, Suppression.reason.in_(("unsubscribed", "objected")),
               Suppression.address_hash == address_hash(channel, lookup, secret_key=secret_key))
        .returning(Suppression.id)
    ).all()
    return len(gone) == 1


def _known(channel: str) -> None:
    if channel not in CHANNELS:
        raise Invalid(f"{channel!r} is not a channel: use one of {', '.join(CHANNELS)}.")


def forgotten_number(external_id: str, *, secret_key: str) -> str:
    """The keyed number under which a forgotten person's anonymous row is kept, so that they are recognised again."""
    return f"forgotten:{address_hash('customer', external_id, secret_key=secret_key)[:40]}"

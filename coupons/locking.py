"""Who acts on one order at a time?

Owns the lock per order on PostgreSQL: redeeming, reserving and cancelling for one order take turns, so that no
redemption slips in beside a cancellation and two codes that do not combine never both see an order without the other.
On SQLite writers take turns anyway.
"""

import hashlib

from sqlalchemy import BigInteger, Connection, bindparam, func, select

from core.hot import Hot

_LOCK = Hot(select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger()))))


OFFER_LOCKS = 0x0FFE
"""The first half of the number of an offer's lock; the second is its id.

Uses that read the terms without holding the offer's row hold this lock, shared, until they end; whoever changes the
terms takes it alone. Sharing it writes nothing, while a hundred shared holders of one row write a list of themselves.
"""


def order_number(shop: str, order_ref: str) -> int:
    """The number of the order's lock."""
    return int.from_bytes(hashlib.sha256(f"{shop}\0{order_ref}".encode()).digest()[:8], "big", signed=True)


def lock_order(connection: Connection, shop: str, order_ref: str) -> None:
    """Wait until nobody else acts on this order; released when the transaction ends."""
    if connection.dialect.name == "postgresql":
        _LOCK.rows(connection, {"number": order_number(shop, order_ref)})

"""Who acts on one order, or on one customer's first order, at a time?

Owns two locks on PostgreSQL. The order's: redeeming, reserving and cancelling for one order take turns, so that no
redemption slips in beside a cancellation and two codes that do not combine never both see an order without the other.
The customer's, after the order's and before any row's, only where an offer is for first orders: two first orders of
one customer never both find none before them. On SQLite writers take turns anyway.

One use locks rows in one order everywhere. What acts on several codes of an order cannot keep it between them, so two
such can wait for each other in a ring, which the database breaks at the cost of one: `in_turn` does that one again.
"""

import hashlib
from collections.abc import Callable, Collection
from typing import TypeVar

from psycopg.errors import DeadlockDetected
from sqlalchemy import BigInteger, Connection, bindparam, func, select
from sqlalchemy.exc import OperationalError

from core.database import Database
from core.group_commit import Shared
from core.hot import Hot

T = TypeVar("T")

_TURNS = 5

_LOCK = Hot(select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger()))))


OFFER_LOCKS = 0x0FFE
"""The first half of the number of an offer's lock; the second is its id.

Uses that read the terms without holding the offer's row hold this lock, shared, until they end; whoever changes the
terms takes it alone. Sharing it writes nothing, while a hundred shared holders of one row write a list of themselves.
"""


def order_number(shop: str, order_ref: str) -> int:
    """The number of the order's lock."""
    return _number(f"{shop}\0{order_ref}")


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def lock_order(connection: Connection, shop: str, order_ref: str) -> None:
    """Wait until nobody else acts on this order; released when the transaction ends."""
    if connection.dialect.name == "postgresql":
        _LOCK.rows(connection, {"number": order_number(shop, order_ref)})


def lock_people(connection: Connection, customer_ids: Collection[int], guest: str | None = None) -> None:
    """Wait until nobody else decides whether an order of these customers is their first; as the order's lock.

    `guest` is the mark of whom the shop names, known here or not: two guests with one address take turns by it.
    """
    if connection.dialect.name == "postgresql":
        for customer_id in sorted(customer_ids):
            _LOCK.rows(connection, {"number": _number(f"first order of customer {customer_id}")})
        if guest is not None:
            _LOCK.rows(connection, {"number": _number(f"first order of guest {guest}")})


def in_turn(database: Database, job: Callable[[Connection], T], *, shared: Shared | None = None) -> T:
    """Run a small write job as `Database.small` does, again from the start when it was given up to break a ring."""
    for turn in range(1, _TURNS + 1):
        try:
            return database.small(job, shared=shared)
        except (DeadlockDetected, OperationalError) as error:
            if turn == _TURNS or not isinstance(getattr(error, "orig", error), DeadlockDetected):
                raise
    raise AssertionError("every turn returns or raises")

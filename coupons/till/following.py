"""Which orders has the shop taken back, and do their coupons come free again?

Owns the duty that follows orders as they are recorded, by whatever door: the redemptions of a cancelled one are rolled
back, and one that comes late is refused. Redemptions of imported history stay as the shop told them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from core.arrays import in_ids
from core.bulk import chunks
from core.cursors import advance, position, pruned, read_changes
from core.database import Database
from core.types import to_us
from coupons.locking import in_turn
from coupons.models import CancelledOrder, Redemption
from coupons.till.redeeming import cancel_order
from customers.models import Order

READER = "coupons.orders"
_IDLE_CHANGES = 500
"""A cursor this far behind is moved on even when no order changed; nearer ones are left, to spare the write."""


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Note the orders that were cancelled since last time and roll their redemptions back; returns how many of those.

    `limit` is the number of orders per transaction. The cursor moves on after the work, so a crash repeats it.
    """
    with database.reading() as session:
        connection = session.connection()
        after = position(connection, READER)
        changes = read_changes(connection, after=after, tables=("orders",))
        # Who stands before the list begins has missed some of it and looks at every order.
        missed = after < pruned(connection)
        ids = _cancelled(connection, None if missed else changes.keys.get("orders", []))
    done = sum(_take_back(database, part, now=now) for part in chunks(ids, limit))
    if changes.keys or missed or changes.cursor - after > _IDLE_CHANGES:
        database.small(lambda connection: advance(connection, READER, changes.cursor))
    return done


def _cancelled(connection: Connection, orders: list[int] | None) -> list[int]:
    taken_back = select(Order.id).where(Order.cancelled).order_by(Order.id)
    if orders is None:
        return list(connection.scalars(taken_back))
    found: list[int] = []
    for part in chunks(orders, 50_000):
        found += connection.scalars(taken_back.where(in_ids(Order.id, part)))
    return found


def _take_back(database: Database, orders: Sequence[int], *, now: datetime) -> int:
    # Noted first and committed: a redemption under way either sees the note or is found by the look that follows.
    database.small(lambda connection: _note(connection, orders, now))
    with database.reading() as session:
        live = session.execute(
            select(Order.shop, Order.external_id).distinct()
            .join(Redemption, (Order.shop == Redemption.shop) & (Order.external_id == Redemption.order_ref))
            .where(in_ids(Order.id, orders), Redemption.state == "redeemed", ~Redemption.history)
            .order_by(Order.shop, Order.external_id)
        ).all()
    return sum(_cancel(database, shop, order_ref, now) for shop, order_ref in live)


def _cancel(database: Database, shop: str, order_ref: str, now: datetime) -> int:
    return in_turn(database, lambda connection: cancel_order(connection, shop=shop, order_ref=order_ref, now=now))


def _note(connection: Connection, orders: Sequence[int], now: datetime) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    taken_back = select(Order.shop, Order.external_id, literal(to_us(now), BigInteger)).where(in_ids(Order.id, orders))
    connection.execute(insert(CancelledOrder).from_select(["shop", "order_ref", "at"], taken_back)
                       .on_conflict_do_nothing())

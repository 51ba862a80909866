"""What do the deliveries in the inbox mean for our facts?

Owns the duty that works through the inbox in the order of arrival. One worker at a time does it, held by a lease that
falls with its process, so two states of one order never race. The promise: a delivery ends done, ignored or failed with
its reason; one that cannot be read is set aside and takes no other with it; doing it twice changes nothing.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core import leases
from core.database import Database
from core.errors import Invalid, WinbackError
from coupons.locking import in_turn
from coupons.till.redeeming import cancel_order
from coupons.till.reported import ReportedUse, follow_returns, record_use, reopen_order
from coupons.till.reserving import deciding
from customers.reported import ReportedOrder, remove_order, upsert_order
from web.shops.inbox import Outcome, settle
from web.shops.models import InboxDelivery, ShopConnection
from web.shops.systems import SYSTEMS
from web.shops.systems.shape import SAMPLE_ORDER, Reading
from web.shops.told import NotOurs, Told, not_ahead

log = logging.getLogger("winback.inbox")

ATTEMPTS = 5
"""Tries of a delivery that meets an unexpected error, over about an hour; then it is set aside."""

_WAITING = (
    select(InboxDelivery.id, InboxDelivery.connection_id, InboxDelivery.topic, InboxDelivery.body,
           InboxDelivery.attempts, InboxDelivery.received_at, ShopConnection.kind, ShopConnection.shop,
           ShopConnection.zone, ShopConnection.currency)
    .join(ShopConnection, ShopConnection.id == InboxDelivery.connection_id)
    .where(InboxDelivery.state == "received", ShopConnection.paused_at.is_(None))
    .order_by(InboxDelivery.id)
)

Waiting = Row[*tuple[Any, ...]]


def tick(database: Database, *, now: datetime, limit: int, secret_key: str) -> int:
    """Work through at most `limit` deliveries that are due; returns how many."""
    with database.reading() as session:
        waits = session.execute(_WAITING.where(InboxDelivery.due_at <= now).with_only_columns(InboxDelivery.id)
                                .limit(1)).first()
    if waits is None:
        return 0
    lease = leases.take(database, "inbox")
    if lease is None:
        return 0  # another worker is at it
    try:
        with database.reading() as session:
            rows = session.execute(_WAITING.where(InboxDelivery.due_at <= now).limit(min(limit, 200))).all()
        for row in rows:
            outcome = _work(database, row, now=now, secret_key=secret_key)
            _settle(database, row.id, outcome, now)
        return len(rows)
    finally:
        lease.release()


def _settle(database: Database, delivery_id: int, outcome: Outcome, now: datetime) -> None:
    database.small(lambda connection: settle(connection, delivery_id, outcome, now=now))


def _work(database: Database, row: Waiting, *, now: datetime, secret_key: str) -> Outcome:
    try:
        told = read_delivery(database, row, now=now)
        if isinstance(told, NotOurs):
            kept = told.order_ref is not None and row.topic == "refunds/create"
            done = _merge_refund(database, row, told.order_ref, now, secret_key) if kept and told.order_ref else None
            return done or Outcome("done" if kept else "ignored", told.reason, told.order_ref)
        return _apply(database, row, told, now=now, secret_key=secret_key)
    except WinbackError as error:
        return Outcome("failed", str(error))
    except Exception as error:  # an unexpected failure of one delivery stops no other
        log.exception("delivery %s could not be worked through", row.id)
        if row.attempts + 1 >= ATTEMPTS:
            return Outcome("failed", f"{type(error).__name__}: {error}")
        return Outcome("received", f"Tried again soon. {type(error).__name__}: {error}",
                       due_at=now + timedelta(minutes=1) * 4 ** row.attempts)


def read_delivery(database: Database, row: Waiting, *, now: datetime) -> Told | NotOurs:
    """What a stored delivery says, read at `now`. Raises Invalid when it cannot be read."""
    payload = parsed(row.body or b"")
    system = SYSTEMS[row.kind]
    reading = Reading(row.shop, row.zone, row.topic, row.received_at)
    told = system.read(payload, reading)
    if isinstance(told, Told) and row.kind == "shopify":
        refunds = _refunds_of(database, row.connection_id, told.number)
        if refunds:
            told = system.read(payload, Reading(row.shop, row.zone, row.topic, row.received_at, refunds))
    return not_ahead(told, received_at=row.received_at, now=now) if isinstance(told, Told) else told


def parsed(body: bytes) -> Any:
    """A body as JSON. Raises Invalid."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is not JSON that can be read.") from error


def _refunds_of(database: Database, connection_id: int, order_ref: str) -> tuple[dict[str, Any], ...]:
    """Refunds that came by themselves for this order."""
    with database.reading() as session:
        bodies: Sequence[bytes | None] = session.scalars(
            select(InboxDelivery.body).where(
                InboxDelivery.connection_id == connection_id, InboxDelivery.order_ref == order_ref,
                InboxDelivery.topic == "refunds/create").order_by(InboxDelivery.id)).all()
    return tuple(found for found in (parsed(body) for body in bodies if body) if isinstance(found, dict))


def _merge_refund(
    database: Database, row: Waiting, order_ref: str, now: datetime, secret_key: str
) -> Outcome | None:
    """A refund that came by itself, together with the newest state of its order; None: the order is not there yet."""
    database.small(lambda connection: _name_order(connection, row.id, order_ref))
    with database.reading() as session:
        newest = session.execute(
            select(*_WAITING.selected_columns).select_from(InboxDelivery)
            .join(ShopConnection, ShopConnection.id == InboxDelivery.connection_id)
            .where(InboxDelivery.connection_id == row.connection_id, InboxDelivery.order_ref == order_ref,
                   InboxDelivery.topic.like("orders/%"), InboxDelivery.body.is_not(None))
            .order_by(InboxDelivery.id.desc()).limit(20)).all()
    states = [(read_delivery(database, each, now=now), each) for each in newest]
    orders = [(told, each) for told, each in states if isinstance(told, Told) and told.order is not None]
    if not orders:
        return None
    told, source = max(orders, key=lambda pair: (pair[0].modified_at, pair[1].id))
    return _apply(database, source, told, now=now, secret_key=secret_key)


def _name_order(connection: Connection, delivery_id: int, order_ref: str) -> None:
    connection.execute(update(InboxDelivery).where(InboxDelivery.id == delivery_id).values(order_ref=order_ref))


def _apply(database: Database, row: Waiting, told: Told, *, now: datetime, secret_key: str) -> Outcome:
    odd = list(told.odd)
    if told.number == SAMPLE_ORDER:
        return Outcome("ignored", "A test: it was read and nothing was recorded.", told.number, "test")
    if told.removed or told.order is None:
        if not remove_order(database, row.shop, told.number, modified_at=told.modified_at):
            return Outcome("ignored", "A newer state of this order is known.", told.number)
        _cancel(database, row.shop, told.number, now)
        return Outcome("done", "The order was removed in the shop.", told.number)
    order = told.order
    if order.currency != row.currency:
        odd.append("other_currency")
    flags = " ".join(odd)
    if not upsert_order(database, order, now=now, secret_key=secret_key):
        return Outcome("ignored", "A newer state of this order is known.", told.number, flags)
    if order.cancelled:
        _cancel(database, order.shop, order.number, now)
        return Outcome("done", "Stored as cancelled; its codes are free again.", told.number, flags)
    said = deciding(database, lambda connection: _redemptions(connection, told, order, now), now=now)
    return Outcome("done", said, told.number, flags)


def _cancel(database: Database, shop: str, number: str, now: datetime) -> None:
    in_turn(database, lambda connection: cancel_order(connection, shop=shop, order_ref=number, now=now))


def _redemptions(connection: Connection, told: Told, order: ReportedOrder, now: datetime) -> str:
    """Record the codes of a stored order and take back what belongs to returns, in one transaction."""
    reopen_order(connection, shop=order.shop, order_ref=order.number)
    goods = order.goods_cents
    recorded = [
        record_use(connection, ReportedUse(order.shop, order.number, each.code, each.discount_cents, order.currency,
                                           goods, order.ordered_at), now=now)
        for each in told.codes]
    returned = order.returned_cents if told.refunded_cents is None else max(order.returned_cents, told.refunded_cents)
    too_much = "refund_too_large" in told.odd
    taken_back = follow_returns(connection, shop=order.shop, order_ref=order.number, goods_cents=goods,
                                returned_cents=max(returned, goods + 1) if too_much else returned, now=now)
    fresh = sum(each.created for each in recorded)
    parts = ["Order stored"]
    if fresh:
        parts.append(f"{fresh} {'redemption' if fresh == 1 else 'redemptions'} recorded")
    if len(recorded) > fresh:
        known = len(recorded) - fresh
        parts.append(f"{known} {'redemption' if known == 1 else 'redemptions'} known already")
    if taken_back:
        parts.append(f"discount taken back on {taken_back} {'redemption' if taken_back == 1 else 'redemptions'}")
    return ", ".join(parts) + "."

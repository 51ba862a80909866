"""How does a code that a shop's order already carries become a redemption?

Owns recording facts: an order webhook tells what happened, so nothing is refused. The promise: the same shop, order and
code is one redemption, whoever told it first; a use that fits takes from the same counters as a decision, one beyond a
limit is recorded, flagged and touches no counter, so no limit is ever exceeded by what we decide.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.codes import LONGEST, canonical
from core.types import to_us
from coupons.models import CancelledOrder, Offer, Redemption
from coupons.offers.discount import Line
from coupons.offers.terms import terms_of
from coupons.refusals import Refused
from coupons.till.deciding import Named, Situation, look, redeemer_of, use_of
from coupons.till.flags import holder_flag, joined
from coupons.till.redeeming import roll_back
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.reserving import beware_of_lapsed, hold_for, spend
from coupons.till.returning import discount_after_return
from coupons.till.taking import give_back, take
from customers.models import Customer, OrderLine
from customers.models import Order as StoredOrder


@dataclass(frozen=True)
class ReportedUse:
    """One code on one order; `goods_cents` is the order before coupons, `discount_cents` what the shop took off."""

    shop: str
    order_ref: str
    code: str
    discount_cents: int
    currency: str
    goods_cents: int
    at: datetime


@dataclass(frozen=True)
class Recorded:
    """The redemption that stands for a reported use; `created` is False when it was there before."""

    public_id: str
    flags: tuple[str, ...]
    created: bool


def record_use(
    connection: Connection, use: ReportedUse, *, now: datetime, random_bytes: Callable[[int], bytes] = os.urandom
) -> Recorded:
    """Record one code of an order that was stored before; the customer is the order's.

    Call it as a job of `reserving.deciding`, which frees lapsed reservations where they would make it over the limit.
    """
    request = RedemptionRequest(use.code, Order(use.order_ref, use.goods_cents, use.currency), use.shop)
    situation = look(connection, request, now=now, hold=True)
    named = _orderer(connection, use)
    if situation is None:
        return _record_unknown(connection, use, named, now, random_bytes)
    if situation.redemption_id is not None:
        return _seen_before(connection, situation.redemption_id, use)
    at = min(use.at, now)
    flags = [*_odd(situation, to_us(at)), *holder_flag(situation, named)]
    hold = hold_for(connection, situation, request, now=now)
    taken = use_of(connection, situation, named, request, max(0, use.discount_cents), now=at)
    outcome = take(connection, taken, now=at, hold=hold, as_fact=True)
    counted = outcome is True
    if not counted and situation.state != "revoked":
        beware_of_lapsed(connection, Refused("limit_reached"), situation, now=now)
        flags.append("over_limit")
    redeemer_id, _number = redeemer_of(situation, named)
    row = _row(use, at, random_bytes) | {
        "code_id": situation.code_id, "code_text": situation.code, "offer_id": situation.offer_id,
        "origin": situation.origin, "campaign": situation.campaign, "redeemer_id": redeemer_id,
        "customer_id": situation.holder_id if situation.holder_id is not None else redeemer_id,
        "flags": joined(flags), "uncounted": not counted, "counted_as": taken.who,
    }
    if not _written(connection, row):
        if counted:
            give_back(connection, taken, whole=True)  # the till asked for the same order meanwhile
        again = look(connection, request, now=now, hold=True)
        assert again is not None and again.redemption_id is not None
        return _seen_before(connection, again.redemption_id, use)
    if hold is not None and counted:
        spend(connection, hold, now=now)
    return Recorded(row["public_id"], tuple(flags), True)


def _orderer(connection: Connection, use: ReportedUse) -> Named:
    rows = connection.execute(
        select(Customer.id, Customer.external_id).join(StoredOrder, StoredOrder.customer_id == Customer.id)
        .where(StoredOrder.shop == use.shop, StoredOrder.external_id == use.order_ref))
    return [(row.id, row.external_id) for row in rows]


def _odd(situation: Situation, at_us: int) -> list[str]:
    if situation.state == "revoked":
        return ["revoked"]
    if at_us < situation.from_us:
        return ["not_yet_valid"]
    if situation.until_us is not None and at_us >= situation.until_us:
        return ["expired"]
    return []


def _row(use: ReportedUse, at: datetime, random_bytes: Callable[[int], bytes]) -> dict[str, Any]:
    return {
        "public_id": f"r_{random_bytes(12).hex()}", "shop": use.shop, "order_ref": use.order_ref,
        "order_total_cents": use.goods_cents, "discount_cents": max(0, use.discount_cents), "rolled_back_cents": 0,
        "currency": use.currency, "state": "redeemed", "history": False, "redeemed_at": at, "told_by": "order",
    }


def _record_unknown(connection: Connection, use: ReportedUse, named: Named, now: datetime,
                    random_bytes: Callable[[int], bytes]) -> Recorded:
    text = canonical(use.code)[:LONGEST]
    # No code of ours keeps it apart from a repetition, so the order and the code do.
    name = "told:" + hashlib.sha256(f"{use.shop}\0{use.order_ref}\0{text}".encode()).hexdigest()
    stored = connection.execute(select(Redemption.public_id).where(Redemption.external_id == name)).scalar()
    if stored is not None:
        return Recorded(stored, ("unknown_code",), False)
    row = _row(use, min(use.at, now), random_bytes) | {
        "external_id": name, "code_text": use.code.strip().upper()[:LONGEST], "flags": "unknown_code",
        "uncounted": True,
        "customer_id": named[0][0] if named else None, "redeemer_id": named[0][0] if named else None,
    }
    _written(connection, row)
    return Recorded(row["public_id"], ("unknown_code",), True)


def _written(connection: Connection, row: dict[str, Any]) -> bool:
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return connection.execute(
        dialect_insert(Redemption).values(row).on_conflict_do_nothing().inline()
        .execution_options(preserve_rowcount=True)).rowcount == 1


def _seen_before(connection: Connection, redemption_id: int, use: ReportedUse) -> Recorded:
    stored = connection.execute(
        select(Redemption.public_id, Redemption.flags, Redemption.discount_cents, Redemption.currency)
        .where(Redemption.id == redemption_id)).one()
    flags = stored.flags.split()
    differs = stored.currency == use.currency and stored.discount_cents != use.discount_cents
    if differs and "discount_differs" not in flags:
        flags.append("discount_differs")
        _flag(connection, redemption_id, flags)
    return Recorded(stored.public_id, tuple(flags), False)


def _flag(connection: Connection, redemption_id: int, flags: list[str]) -> None:
    connection.execute(update(Redemption).where(Redemption.id == redemption_id)
                       .values(flags=joined(flags), flags_seen_at=None))


def reopen_order(connection: Connection, *, shop: str, order_ref: str) -> None:
    """The shop says that an order it had cancelled stands again: codes may be redeemed for it once more."""
    connection.execute(delete(CancelledOrder).where(
        CancelledOrder.shop == shop, CancelledOrder.order_ref == order_ref))


def follow_returns(
    connection: Connection, *, shop: str, order_ref: str, goods_cents: int, returned_cents: int, now: datetime
) -> int:
    """Take back what no longer stands of each discount after returns; returns how many redemptions changed.

    `returned_cents` of `goods_cents` came back so far, both before coupons; the stored order says which lines. The
    offer decides what stands (see returning.py); a code that is none of ours goes back by its share. More than
    everything is capped and flagged. Repeating changes nothing.
    """
    if returned_cents <= 0:
        return 0
    rows = connection.execute(
        select(Redemption.id, Redemption.public_id, Redemption.discount_cents, Redemption.rolled_back_cents,
               Redemption.flags, Redemption.offer_id)
        .where(Redemption.shop == shop, Redemption.order_ref == order_ref, Redemption.state == "redeemed",
               Redemption.history.is_(False))
        .order_by(Redemption.id)).all()
    before, left = _lines(connection, shop, order_ref, returned_cents) if rows else ([], [])
    left_cents = max(0, goods_cents - returned_cents)
    changed = 0
    for row in rows:
        if returned_cents > goods_cents and "refund_capped" not in row.flags.split():
            _flag(connection, row.id, [*row.flags.split(), "refund_capped"])
        offer = None if row.offer_id is None else connection.execute(
            select(Offer).where(Offer.id == row.offer_id)).one()
        stands = row.discount_cents * left_cents // goods_cents if goods_cents > 0 else 0
        if offer is not None:
            stands = discount_after_return(
                terms_of(offer), given_cents=row.discount_cents, before=before, before_total_cents=goods_cents,
                left=left, left_total_cents=left_cents)
        cents = row.discount_cents - stands - row.rolled_back_cents
        if cents > 0 or stands == 0:
            roll_back(connection, row.public_id, amount_cents=None if stands == 0 else cents,
                      key=f"returned {returned_cents} of {goods_cents}", now=now)
            changed += 1
    return changed


def _lines(connection: Connection, shop: str, order_ref: str, returned_cents: int) -> tuple[list[Line], list[Line]]:
    """The order's lines as they were and as they are left; none where the returns are known in money only."""
    rows = connection.execute(
        select(OrderLine.sku, OrderLine.category, OrderLine.brand, OrderLine.quantity_milli,
               OrderLine.unit_price_cents, OrderLine.total_cents, OrderLine.returned_quantity_milli)
        .join(StoredOrder, StoredOrder.id == OrderLine.order_id)
        .where(StoredOrder.shop == shop, StoredOrder.external_id == order_ref).order_by(OrderLine.id)).all()
    before, left, back = [], [], 0
    for row in rows:
        came_back = min(row.returned_quantity_milli or 0, row.quantity_milli)
        back += row.total_cents * came_back // row.quantity_milli if row.quantity_milli else 0
        line = Line(row.sku or "", row.category or "", row.quantity_milli, row.unit_price_cents, brand=row.brand)
        before.append(line)
        left.append(replace(line, quantity_milli=row.quantity_milli - came_back))
    return (before, left) if abs(back - returned_cents) <= max(len(rows), 2) else ([], [])

"""What does an offer need to know of an order beyond what the shop says?

Owns gathering a `Basket`: which goods may never be discounted or are on sale, whether it is the customer's first order,
and which other codes are used on the order already. Reads only; asks no more than the offer's rules need.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, and_, bindparam, exists, func, or_, select

from core.arrays import in_ids, in_texts, in_texts_named, text_list
from core.hot import Hot, Sent
from coupons.models import Offer, Redemption, Reservation
from coupons.offers.discount import Line
from coupons.offers.eligibility import Basket, Companion
from coupons.till.counting_as import guest_mark, marks_of_people
from coupons.till.requests import RedemptionRequest
from customers.models import Order, Product

_ON_SALE = and_(Product.sale_price_cents.is_not(None),
                or_(Product.price_cents.is_(None), Product.sale_price_cents < Product.price_cents))
_MARKED = select(Product.sku, Product.non_discountable, _ON_SALE.label("on_sale")).where(
    in_texts_named(Product.sku, "skus"), or_(Product.non_discountable, _ON_SALE))
_MARKS = Hot(_MARKED)
_RULES = (Offer.offer_class, Offer.combines, Offer.combines_with)
_COMPANIONS = (
    select(*_RULES, Redemption.discount_cents - Redemption.rolled_back_cents, Offer.kind)
    .join(Redemption, Redemption.offer_id == Offer.id)
    .where(Redemption.shop == bindparam("shop"), Redemption.order_ref == bindparam("order_ref"),
           Redemption.state == "redeemed", Redemption.code_id != bindparam("code"))
)
_RESERVED = (
    select(*_RULES, Reservation.discount_cents, Offer.kind)
    .join(Reservation, Reservation.offer_id == Offer.id)
    .where(Reservation.shop == bindparam("shop"), Reservation.order_ref == bindparam("order_ref"),
           Reservation.state == "held", Reservation.expires_at > bindparam("at"),
           Reservation.code_id != bindparam("code"))
)


def basket_of(connection: Connection, situation: Any, request: RedemptionRequest, *,
              customer_ids: Collection[int], marks: Sent | None = None) -> Basket:
    """The order as the offer looks at it, with what the facts book knows of its goods and its customer.

    `situation` carries the columns of code and offer that `deciding.py` reads; `customer_ids` are the people
    whose order it may be, empty for somebody not known yet.
    """
    order = request.order
    companions: list[Companion] = []
    if situation.has_companions:
        asked = {"shop": request.shop, "order_ref": order.id, "code": situation.code_id}
        companions = [Companion(*row) for row in (
            *connection.execute(_COMPANIONS, asked),
            *connection.execute(_RESERVED, {**asked, "at": situation.at_us}))]
    first_order = None
    if situation.first_order_only and (customer_ids or request.names_customer):
        guests = marks_of_people(connection, customer_ids)
        if (mark := guest_mark(request)) is not None:
            guests.add(mark)
        first_order = not connection.execute(
            select(_ordered_before(customer_ids, guests, request))).scalar_one()
    return Basket(marked_lines(connection, order.lines, marks), order.total_cents, order.currency, order.shipping_cents,
                  first_order, companions)


def all_marks() -> ScalarSelect[Any]:
    """The answer of `send_marks` as one value of another statement, for PostgreSQL."""
    marked = _MARKED.subquery("marked")
    return select(func.json_agg(func.json_build_array(*marked.c))).scalar_subquery()


def send_marks(connection: Connection, lines: Sequence[Line]) -> Sent:
    """Ask what the facts book knows of the goods; see `marked_lines`."""
    return send_marks_of(connection, {line.sku for line in lines})


def send_marks_of(connection: Connection, skus: Collection[str]) -> Sent:
    """Ask what the facts book knows of the goods with these numbers; see `marked_lines`."""
    return _MARKS.send(connection, {"skus": text_list(sorted(skus), connection.dialect.name)})


def marked_lines(connection: Connection, lines: Sequence[Line], sent: Sent | None = None) -> Sequence[Line]:
    """The lines, each knowing whether it may be discounted and is on sale.

    What the facts book forbids stays forbidden whatever the shop says; whether a line is on sale the shop knows best.
    `sent` is the answer of `send_marks` where it was asked before.
    """
    if not lines:
        return lines
    marks = {sku: (bool(never), bool(sale)) for sku, never, sale in (sent or send_marks(connection, lines)).rows()}
    if not marks:
        return lines
    marked = []
    for line in lines:
        never, sale = marks.get(line.sku, (False, False))
        marked.append(replace(line, non_discountable=bool(line.non_discountable or never),
                              sale=sale if line.sale is None else line.sale))
    return marked


def _ordered_before(customer_ids: Collection[int], guests: Collection[str], request: RedemptionRequest
                    ) -> ColumnElement[bool]:
    """Whether one of these customers has an order that counts, or a live redemption, other than the order at hand.

    `guests` are the marks under which they may have redeemed while nobody knew them.
    """
    at_hand = (request.shop, request.order.id)
    return or_(
        exists().where(in_ids(Order.customer_id, customer_ids), Order.cancelled.is_(False),
                       or_(Order.shop != at_hand[0], Order.external_id != at_hand[1])),
        exists().where(or_(_redeemed_by(customer_ids), in_texts(Redemption.guest, guests)),
                       Redemption.state == "redeemed",
                       or_(Redemption.shop != at_hand[0], Redemption.order_ref != at_hand[1])),
    )


def _redeemed_by(customer_ids: Collection[int]) -> ColumnElement[bool]:
    """Redemptions of these people's orders: of whom the shop named, else of the code's holder."""
    by_somebody_else = Redemption.redeemer_id != Redemption.customer_id
    return or_(and_(in_ids(Redemption.customer_id, customer_ids), by_somebody_else.is_not(True)),
               and_(in_ids(Redemption.redeemer_id, customer_ids), by_somebody_else))

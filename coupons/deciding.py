"""May this code be redeemed for this order, as things stand, and what is it worth?

Owns reading the situation (code, offer, holder, order, earlier redemption) in one statement and the checks that need
no counter. The answer is a proposal: redeeming confirms it by conditional UPDATEs. On PostgreSQL the offer's row is
held against a change of its terms and limits until the transaction ends.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, and_, bindparam, exists, select, type_coerce
from sqlalchemy.orm import aliased

from core.codes import LONGEST, canonical
from core.types import from_us
from coupons.baskets import basket_of
from coupons.discount import discount_cents
from coupons.eligibility import Basket, why_not
from coupons.models import CancelledOrder, Code, CustomerUse, Offer, Redemption
from coupons.refusals import Refused
from coupons.requests import RedemptionRequest
from coupons.terms import TERM_FIELDS, terms_of
from customers.identity import email_lookup
from customers.models import Address, Customer

Situation = Row[*tuple[Any, ...]]

_OTHER = aliased(Redemption)


def _on_this_order(statement: Any) -> Any:
    """Limits a question to other codes' live redemptions of the order asked about."""
    return statement.where(_OTHER.shop == bindparam("shop"), _OTHER.order_ref == bindparam("order_ref"),
                           _OTHER.state == "redeemed", _OTHER.code_id != Code.id)


_LOOK = (
    select(
        Code.id.label("code_id"), Code.code, Code.customer_id.label("holder_id"), Code.origin, Code.campaign,
        Code.state, Code.use_limit, Code.used,
        type_coerce(Code.valid_from, BigInteger).label("from_us"),
        type_coerce(Code.valid_until, BigInteger).label("until_us"),
        Offer.id.label("offer_id"), Offer.holder.label("holder_rule"), *(getattr(Offer, name) for name in TERM_FIELDS),
        Offer.limit_per_customer, Offer.limit_total, Offer.used.label("offer_used"), Offer.spent_cents,
        Customer.external_id.label("holder_number"),
        Redemption.id.label("redemption_id"),
        _on_this_order(exists()).label("has_companions"),
        exists()
        .where(CancelledOrder.shop == bindparam("shop"), CancelledOrder.order_ref == bindparam("order_ref"))
        .label("order_is_cancelled"),
    )
    .join(Offer, Offer.id == Code.offer_id)
    .outerjoin(Customer, Customer.id == Code.customer_id)
    .outerjoin(Redemption, and_(Redemption.shop == bindparam("shop"), Redemption.order_ref == bindparam("order_ref"),
                                Redemption.code_id == Code.id))
    .where(Code.code == bindparam("code"))
)
_LOOK_AND_HOLD = _LOOK.with_for_update(of=Offer, read=True, key_share=True)
_BY_NUMBER = select(Customer.id, Customer.external_id).where(Customer.external_id == bindparam("external_id"))
_BY_EMAIL = (
    select(Customer.id, Customer.external_id).join(Address, Address.customer_id == Customer.id)
    .where(Address.channel == "email", Address.lookup == bindparam("lookup")).order_by(Customer.id)
)
_CUSTOMER_USED = select(CustomerUse.used).where(
    CustomerUse.offer_id == bindparam("offer"), CustomerUse.customer_id == bindparam("customer"))

Named = Sequence[tuple[int, str]]
"""Ids and numbers of the customers that the shop's words fit; an e-mail address may belong to several."""


def look(connection: Connection, request: RedemptionRequest, *, hold: bool) -> Situation | None:
    """Everything stored that bears on this request; None: no such code. `hold` keeps the offer's terms as they are."""
    code = canonical(request.code)
    if len(code) > LONGEST:
        code = ""  # nothing is stored under this: the same work, and the same answer, as for any unknown code
    return connection.execute(
        _LOOK_AND_HOLD if hold else _LOOK, {"code": code, "shop": request.shop, "order_ref": request.order.id}
    ).one_or_none()


def named_customers(connection: Connection, request: RedemptionRequest) -> Named:
    """The customers whom the request names; empty when it names nobody we know."""
    if request.customer_external_id is not None:
        rows = connection.execute(_BY_NUMBER, {"external_id": request.customer_external_id})
    elif request.customer_email is not None:
        rows = connection.execute(_BY_EMAIL, {"lookup": email_lookup(request.customer_email)})
    else:
        return []
    return [(row.id, row.external_id) for row in rows]


def redeemer_of(situation: Situation, named: Named) -> tuple[int | None, str | None]:
    """Who redeems: the holder if the shop's words fit them, else the first customer named."""
    for customer_id, external_id in named:
        if customer_id == situation.holder_id:
            return customer_id, external_id
    return named[0] if named else (None, None)


def counted_customer(situation: Situation, named: Named) -> int | None:
    """Whom a use counts for: the holder, else the customer named, else nobody."""
    return situation.holder_id if situation.holder_id is not None else redeemer_of(situation, named)[0]


def basket_for(connection: Connection, situation: Situation, named: Named, request: RedemptionRequest) -> Basket:
    """The order as the offer looks at it; it is the order of whom the shop names, else of the code's holder."""
    people = {customer_id for customer_id, _ in named}
    if not request.names_customer and situation.holder_id is not None:
        people = {situation.holder_id}
    return basket_of(connection, situation, request, customer_ids=people)


def propose(situation: Situation, named: Named, basket: Basket, now_us: int) -> int | Refused:
    """The discount in cents, or the first reason against it; counters of customer, offer and budget are not read."""
    refused = _against_code(situation, named, now_us)
    if refused is not None:
        return Refused(refused)
    terms = terms_of(situation)
    unfit = why_not(terms, basket, from_us(now_us))
    if unfit is not None:
        return Refused(unfit)
    return discount_cents(terms, basket.lines, basket.total_cents, shipping_cents=basket.shipping_cents)


def _against_code(situation: Situation, named: Named, now_us: int) -> str | None:
    if situation.order_is_cancelled:
        return "order_cancelled"
    if situation.state == "revoked":
        return "revoked"
    if situation.used >= situation.use_limit:
        return "already_redeemed" if situation.use_limit == 1 else "limit_reached"
    if now_us < situation.from_us:
        return "not_yet_valid"
    if situation.until_us is not None and now_us >= situation.until_us:
        return "expired"
    enforced = situation.holder_rule == "enforce" and situation.holder_id is not None
    if enforced and all(customer_id != situation.holder_id for customer_id, _ in named):
        return "wrong_customer"
    return None


def against_counters(connection: Connection, situation: Situation, named: Named, discount: int) -> Refused | None:
    """What the counters say against it now, for somebody who only asks; redeeming decides by its UPDATEs."""
    customer = counted_customer(situation, named)
    if situation.limit_per_customer is not None and customer is not None:
        used = connection.execute(
            _CUSTOMER_USED, {"offer": situation.offer_id, "customer": customer}).scalar_one_or_none() or 0
        if used >= situation.limit_per_customer:
            return Refused("limit_reached")
    if situation.limit_total is not None and situation.offer_used >= situation.limit_total:
        return Refused("limit_reached")
    if situation.budget_cents is not None and situation.spent_cents + discount > situation.budget_cents:
        return Refused("budget_exhausted")
    return None

"""Would this basket get the offer, and why not?

Owns trying a basket on an offer, or on one code, at any moment, with the same functions as the till. The promise:
nothing is written, no use is counted or reserved, however often it is tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from core.codes import LONGEST, canonical
from core.errors import NotFound
from coupons.models import Code, Offer, Reservation
from coupons.offers.discount import basis_cents, coverage, discount_cents, split_over_lines
from coupons.offers.eligibility import Basket, Objection, objections
from coupons.offers.limits import limits_of
from coupons.offers.terms import Terms, terms_of
from coupons.till.baskets import basket_of
from coupons.till.counting_as import who_counts
from coupons.till.deciding import beyond, named_customers
from coupons.till.redeeming import validate
from coupons.till.requests import RedemptionRequest
from coupons.till.reserving import HoldsLapsed
from coupons.till.taking import Use


class _Asked(NamedTuple):
    """What `basket_of` looks at, for a basket that no order and no code stand behind."""

    first_order_only: bool
    has_companions: bool = False
    code_id: int = 0
    at_us: int = 0


@dataclass(frozen=True)
class Simulation:
    """The answer and how it came about; amounts in cents, `bases` and `parts` one per line of the basket.

    `against` is empty when the basket gets the offer; a `rule` of "code" or "limits" is no rule of the basket.
    """

    offer: Offer
    code: str | None
    terms: Terms
    basket: Basket
    against: Sequence[Objection]
    covered: Sequence[bool]
    bases: Sequence[int]
    discount_cents: int
    parts: Sequence[int]


def simulate(session: Session, what: str, request: RedemptionRequest, *, now: datetime) -> Simulation:
    """Try `request` at the instant `now` on `what`, the key of an offer or a code. Raises NotFound for neither."""
    offer, code = offer_and_code(session, what)
    if offer.shops and request.shop not in offer.shops:
        request = replace(request, shop=offer.shops[0])  # whoever tries an offer tries it where it is known
    terms = terms_of(offer)
    connection = session.connection()
    people = [customer_id for customer_id, _ in named_customers(connection, request)]
    if code is not None and code.customer_id is not None and not request.names_customer:
        people = [code.customer_id]
    basket = basket_of(connection, _Asked(terms.first_order_only), request, customer_ids=people)
    against = list(objections(terms, basket, now))
    discount = discount_cents(terms, basket.lines, basket.total_cents, shipping_cents=basket.shipping_cents)
    counted_for = code.customer_id if code is not None and code.customer_id is not None else next(iter(people), None)
    beside = _against_code(session, code, request, now) if code is not None else None
    if beside is None:
        beside = _against_limits(connection, offer, request, counted_for, discount, now)
    if beside is not None and beside not in {each.reason for each in against}:
        against.insert(0, Objection(beside, "code" if code is not None else "limits"))
    discount = 0 if against else discount
    return Simulation(
        offer, None if code is None else code.code, terms, basket, against,
        [coverage(terms)(line) for line in basket.lines], basis_cents(terms, basket.lines), discount,
        split_over_lines(discount, terms, basket.lines))


def offer_and_code(session: Session, what: str) -> tuple[Offer, Code | None]:
    """What somebody named: an offer by its key or name, or a code with its offer. Raises NotFound for none of them."""
    offer = session.scalar(select(Offer).where(Offer.key == what.strip()))
    if offer is not None:
        return offer, None
    wanted = canonical(what)
    code = session.scalar(select(Code).where(Code.code == wanted)) if 0 < len(wanted) <= LONGEST else None
    if code is None:
        return _by_name(session, what), None
    return session.get_one(Offer, code.offer_id), code


def _by_name(session: Session, what: str) -> Offer:
    name = " ".join(what.split()).casefold()
    called = [offer for offer in session.scalars(select(Offer).order_by(Offer.key))
              if " ".join(offer.name.split()).casefold() == name]
    if not called:
        raise NotFound("There is no such offer and no such code. Check it for typing mistakes.")
    if len(called) > 1:
        keys = ", ".join(offer.key for offer in called)
        raise NotFound(f"Several offers have this name. Write the key of one: {keys}.")
    return called[0]


def _against_code(session: Session, code: Code, request: RedemptionRequest, now: datetime) -> str | None:
    """What the till would say of the code itself: its state, window, holder and counters."""
    try:
        answer = validate(session.connection(), code.code, replace(request, code=code.code), now=now)
    except HoldsLapsed:  # the till would free them first; nothing is written here
        lapsed = session.scalar(select(func.count()).select_from(Reservation).where(
            Reservation.code_id == code.id, Reservation.state == "held", Reservation.expires_at <= now)) or 0
        return "limit_reached" if code.used + code.reserved - lapsed >= code.use_limit else None
    reason: str | None = answer["reason"]
    return reason


def _against_limits(connection: Connection, offer: Offer, request: RedemptionRequest, customer_id: int | None,
                    discount: int, now: datetime) -> str | None:
    """What the till would say of the limits of the customer, the period, the offer and the budgets."""
    limits = limits_of(offer)

    def of(who: str | None, cents: int, currency: str, at: datetime) -> Use:
        return Use(code_id=0, offer_id=offer.id, who=who, rows=limits.rows(who, at),
                   offer_is_limited=limits.on_offer, cents=cents if currency == limits.currency else 0)

    lapsed = connection.execute(
        select(Reservation.counted_as, Reservation.discount_cents, Reservation.currency, Reservation.reserved_at)
        .where(Reservation.offer_id == offer.id, Reservation.state == "held", Reservation.expires_at <= now))
    use = of(who_counts(connection, customer_id, request, limits.customer_is), discount, request.order.currency, now)
    refused = beyond(connection, limits, use,
                     (offer.used + offer.reserved, offer.spent_cents + offer.reserved_cents),
                     [of(*row) for row in lapsed])
    return None if refused is None else refused.reason

"""Would this basket get the offer, and why not?

Owns trying a basket on an offer, or on one code, at any moment, with the same functions as the till. The promise:
nothing is written, no use is counted or reserved, however often it is tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.codes import LONGEST, canonical
from core.errors import NotFound
from coupons.baskets import basket_of
from coupons.deciding import named_customers
from coupons.discount import basis_cents, coverage, discount_cents, split_over_lines
from coupons.eligibility import Basket, Objection, objections
from coupons.models import Code, Offer
from coupons.redeeming import validate
from coupons.requests import RedemptionRequest
from coupons.reserving import HoldsLapsed
from coupons.terms import Terms, terms_of


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
    terms = terms_of(offer)
    connection = session.connection()
    people = {customer_id for customer_id, _ in named_customers(connection, request)}
    if code is not None and code.customer_id is not None and not request.names_customer:
        people = {code.customer_id}
    basket = basket_of(connection, _Asked(terms.first_order_only), request, customer_ids=people)
    against = list(objections(terms, basket, now))
    beside = _against_code(session, code, request, now) if code is not None else _against_limits(offer)
    if beside is not None and beside not in {each.reason for each in against}:
        against.insert(0, Objection(beside, "code" if code is not None else "limits"))
    discount = 0 if against else discount_cents(
        terms, basket.lines, basket.total_cents, shipping_cents=basket.shipping_cents)
    return Simulation(
        offer, None if code is None else code.code, terms, basket, against,
        [coverage(terms)(line) for line in basket.lines], basis_cents(terms, basket.lines), discount,
        split_over_lines(discount, terms, basket.lines))


def offer_and_code(session: Session, what: str) -> tuple[Offer, Code | None]:
    """What somebody named: an offer by its key, or a code with its offer. Raises NotFound for neither."""
    offer = session.scalar(select(Offer).where(Offer.key == what.strip()))
    if offer is not None:
        return offer, None
    wanted = canonical(what)
    code = session.scalar(select(Code).where(Code.code == wanted)) if 0 < len(wanted) <= LONGEST else None
    if code is None:
        raise NotFound("There is no such offer and no such code. Check it for typing mistakes.")
    return session.get_one(Offer, code.offer_id), code


def _against_code(session: Session, code: Code, request: RedemptionRequest, now: datetime) -> str | None:
    """What the till would say of the code itself: its state, window, holder and counters."""
    try:
        answer = validate(session.connection(), code.code, replace(request, code=code.code), now=now)
    except HoldsLapsed:  # the till would free them first, and then there is room
        return None
    reason: str | None = answer["reason"]
    return reason


def _against_limits(offer: Offer) -> str | None:
    if offer.limit_total is not None and offer.used + offer.reserved >= offer.limit_total:
        return "limit_reached"
    if offer.budget_cents is not None and offer.spent_cents + offer.reserved_cents >= offer.budget_cents:
        return "budget_exhausted"
    return None

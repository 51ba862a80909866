"""May this code be redeemed for this order, as things stand, and what is it worth?

Owns reading the situation (code, offer, holder, order, earlier redemption) in one statement and the checks that need
no counter. The answer is a proposal: redeeming confirms it by conditional UPDATEs. On PostgreSQL the offer's row is
held against a change of its terms and limits until the transaction ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, FromClause, Select, and_, bindparam, exists, or_, select, type_coerce
from sqlalchemy.orm import aliased

from core.arrays import in_texts_named, is_listed, text_list
from core.codes import LONGEST, canonical
from core.hot import Hot, Sent
from core.types import from_us, to_us
from coupons.locking import lock_people
from coupons.models import CancelledOrder, Code, LimitUse, Offer, Redemption, Reservation
from coupons.offers.discount import discount_cents
from coupons.offers.eligibility import Basket, left_for, why_not
from coupons.offers.kept_offers import OfferFacts, offer_facts
from coupons.offers.limits import Limits
from coupons.refusals import Refused
from coupons.till.baskets import all_marks, basket_of, send_marks, send_marks_of
from coupons.till.counting_as import guest_mark, who_counts
from coupons.till.requests import RedemptionRequest
from coupons.till.taking import Hold, Use
from customers.identity import email_lookup
from customers.models import Address, Customer

_OTHER = aliased(Redemption)
_OTHER_HELD = aliased(Reservation)

class Situation(NamedTuple):
    """Everything stored that bears on one request, at `at_us`; instants in microseconds."""

    code_id: int
    code: str
    holder_id: int | None
    origin: str
    campaign: str | None
    state: str
    use_limit: int
    used: int
    reserved: int
    from_us: int
    until_us: int | None
    offer_id: int
    offer_version: int
    offer_used: int
    offer_reserved: int
    spent_cents: int
    reserved_cents: int
    holder_number: str | None
    redemption_id: int | None
    has_companions: bool
    order_is_cancelled: bool
    offer: OfferFacts
    at_us: int

    @property
    def first_order_only(self) -> bool:
        """Whether the offer is for first orders only."""
        return self.offer.terms.first_order_only


def looking(code: Any, shop: Any, order_ref: Any, at: Any, *, of: FromClause | None = None
            ) -> Select[*tuple[Any, ...]]:
    """The statement that reads the first columns of `Situation`, up to `order_is_cancelled`, for these values.

    `of` is the table they are columns of, where many are asked for.
    """
    has_companions = or_(
        exists().where(_OTHER.shop == shop, _OTHER.order_ref == order_ref, _OTHER.state == "redeemed",
                       _OTHER.code_id != Code.id),
        exists().where(_OTHER_HELD.shop == shop, _OTHER_HELD.order_ref == order_ref, _OTHER_HELD.state == "held",
                       _OTHER_HELD.expires_at > at, _OTHER_HELD.code_id != Code.id),
    )
    asked = (
        select(
            Code.id, Code.code, Code.customer_id, Code.origin, Code.campaign, Code.state, Code.use_limit, Code.used,
            Code.reserved, type_coerce(Code.valid_from, BigInteger), type_coerce(Code.valid_until, BigInteger),
            Offer.id.label("of_offer"), type_coerce(Offer.updated_at, BigInteger).label("offer_version"),
            Offer.used.label("offer_used"), Offer.reserved.label("offer_reserved"), Offer.spent_cents,
            Offer.reserved_cents, Customer.external_id, Redemption.id.label("redemption"),
            has_companions.label("has_companions"),
            exists().where(CancelledOrder.shop == shop, CancelledOrder.order_ref == order_ref).label("is_cancelled"),
        )
        # Nobody was given what lies in a pool. A code of another shop's is left out here, as an unknown one is: to
        # find it first and judge it then took longer, and the time told them apart.
        .where(Code.state != "stock", is_listed(Offer.shops, shop))
    )
    asked = asked.where(Code.code == code) if of is None else asked.select_from(of).join(Code, Code.code == code)
    return (
        asked.join(Offer, Offer.id == Code.offer_id)
        .outerjoin(Customer, Customer.id == Code.customer_id)
        .outerjoin(Redemption, and_(Redemption.shop == shop, Redemption.order_ref == order_ref,
                                    Redemption.code_id == Code.id)))


_LOOK = looking(bindparam("code"), bindparam("shop"), bindparam("order_ref"), bindparam("at"))
_LOOK_ONLY = Hot(_LOOK)
_LOOK_AND_HOLD = Hot(_LOOK.with_for_update(of=Offer, read=True, key_share=True))
_LOOK_WITH_MARKS = Hot(_LOOK.add_columns(all_marks()))
_BY_NUMBER = Hot(select(Customer.id, Customer.external_id).where(Customer.external_id == bindparam("external_id")))
_BY_EMAIL = Hot(
    select(Customer.id, Customer.external_id).join(Address, Address.customer_id == Customer.id)
    .where(Address.channel == "email", Address.lookup == bindparam("lookup")).order_by(Customer.id)
)
_OF_NUMBERS = Hot(select(Customer.external_id, Customer.id, Customer.external_id.label("number")).where(
    in_texts_named(Customer.external_id, "numbers")))
_OF_EMAILS = Hot(
    select(Address.lookup, Customer.id, Customer.external_id).join(Customer, Customer.id == Address.customer_id)
    .where(Address.channel == "email", in_texts_named(Address.lookup, "lookups")).order_by(Customer.id))

Named = Sequence[tuple[int, str]]
"""Ids and numbers of the customers that the shop's words fit; an e-mail address may belong to several."""


@dataclass(frozen=True)
class Asked:
    """The first questions of a decision on their way to the database."""

    situation: Sent
    named: Sent | None
    marks: Sent | None


def send_questions(connection: Connection, request: RedemptionRequest, *, now: datetime) -> Asked:
    """Ask for the situation (holding the offer), the customers named and the goods, in one piece if in `together`."""
    return Asked(
        _LOOK_AND_HOLD.send(connection, _look_values(request, now)),
        _send_named(connection, request),
        send_marks(connection, request.order.lines) if request.order.lines else None,
    )


def ask_in_one(connection: Connection, request: RedemptionRequest, *, now: datetime) -> Asked:
    """The same questions, situation and goods in one statement, for PostgreSQL; nothing is held."""
    skus = text_list(sorted({line.sku for line in request.order.lines}), connection.dialect.name)
    row = _LOOK_WITH_MARKS.answer(connection, {**_look_values(request, now), "skus": skus})
    situation = [] if row is None else [row[:-1]]
    marks = [] if row is None else [tuple(mark) for mark in row[-1] or ()]
    return Asked(Sent(None, (situation, len(situation))), _send_named(connection, request),
                 Sent(None, (marks, len(marks))))


def ask_for_all(connection: Connection, requests: Sequence[RedemptionRequest]) -> list[Asked]:
    """The customers named and the goods of many requests, in one statement for each kind; no situation.

    Each statement gives the interpreter away; see `redeeming_together.py`.
    """
    skus = {line.sku for request in requests for line in request.order.lines}
    marks = send_marks_of(connection, skus).rows() if skus else []
    numbers = {request.customer_external_id for request in requests if request.customer_external_id is not None}
    lookups = [None if request.customer_email is None else email_lookup(request.customer_email) for request in requests]
    of_number = _people(_OF_NUMBERS, connection, "numbers", numbers)
    of_email = _people(_OF_EMAILS, connection, "lookups", {lookup for lookup in lookups if lookup is not None})
    nothing = Sent(None, ([], 0))
    found = []
    for request, lookup in zip(requests, lookups, strict=True):
        number = request.customer_external_id
        people = of_number.get(number, []) if number is not None else of_email.get(lookup or "", [])
        found.append(Asked(nothing, Sent(None, (people, len(people))), Sent(None, (marks, len(marks)))))
    return found


def _people(statement: Hot, connection: Connection, name: str, words: set[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Ids and numbers of customers by the word that was asked for."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    if words:
        for word, *person in statement.rows(connection, {name: text_list(sorted(words), connection.dialect.name)}):
            found.setdefault(word, []).append(tuple(person))
    return found


def look(connection: Connection, request: RedemptionRequest, *, now: datetime, hold: bool,
         asked: Asked | None = None) -> Situation | None:
    """Everything stored that bears on this request; None: no such code, or one that is another shop's.

    `hold` keeps the offer's terms as they are.
    """
    if asked is not None:
        row = asked.situation.row()
    else:
        row = (_LOOK_AND_HOLD if hold else _LOOK_ONLY).row(connection, _look_values(request, now))
    return None if row is None else situation_of(connection, row, now=now)


def situation_of(connection: Connection, row: Sequence[Any], *, now: datetime) -> Situation:
    """The situation by what `looking` found."""
    return Situation._make((*row, offer_facts(connection, row[11], row[12]), to_us(now)))


def _look_values(request: RedemptionRequest, now: datetime) -> dict[str, Any]:
    return {"code": code_asked(request), "shop": request.shop, "order_ref": request.order.id, "at": to_us(now)}


def code_asked(request: RedemptionRequest) -> str:
    """The code as it is stored; empty when it is longer than any: the same work and answer as for an unknown one."""
    code = canonical(request.code)
    return code if len(code) <= LONGEST else ""


def named_customers(connection: Connection, request: RedemptionRequest, asked: Asked | None = None) -> Named:
    """The customers whom the request names; empty when it names nobody we know."""
    sent = _send_named(connection, request) if asked is None else asked.named
    return [] if sent is None else [(row[0], row[1]) for row in sent.rows()]


def _send_named(connection: Connection, request: RedemptionRequest) -> Sent | None:
    if request.customer_external_id is not None:
        return _BY_NUMBER.send(connection, {"external_id": request.customer_external_id})
    if request.customer_email is not None:
        return _BY_EMAIL.send(connection, {"lookup": email_lookup(request.customer_email)})
    return None


def is_ordinary(situation: Situation) -> bool:
    """Whether nothing stands in the way that only redeeming step by step looks at."""
    return (situation.redemption_id is None and situation.reserved == 0 and not situation.has_companions
            and not situation.first_order_only)


def redeemer_of(situation: Situation, named: Named) -> tuple[int | None, str | None]:
    """Who redeems: the holder if the shop's words fit them, else the first customer named."""
    for customer_id, external_id in named:
        if customer_id == situation.holder_id:
            return customer_id, external_id
    return named[0] if named else (None, None)


def counted_customer(situation: Situation, named: Named) -> int | None:
    """Whom a use counts for: the holder, else the customer named, else nobody."""
    return situation.holder_id if situation.holder_id is not None else redeemer_of(situation, named)[0]


def basket_for(connection: Connection, situation: Situation, named: Named, request: RedemptionRequest,
               asked: Asked | None = None, hold: bool = False) -> Basket:
    """The order as the offer looks at it; it is the order of whom the shop names, else of the code's holder.

    `hold`: where first orders matter, nobody else decides for these people until the transaction ends.
    """
    people = {customer_id for customer_id, _ in named}
    if not request.names_customer and situation.holder_id is not None:
        people = {situation.holder_id}
    if hold and situation.first_order_only:
        lock_people(connection, people, guest_mark(request))
    return basket_of(connection, situation, request, customer_ids=people, marks=None if asked is None else asked.marks)


def propose(situation: Situation, named: Named, basket: Basket, at_us: int, *, held: bool = False) -> int | Refused:
    """The discount in cents, or the first reason against it; counters of customer, offer and budget are not read.

    `at_us` is now, or when the use was reserved; `held`: this order holds one of the uses that are reserved.
    """
    refused = _against_code(situation, named, at_us, held=held)
    if refused is not None:
        return Refused(refused)
    terms = situation.offer.terms
    unfit = why_not(terms, basket, from_us(at_us))
    if unfit is not None:
        return Refused(unfit)
    discount = discount_cents(terms, basket.lines, basket.total_cents, shipping_cents=basket.shipping_cents)
    if not basket.companions:
        return discount
    # All codes of an order together never take off more than the goods, or sending them, are worth.
    left = left_for(terms, basket)
    if left is None:
        return discount
    return min(discount, left) if left > 0 else Refused("not_applicable")


def use_of(connection: Connection, situation: Situation, named: Named, request: RedemptionRequest, cents: int, *,
           now: datetime) -> Use:
    """What a use of this code for this order counts on; `cents` is the discount."""
    limits = situation.offer.limits
    who = who_counts(connection, counted_customer(situation, named), request, limits.customer_is)
    return Use(
        code_id=situation.code_id, offer_id=situation.offer_id, who=who, rows=limits.rows(who, now),
        offer_is_limited=limits.on_offer, cents=cents if request.order.currency == limits.currency else 0,
    )


def _against_code(situation: Situation, named: Named, now_us: int, *, held: bool) -> str | None:
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
    enforced = situation.offer.holder_rule == "enforce" and situation.holder_id is not None
    if enforced and all(customer_id != situation.holder_id for customer_id, _ in named):
        return "wrong_customer"
    if not held and situation.used + situation.reserved >= situation.use_limit:
        return "limit_reached"
    return None


_ROWS_NOW = select(
    LimitUse.who, LimitUse.period, LimitUse.used + LimitUse.reserved, LimitUse.spent_cents + LimitUse.reserved_cents,
).where(LimitUse.offer_id == bindparam("offer"), LimitUse.who.in_(bindparam("whos", expanding=True)))


def against_counters(connection: Connection, situation: Situation, use: Use, *, hold: Hold | None = None
                     ) -> Refused | None:
    """What the counters say against it now, for somebody who only asks; redeeming decides by its UPDATEs."""
    counted = (situation.offer_used + situation.offer_reserved, situation.spent_cents + situation.reserved_cents)
    return beyond(connection, situation.offer.limits, use, counted, () if hold is None else (hold.use,))


def beyond(connection: Connection, limits: Limits, use: Use, counted: tuple[int, int], apart: Sequence[Use]
           ) -> Refused | None:
    """Which limit of the offer one more use would pass; `counted` are uses and cents of the offer's own row.

    Held uses that are `apart` are counted there but do not matter: the order's own, or those whose time is over.
    """
    if use.rows:
        found = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(
            _ROWS_NOW, {"offer": use.offer_id, "whos": sorted({row.who for row in use.rows})})}
        for row in use.rows:
            uses, cents = found.get((row.who, row.period), (0, 0))
            mine = [held.cents for held in apart if row.place in {other.place for other in held.rows}]
            if row.uses is not None and uses - len(mine) >= row.uses:
                return Refused("limit_reached")
            if row.cents is not None and cents - sum(mine) + use.cents > row.cents:
                return Refused("budget_exhausted")
    if limits.total is not None and counted[0] - len(apart) >= limits.total:
        return Refused("limit_reached")
    spent = counted[1] - sum(held.cents for held in apart)
    if limits.budget_cents is not None and spent + use.cents > limits.budget_cents:
        return Refused("budget_exhausted")
    return None

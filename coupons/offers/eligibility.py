"""Does this basket fit the offer, and what speaks against it?

Owns the rules that need no counter: time of day, currency, first order, combination with other codes, minimum and
goods. Pure: terms, basket and moment in, objections out, so that the till, a preview and the simulator cannot differ.
Each objection carries the reason from the closed list and the name of the rule, for people who want to mend it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from coupons.offers.discount import Line, counted_milli, coverage, discount_cents, free_milli
from coupons.offers.terms import Terms


class Companion(NamedTuple):
    """What an offer says about others in one order; see the columns of the same names. `cents` it took off already."""

    offer_class: str
    combines: str
    combines_with: Sequence[str]
    cents: int = 0
    kind: str = ""


@dataclass(frozen=True)
class Basket:
    """An order as offers look at it. `first_order` is None where nobody can say; `companions` are used on it already.

    `total_cents` is goods before this discount, VAT in, shipping out; `shipping_cents` None: the shop does not say.
    """

    lines: Sequence[Line]
    total_cents: int
    currency: str
    shipping_cents: int | None = None
    first_order: bool | None = None
    companions: Sequence[Companion] = ()


class Objection(NamedTuple):
    """One thing against it: `reason` of the closed list, `rule` the column that says so."""

    reason: str
    rule: str


def why_not(terms: Terms, basket: Basket, moment: datetime) -> str | None:
    """The first reason against it, from the closed list; None: the basket fits. `moment` is an aware instant."""
    first = next(objections(terms, basket, moment), None)
    return None if first is None else first.reason


def objections(terms: Terms, basket: Basket, moment: datetime) -> Iterator[Objection]:
    """Everything against it, in the order in which the till would say so."""
    yield from _against_moment(terms, moment)
    if terms.money_matters and basket.currency != terms.currency:
        yield Objection("not_applicable", "currency")
    if terms.first_order_only and basket.first_order is not True:
        yield Objection("not_applicable", "first_order_only")
    if not all(goes_with(terms, companion) for companion in basket.companions):
        yield Objection("not_applicable", "combines")
    if terms.minimum_cents is not None and basket.total_cents < terms.minimum_cents:
        yield Objection("minimum_not_met", "minimum_cents")
    yield from _against_goods(terms, basket)


def left_for(terms: Terms, basket: Basket) -> int | None:
    """What the other codes of the order left in cents, of the goods or, for free shipping, of what sending costs.

    None: nobody can say, for nothing was taken off sending so far and the shop does not say what it costs.
    """
    on_shipping = terms.kind == "free_shipping"
    taken = [each.cents for each in basket.companions if (each.kind == "free_shipping") is on_shipping]
    if on_shipping and basket.shipping_cents is None:
        return 0 if taken else None
    return max(0, (basket.shipping_cents or 0 if on_shipping else basket.total_cents) - sum(taken))


def goes_with(one: Terms | Companion, other: Terms | Companion) -> bool:
    """Whether two offers may be used in one order: each must admit the other."""
    return _admits(one, other) and _admits(other, one)


def _admits(one: Terms | Companion, other: Terms | Companion) -> bool:
    if one.combines == "classes":
        return other.offer_class in one.combines_with
    return one.combines == "any"


def _against_moment(terms: Terms, moment: datetime) -> Iterator[Objection]:
    if not terms.weekdays and terms.from_minute is None:
        return
    local = moment.astimezone(ZoneInfo(terms.zone))
    minute, weekday = local.hour * 60 + local.minute, local.isoweekday()
    if terms.from_minute is not None and terms.until_minute is not None:
        overnight = terms.until_minute <= terms.from_minute
        after_midnight = overnight and minute < terms.until_minute
        if after_midnight:
            weekday = (weekday - 2) % 7 + 1  # the night belongs to the day it began on
        inside = after_midnight or (minute >= terms.from_minute and (overnight or minute < terms.until_minute))
        if not inside:
            yield Objection("not_yet_valid", "from_minute")
    if terms.weekdays and weekday not in terms.weekdays:
        yield Objection("not_yet_valid", "weekdays")


def _against_goods(terms: Terms, basket: Basket) -> Iterator[Objection]:
    lines = basket.lines
    covers = coverage(terms)
    covered = any(covers(line) and line.quantity_milli > 0 for line in lines) if lines else not terms.chooses_goods
    if not covered:
        yield Objection("not_applicable", "goods")
    wanted = terms.minimum_items or 0
    if terms.kind == "free_item":
        if not any(free_milli(terms, lines)):
            yield Objection("not_applicable", "free_skus")
        if not wanted and terms.chooses_goods:
            wanted = 1  # "free with any furniture": furniture must be bought beside what is free
    if wanted and counted_milli(terms, lines) < wanted * 1000:
        yield Objection("minimum_not_met", "minimum_items")
    worth = discount_cents(terms, lines, basket.total_cents, shipping_cents=basket.shipping_cents)
    # A discount of nothing would use the code up for nothing; what free shipping is worth the shop need not say.
    if worth == 0 and covered and (terms.kind != "free_shipping" or basket.shipping_cents is not None):
        yield Objection("not_applicable", "worth")

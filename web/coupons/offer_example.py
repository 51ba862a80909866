"""What would a basket pay with these terms?

Owns the worked examples beside the offer form: baskets of goods that the offer covers, reckoned by the same arithmetic
as at the till, in a sentence and line by line.
"""

from dataclasses import dataclass, replace

from coupons.models import Offer
from coupons.offers.discount import Line, discount_cents, split_over_lines
from coupons.offers.terms import Terms, terms_of
from web.wording import formatting

TYPICAL_CENTS = 12_990
SHIPPING_CENTS = 490
_GIFT_CENTS = 2_000


@dataclass(frozen=True)
class ExampleLine:
    """One line of an example: what it is, its price, its part of the discount and what is paid, in cents."""

    words: str
    amount_cents: int
    discount_cents: int

    @property
    def paid_cents(self) -> int:
        """What is left to pay for it."""
        return self.amount_cents - self.discount_cents


@dataclass(frozen=True)
class Example:
    """The sentences of all example baskets, and the lines of the one that gets the offer."""

    sentences: list[str]
    lines: list[ExampleLine]
    currency: str


def example_of(offer: Offer) -> Example:
    """Baskets of goods that count: a usual one, one at the minimum, one where the cap takes hold."""
    terms = terms_of(offer)
    sentences, shown = [], None
    for cents in _baskets(terms):
        lines = _lines(terms, cents)
        total = sum(line.amount_cents for line in lines)
        short = terms.minimum_cents is not None and total < terms.minimum_cents
        discount = 0 if short else discount_cents(terms, lines, total, shipping_cents=SHIPPING_CENTS)
        sentences.append(_sentence(terms, total, discount, short=short))
        if discount and (shown is None or total == TYPICAL_CENTS):
            shown = (lines, discount)
    return Example(sentences, _shown_lines(terms, *shown) if shown else [], terms.currency)


def _baskets(terms: Terms) -> list[int]:
    baskets = {TYPICAL_CENTS}
    if terms.minimum_cents:
        baskets.add(terms.minimum_cents)
    if terms.cap_cents and terms.percent_bp:
        baskets.add(terms.cap_cents * 10_000 // terms.percent_bp * 2)
    if (terms.amount_cents or 0) > TYPICAL_CENTS:
        baskets.add((terms.amount_cents or 0) * 4)
    if (terms.price_cents or 0) >= TYPICAL_CENTS:
        baskets.add((terms.price_cents or 0) * 2)
    return sorted(baskets)


def _lines(terms: Terms, cents: int) -> list[Line]:
    """One dear article and several cheap ones that the offer covers, together `cents`; and what would be free."""
    pieces = max(2, (terms.minimum_items or 0) - 1)
    cheap = cents * 4 // 13 // pieces
    covered = Line(next(iter(terms.skus), "example"), next(iter(terms.categories), ""), 1000, cents - cheap * pieces,
                   next(iter(terms.brands), None), sale=False, non_discountable=False)
    lines = [covered, replace(covered, quantity_milli=1000 * pieces, unit_price_cents=cheap)]
    if terms.kind == "free_item":
        gift = next(iter(terms.free_skus), "gift")
        lines.append(replace(covered, sku=gift, quantity_milli=1000 * (terms.free_items or 1),
                             unit_price_cents=_GIFT_CENTS))
    return lines


def _sentence(terms: Terms, total: int, discount: int, *, short: bool) -> str:
    basket, paid, less = (formatting.money(cents, currency=terms.currency, exact=True)
                          for cents in (total, total - discount, discount))
    if short:
        return f"A {basket} basket pays {basket}, below the minimum."
    if terms.kind == "free_shipping":
        return f"A {basket} basket pays {basket} and {less} less for shipping."
    return f"A {basket} basket pays {paid}."


def _shown_lines(terms: Terms, lines: list[Line], discount: int) -> list[ExampleLine]:
    if terms.kind == "free_shipping":
        return [*(ExampleLine(_words(line), line.amount_cents, 0) for line in lines),
                ExampleLine("Shipping", SHIPPING_CENTS, discount)]
    return [ExampleLine(_words(line), line.amount_cents, part)
            for line, part in zip(lines, split_over_lines(discount, terms, lines), strict=True)]


def _words(line: Line) -> str:
    name = line.category or line.brand or (line.sku if line.sku != "example" else "goods it covers")
    return f"{line.quantity_milli // 1000} × {name}"

"""How many cents does a code take off an order?

Owns the arithmetic of discounts: integer cents throughout, half a cent rounded up once on the sum, never above the
goods it is reckoned on or the order's total, and split over the lines so that the parts add up exactly. A free item is
the cheapest of those that may be free; free shipping takes off what shipping costs. Pure: an offer's terms and an
order in, cents out. Whether the order fits at all is decided in `eligibility.py`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from coupons.offers.terms import Terms

MAX_CENTS = 10**15
"""Largest amount taken from outside: ten trillion in major units, far inside BIGINT however often it is summed."""


@dataclass(frozen=True)
class Line:
    """One line of an order: goods of one kind. Quantity in thousandths, so that metres and kilos have fractions.

    `sale` and `non_discountable` are None where the shop does not say; the facts book then answers.
    """

    sku: str
    category: str
    quantity_milli: int
    unit_price_cents: int
    brand: str | None = None
    sale: bool | None = None
    non_discountable: bool | None = None

    @property
    def amount_cents(self) -> int:
        """Quantity times price, half a cent rounded up."""
        return cents_of(self.quantity_milli, self.unit_price_cents)


def cents_of(quantity_milli: int, unit_price_cents: int) -> int:
    """What a quantity in thousandths costs, half a cent rounded up."""
    return (quantity_milli * unit_price_cents + 500) // 1000


def coverage(terms: Terms) -> Callable[[Line], bool]:
    """Asks of a line whether the offer covers it: named where the offer names goods, and nowhere excluded.

    Goods that may never be discounted are never covered. Capitals make no difference.
    """
    wanted = [(_folded(names), field) for names, field in (
        (terms.categories, "category"), (terms.skus, "sku"), (terms.brands, "brand")) if names]
    unwanted = [(_folded(names), field) for names, field in (
        (terms.excluded_categories, "category"), (terms.excluded_skus, "sku"), (terms.excluded_brands, "brand"))
        if names]

    def covers(line: Line) -> bool:
        if line.non_discountable or (terms.excludes_sale and line.sale):
            return False
        return (all((getattr(line, field) or "").casefold() in names for names, field in wanted)
                and all((getattr(line, field) or "").casefold() not in names for names, field in unwanted))

    return covers


def _folded(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def is_eligible(terms: Terms, line: Line) -> bool:
    """Whether the offer covers this line; see `coverage`."""
    return coverage(terms)(line)


def free_milli(terms: Terms, lines: Sequence[Line]) -> list[int]:
    """How much of each line a free-item offer gives, in thousandths: the cheapest pieces first, then the earlier line.

    Lines that cost nothing anyway are passed over, and so are goods on sale where the offer excludes them.
    """
    given = [0] * len(lines)
    if terms.kind != "free_item":
        return given
    names, left = _folded(terms.free_skus), (terms.free_items or 0) * 1000
    may_be_free = [place for place, line in enumerate(lines)
                   if line.sku.casefold() in names and line.amount_cents > 0 and not line.non_discountable
                   and not (terms.excludes_sale and line.sale)]
    for place in sorted(may_be_free, key=lambda place: (lines[place].unit_price_cents, place)):
        given[place] = min(lines[place].quantity_milli, left)
        left -= given[place]
    return given


def counted_milli(terms: Terms, lines: Sequence[Line]) -> int:
    """The covered pieces that count towards a minimum, in thousandths; what is given free does not count."""
    covers, free = coverage(terms), free_milli(terms, lines)
    return sum(line.quantity_milli - given for line, given in zip(lines, free, strict=True) if covers(line))


def basis_cents(terms: Terms, lines: Sequence[Line]) -> list[int]:
    """Of each line the cents that a discount is reckoned on and may come off: covered lines, or what is free."""
    if terms.kind == "free_shipping":
        return [0] * len(lines)
    if terms.kind == "free_item":
        return [cents_of(given, line.unit_price_cents)
                for line, given in zip(lines, free_milli(terms, lines), strict=True)]
    covers = coverage(terms)
    return [line.amount_cents if covers(line) else 0 for line in lines]


def eligible_cents(terms: Terms, lines: Sequence[Line], total_cents: int) -> int:
    """The amount the offer is reckoned on, at most the order's total.

    An order without lines counts whole, unless the offer is for some goods only: then nothing is known to fit.
    """
    if not lines:
        return 0 if terms.chooses_goods or terms.kind in ("free_item", "free_shipping") else total_cents
    return min(sum(basis_cents(terms, lines)), total_cents)


def discount_cents(terms: Terms, lines: Sequence[Line], total_cents: int, *, shipping_cents: int | None = None) -> int:
    """The discount in cents; 0 when nothing in the order is eligible.

    `shipping_cents` is what sending the order costs, where the shop says so: that is what free shipping takes off.
    """
    eligible = eligible_cents(terms, lines, total_cents)
    if terms.kind == "free_shipping":
        eligible = discount = shipping_cents or 0
    elif terms.kind == "percent":
        discount = (eligible * (terms.percent_bp or 0) + 5_000) // 10_000
    elif terms.kind == "fixed_price":
        discount = eligible - (terms.price_cents or 0)
    elif terms.kind == "free_item":
        discount = eligible
    else:
        discount = terms.amount_cents or 0
    if terms.cap_cents is not None:
        discount = min(discount, terms.cap_cents)
    return max(0, min(discount, eligible))


def split_over_lines(discount: int, terms: Terms, lines: Sequence[Line]) -> list[int]:
    """Each line's part of a discount on goods, in proportion to its basis: the parts add up, none exceeds its line.

    Largest remainders get the odd cents; of equal ones the earlier line. Lines that are not covered get 0; free
    shipping comes off no line.
    """
    amounts = basis_cents(terms, lines)
    whole = sum(amounts)
    if whole == 0 or discount <= 0:
        return [0] * len(lines)
    if discount > whole:
        raise ValueError("a discount above the eligible amount cannot be split")
    parts = [discount * amount // whole for amount in amounts]
    order = sorted(range(len(amounts)), key=lambda place: (-(discount * amounts[place] % whole), place))
    for place in order[: discount - sum(parts)]:
        parts[place] += 1
    return parts

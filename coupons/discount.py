"""How many cents does a code take off an order?

Owns the arithmetic of discounts: integer cents throughout, half a cent rounded up, never above the eligible lines or
the order's total, and split over the lines so that the parts add up exactly. Pure: an offer's terms and an order in,
cents out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

MAX_CENTS = 10**15
"""Largest amount taken from outside: ten trillion in major units, far inside BIGINT however often it is summed."""


@dataclass(frozen=True)
class Line:
    """One line of an order: goods of one kind. Quantity in thousandths, so that metres and kilos have fractions."""

    sku: str
    category: str
    quantity_milli: int
    unit_price_cents: int
    brand: str | None = None

    @property
    def amount_cents(self) -> int:
        """Quantity times price, half a cent rounded up."""
        return (self.quantity_milli * self.unit_price_cents + 500) // 1000


@dataclass(frozen=True)
class Terms:
    """What an offer takes off: `percent_bp` hundredths of a percent or `amount_cents`, at most `cap_cents`."""

    percent_bp: int | None
    amount_cents: int | None
    cap_cents: int | None = None
    categories: Collection[str] = ()
    excluded_categories: Collection[str] = ()


def is_eligible(terms: Terms, line: Line) -> bool:
    """Whether the offer covers this line: in its categories (none named: all) and not in the excluded ones."""
    category = line.category.casefold()
    if terms.categories and category not in {name.casefold() for name in terms.categories}:
        return False
    return category not in {name.casefold() for name in terms.excluded_categories}


def eligible_cents(terms: Terms, lines: Sequence[Line], total_cents: int) -> int:
    """The amount the offer is reckoned on, at most the order's total.

    An order without lines counts whole, unless the offer is for some categories only: then nothing is known to fit.
    """
    if not lines:
        return 0 if terms.categories or terms.excluded_categories else total_cents
    return min(sum(line.amount_cents for line in lines if is_eligible(terms, line)), total_cents)


def discount_cents(terms: Terms, lines: Sequence[Line], total_cents: int) -> int:
    """The discount in cents; 0 when nothing in the order is eligible."""
    eligible = eligible_cents(terms, lines, total_cents)
    if terms.percent_bp is not None:
        discount = (eligible * terms.percent_bp + 5_000) // 10_000
    else:
        discount = terms.amount_cents or 0
    if terms.cap_cents is not None:
        discount = min(discount, terms.cap_cents)
    return max(0, min(discount, eligible))


def split_over_lines(discount: int, terms: Terms, lines: Sequence[Line]) -> list[int]:
    """Each line's part of a discount, in proportion to its amount: the parts add up, none exceeds its line.

    Largest remainders get the odd cents; of equal ones the earlier line. Lines that are not eligible get 0.
    """
    amounts = [line.amount_cents if is_eligible(terms, line) else 0 for line in lines]
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

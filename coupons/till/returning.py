"""What stands of a discount when goods come back?

Owns `discount_after_return`, pure cents. While what is left still reaches the offer's minimum, its rules go on applying
to it. Below the minimum the offer's own `return_rule` decides: they go on applying all the same (keep), the discount
shrinks with the goods (recalculate), or nothing stands (reverse). What stands never exceeds what was given.
"""

from collections.abc import Sequence

from coupons.offers.discount import Line, counted_milli, discount_cents, eligible_cents
from coupons.offers.terms import Terms


def discount_after_return(
    terms: Terms,
    *,
    given_cents: int,
    before: Sequence[Line],
    before_total_cents: int,
    left: Sequence[Line],
    left_total_cents: int,
) -> int:
    """The discount in cents that stands of `given_cents`, from 0 to that; totals are goods before the discount.

    Without lines (`before` empty) the totals alone are reckoned with. Free shipping was spent when the parcel left, so
    it stands unless it is reversed.
    """
    if left_total_cents <= 0 and terms.kind != "free_shipping":
        return 0
    rule = terms.return_rule if _falls_short(terms, before, left, left_total_cents) else "keep"
    if rule == "reverse":
        return 0
    if terms.kind == "free_shipping":
        return given_cents
    was, stays = eligible_cents(terms, before, before_total_cents), eligible_cents(terms, left, left_total_cents)
    lines_say = was > 0
    if not lines_say:  # nothing is known of the lines: the totals stand for them
        was, stays = before_total_cents, left_total_cents
    if rule == "recalculate" or not lines_say:
        return _half_up(given_cents * min(stays, was), was)
    return min(given_cents, discount_cents(terms, left, left_total_cents))


def _falls_short(terms: Terms, before: Sequence[Line], left: Sequence[Line], left_total_cents: int) -> bool:
    if terms.minimum_cents is not None and left_total_cents < terms.minimum_cents:
        return True
    return bool(terms.minimum_items and before) and counted_milli(terms, left) < (terms.minimum_items or 0) * 1000


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator) if denominator else 0

"""What was a line of an order worth in the end, after discount, returns, VAT and cost?

Owns the SQL of these amounts for one line, in whole cents. A line's total stands before its discount; what came back
takes its part of the quantity with it, and a return later than `as_of` has not happened yet. Discounts and returns that
nobody reported are none; a cost or a VAT rate that nobody reported is unknown, and so is the margin. Divisions are done
in floating point and rounded at once, half a cent up, which every engine does alike.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, and_, case, cast, func, literal, or_

from segments.compiling.sources import LINES
from segments.dialects.instants import Cuts, instant

_QUANTITY, _RETURNED = LINES.c.quantity_milli, LINES.c.returned_quantity_milli


def real(number: Any) -> ColumnElement[float]:
    """A number in double precision, so that the products and quotients of all engines are the same."""
    return cast(number, Double())


def bought_milli() -> ColumnElement[int]:
    """The quantity bought, in thousandths; a credit line is none."""
    return case((_QUANTITY > 0, _QUANTITY), else_=0)


def returned_milli(cuts: Cuts) -> ColumnElement[int]:
    """The part of the quantity that had come back by then, never more than was bought."""
    later = LINES.c.returned_at >= instant(cuts, lambda as_of: as_of)
    return case((or_(_QUANTITY <= 0, later), 0), (_RETURNED > _QUANTITY, _QUANTITY), (_RETURNED > 0, _RETURNED),
                else_=0)


def discount_cents() -> ColumnElement[int]:
    """What the shop took off the line."""
    return func.coalesce(LINES.c.discount_cents, 0)


def net_cents(cuts: Cuts) -> ColumnElement[int]:
    """VAT in, after the discount and without what came back."""
    paid, returned = LINES.c.total_cents - discount_cents(), returned_milli(cuts)
    kept = real(paid) * real(_QUANTITY - returned) / real(_QUANTITY)
    return case((returned > 0, _whole(kept)), else_=paid)


def margin_cents(cuts: Cuts) -> ColumnElement[int]:
    """The net amount without VAT, less what the kept quantity cost; meaningless where `margin_unknown`."""
    untaxed = real(net_cents(cuts)) / (literal(1.0, Double()) + func.coalesce(LINES.c.tax_rate, 0.0))
    cost = real(func.coalesce(LINES.c.unit_cost_cents, 0)) * real(_QUANTITY - returned_milli(cuts))
    return _whole(untaxed) - _whole(cost / literal(1000.0, Double()))


def margin_unknown(cuts: Cuts) -> ColumnElement[bool]:
    """Whether a VAT rate or a cost is needed that nobody reported."""
    return or_(and_(LINES.c.tax_rate.is_(None), net_cents(cuts) != 0),
               and_(LINES.c.unit_cost_cents.is_(None), returned_milli(cuts) != _QUANTITY))


def _whole(number: ColumnElement[float]) -> ColumnElement[int]:
    return cast(func.floor(number + literal(0.5, Double())), BigInteger())

"""How long ago, how often and how regularly did somebody order?

Owns the verdicts of tests on days since the first or last order or the last delivery, on the days between orders, on
being overdue and on orders per year. Elapsed days are whole, so they are compared by moving the cut-off; ratios are
compared by multiplying out in double precision, which is the same on every engine. Nothing here divides.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, and_, case, func, literal, type_coerce

from core.types import to_us
from segments.compiling.amounts import real
from segments.compiling.sources import LINES, Rows
from segments.compiling.verdicts import Verdict, exact, passes_zero, whole_interval
from segments.dialects.instants import Cuts, instant
from segments.language.conditions import Test
from segments.language.operators import compare

DAY_US = 86_400 * 10**6
YEAR_US = 31_557_600 * 10**6
"""365.25 days."""
_FOREVER_DAYS = 4_000_000


def days_since(measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    """Whole days from the first or last order to `as_of`; missing without orders."""
    bounds = _days_ago(rows.first_us if measure == "days_since_first" else rows.last_us, test, cuts)
    return Verdict(and_(*bounds) if bounds else True, False)


def days_since_delivery(test: Test, cuts: Cuts) -> Verdict:
    """Whole days from the newest delivery to `as_of`; missing while nothing was delivered by then."""
    return Verdict(and_(delivered(cuts).is_not(None), *_days_ago(delivered(cuts), test, cuts)), False)


def delivered(cuts: Cuts) -> ColumnElement[int]:
    """When the newest delivery came, of those that had come by `as_of`."""
    then = type_coerce(LINES.c.delivered_at, BigInteger())
    return func.max(case((LINES.c.delivered_at < instant(cuts, lambda as_of: as_of), then)))


def _days_ago(edge: ColumnElement[int], test: Test, cuts: Cuts) -> list[ColumnElement[bool]]:
    low, high = (None if end is None else max(-1, min(end, _FOREVER_DAYS)) for end in whole_interval(test, 1))
    bounds = []
    if low is not None and low > 0:
        bounds.append(edge <= _days_before(cuts, low))
    if high is not None:
        bounds.append(edge > _days_before(cuts, high + 1))
    return bounds


def days_between(test: Test, rows: Rows, orders: ColumnElement[int]) -> Verdict:
    """Days from the first to the last order over the number of gaps; missing with fewer than two orders."""
    gaps = real(orders - 1)
    return Verdict(and_(orders >= 2, compare(test, _span(rows), _scaled(test, gaps, DAY_US))), False)


def overdue(test: Test, rows: Rows, orders: ColumnElement[int], cuts: Cuts) -> Verdict:
    """Time since the last order over the usual time between orders.

    Missing with fewer than two orders, and when all were placed at one instant.
    """
    waited = real(instant(cuts, lambda as_of: as_of) - rows.last_us) * real(orders - 1)
    return Verdict(and_(rows.last_us > rows.first_us, compare(test, waited, _scaled(test, _span(rows), 1))), False)


def per_year(test: Test, rows: Rows, orders: ColumnElement[int], cuts: Cuts) -> Verdict:
    """Orders over the years of 365.25 days from the first one to `as_of`; 0 without orders."""
    years = real(instant(cuts, lambda as_of: as_of) - rows.first_us)
    ordered = real(orders) * literal(float(YEAR_US), Double())
    return Verdict(compare(test, ordered, _scaled(test, years, 1)), passes_zero(test))


def _scaled(test: Test, number: ColumnElement[float], unit: int) -> Any:
    """The test's value in `unit`s, times a number."""
    times: Callable[[Any], Any] = lambda value: number * literal(float(exact(value) * unit), Double())
    return tuple(map(times, test.value)) if isinstance(test.value, tuple) else times(test.value)


def _days_before(cuts: Cuts, days: int) -> Any:
    return cuts(lambda as_of: to_us(as_of) - days * DAY_US, BigInteger())


def _span(rows: Rows) -> ColumnElement[float]:
    return real(rows.last_us - rows.first_us)

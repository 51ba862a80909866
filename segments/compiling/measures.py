"""When does a person's pile of rows pass a test on its count, sum, average, share or dates?

Owns the verdict of one test on one measure: the HAVING for people who have such rows, and the answer for people who
have none (numbers are 0 then, dates are missing). Averages and shares are compared by multiplying out, so no engine's
division matters; every other number is whole.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal, or_

from core.types import to_us
from segments.compiling.amounts import (
    bought_milli,
    discount_cents,
    margin_cents,
    margin_unknown,
    net_cents,
    returned_milli,
)
from segments.compiling.rhythm import days_between, days_since, days_since_delivery, delivered, overdue, per_year
from segments.compiling.sources import LINES, ORDERS, Rows
from segments.compiling.summed import SUMS
from segments.compiling.verdicts import Verdict, exact, passes_zero, whole_interval
from segments.dialects.instants import Cuts, instant, last_days_us
from segments.language.conditions import Test
from segments.language.fields import MEASURES
from segments.language.operators import compare

MILLIONTHS = 10**6


def verdict(source: str, measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    """The verdict of one straight test on one measure over `rows`."""
    described = MEASURES[source][measure]
    if test.operator == "is_set":
        return _known(measure, rows, cuts) if described.missing else Verdict(True, True)
    if described.kind == "instant":
        return _dated(measure, test, rows, cuts)
    if described.kind == "share":
        return _share(test, *_parts(measure, rows, cuts))
    if measure in ("days_since_first", "days_since_last"):
        return days_since(measure, test, rows, cuts)
    if measure == "days_since_delivery":
        return days_since_delivery(test, cuts)
    if measure == "days_between":
        return days_between(test, rows, _orders(rows))
    if measure == "overdue":
        return overdue(test, rows, _orders(rows), cuts)
    if measure == "per_year":
        return per_year(test, rows, _orders(rows), cuts)
    if measure == "average_value":
        return _average(test, rows)
    return _whole(source, measure, test, rows, cuts)


def _whole(source: str, measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    """The verdict on a count or a sum."""
    low, high = whole_interval(test, 1000 if measure == "quantity" else 1)
    without = passes_zero(test)
    if rows.nth is None and (source != "orders" or measure == "count"):
        if high is None and low is not None and low <= 1:
            return Verdict(True, without)
        if high is not None and high < 1:
            return Verdict(False, without)
    inside = _inside(_number(source, measure, rows, cuts), low, high)
    return Verdict(and_(_margin_known(cuts), inside) if measure == "margin" else inside, without)


def _number(source: str, measure: str, rows: Rows, cuts: Cuts) -> ColumnElement[Any]:
    if source != "orders":
        return func.count()
    if measure == "count":
        return _orders(rows)
    if measure == "revenue":
        return _revenue(rows)
    if measure == "net_revenue":
        return func.sum(net_cents(cuts))
    if measure == "margin":
        return func.sum(margin_cents(cuts))
    if measure == "quantity":
        return func.sum(LINES.c.quantity_milli)
    if measure == "distinct_products":
        return func.count(LINES.c.sku.distinct())
    undelivered = or_(LINES.c.delivered_at.is_(None), LINES.c.delivered_at >= instant(cuts, lambda as_of: as_of))
    return func.count(case((undelivered, LINES.c.order_id)).distinct())


def _orders(rows: Rows) -> ColumnElement[int]:
    if rows.summed:
        return SUMS.c.orders
    return func.count(LINES.c.order_id.distinct()) if rows.by_line else func.count()


def _total(rows: Rows) -> ColumnElement[int]:
    return (LINES if rows.by_line else ORDERS).c.total_cents


def _revenue(rows: Rows) -> ColumnElement[Any]:
    return SUMS.c.total_cents if rows.summed else func.sum(_total(rows))


def _margin_known(cuts: Cuts) -> ColumnElement[bool]:
    return func.count(case((margin_unknown(cuts), 1))) == 0


def _inside(number: ColumnElement[Any], low: int | None, high: int | None) -> ColumnElement[bool]:
    if low is not None and low == high:
        return number == low
    parts = [] if low is None else [number >= low]
    return and_(*parts, *([] if high is None else [number <= high]))


def _average(test: Test, rows: Rows) -> Verdict:
    value: Any = test.value
    orders = _orders(rows)
    times: Any = tuple(orders * literal(end, BigInteger()) for end in value) if test.operator == "between" else (
        orders * literal(value, BigInteger()))
    return Verdict(compare(test, _revenue(rows), times), passes_zero(test))


def _parts(measure: str, rows: Rows, cuts: Cuts) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The part and the whole that a share is made of."""
    if measure == "returned_share":
        return func.sum(returned_milli(cuts)), func.sum(bought_milli())
    if measure == "discount_share":
        return func.sum(discount_cents()), func.sum(LINES.c.total_cents)
    assert rows.chosen is not None
    return func.sum(case((rows.chosen, _total(rows)), else_=0)), _revenue(rows)


def _share(test: Test, part: ColumnElement[Any], whole: ColumnElement[Any]) -> Verdict:
    """A share of nothing, or of less than nothing, is 0."""
    value: Any = test.value
    of: Any = lambda share: whole * literal(int(exact(share) * MILLIONTHS), BigInteger())
    times = tuple(map(of, value)) if test.operator == "between" else of(value)
    compared = compare(test, part * literal(MILLIONTHS, BigInteger()), times)
    zero = passes_zero(test)
    return Verdict(or_(whole <= 0, compared) if zero else and_(whole > 0, compared), zero)


def _known(measure: str, rows: Rows, cuts: Cuts) -> Verdict:
    """Whether there is an answer at all."""
    if measure == "margin":
        return Verdict(_margin_known(cuts), True)
    if measure == "days_since_delivery":
        return Verdict(delivered(cuts).is_not(None), False)
    if measure == "days_between":
        return Verdict(_orders(rows) >= 2, False)
    if measure == "overdue":
        return Verdict(rows.last_us > rows.first_us, False)
    return Verdict(True, False)


def _dated(measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    edge = rows.last_us if measure == "last_at" else rows.first_us
    value: Any = test.value
    bound = last_days_us(cuts, value) if test.operator == "within_days" else literal(to_us(value), BigInteger())
    return Verdict(compare(test, edge, bound), False)

"""When does a person's pile of rows pass the tests on its count, sum, average or dates?

Owns the verdict of one or more tests over the same rows: the HAVING for people who have such rows, and the answer for
people who have none (numbers are 0 then, dates are missing). Averages are compared by multiplying out, so no engine's
division matters; every other number is whole.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal, not_, or_, type_coerce

from core.types import to_us
from segments.conditions import Test
from segments.fields import MEASURES
from segments.instants import Cuts, instant, last_days_us
from segments.operators import compare
from segments.sources import LINES, ORDERS, Rows


@dataclass(frozen=True)
class Verdict:
    """`having` is SQL over one person's rows, or simply True or False; `without` is the answer with no rows at all."""

    having: ColumnElement[bool] | bool
    without: bool

    def opposite(self) -> "Verdict":
        having = not self.having if isinstance(self.having, bool) else not_(self.having)
        return Verdict(having, not self.without)


def together(verdicts: list[Verdict], *, every: bool) -> Verdict:
    """All (`every`) or any of several verdicts over the same rows, as one."""
    absorbing = not every
    if any(verdict.having is absorbing for verdict in verdicts):
        having: ColumnElement[bool] | bool = absorbing
    else:
        parts = [verdict.having for verdict in verdicts if not isinstance(verdict.having, bool)]
        having = (and_(*parts) if every else or_(*parts)) if parts else every
    answers = [verdict.without for verdict in verdicts]
    return Verdict(having, all(answers) if every else any(answers))


def verdict(source: str, measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    """The verdict of one straight test on one measure over `rows`."""
    if MEASURES[source][measure].kind == "instant":
        return _dated(measure, test, rows, cuts)
    if measure == "average_value":
        return _average(test, rows)
    low, high = _interval(test, 1000 if measure == "quantity" else 1)
    without = (low is None or low <= 0) and (high is None or high >= 0)
    if source != "orders" or measure == "count":
        if high is None and low is not None and low <= 1:
            return Verdict(True, without)
        if high is not None and high < 1:
            return Verdict(False, without)
    return Verdict(_inside(_number(source, measure, rows, cuts), low, high), without)


def _number(source: str, measure: str, rows: Rows, cuts: Cuts) -> ColumnElement[Any]:
    if source != "orders":
        return func.count()
    if measure == "count":
        return _orders(rows)
    if measure == "revenue":
        return _revenue(rows)
    if measure == "quantity":
        return func.sum(LINES.c.quantity_milli)
    if measure == "distinct_products":
        return func.count(LINES.c.sku.distinct())
    undelivered = or_(LINES.c.delivered_at.is_(None), LINES.c.delivered_at >= instant(cuts, lambda as_of: as_of))
    return func.count(case((undelivered, LINES.c.order_id)).distinct())


def _orders(rows: Rows) -> ColumnElement[int]:
    return func.count(LINES.c.order_id.distinct()) if rows.by_line else func.count()


def _revenue(rows: Rows) -> ColumnElement[Any]:
    return func.sum((LINES if rows.by_line else ORDERS).c.total_cents)


def _inside(number: ColumnElement[Any], low: int | None, high: int | None) -> ColumnElement[bool]:
    if low is not None and low == high:
        return number == low
    parts = [] if low is None else [number >= low]
    return and_(*parts, *([] if high is None else [number <= high]))


def _interval(test: Test, scale: int) -> tuple[int | None, int | None]:
    """The whole numbers that pass, both ends in; thresholds may have fractions, what is measured has none."""
    value: Any = test.value
    if test.operator == "between":
        return math.ceil(_exact(value[0]) * scale), math.floor(_exact(value[1]) * scale)
    exact = _exact(value) * scale
    return {
        "equals": (math.ceil(exact), math.floor(exact)),
        "at_least": (math.ceil(exact), None),
        "more_than": (math.floor(exact) + 1, None),
        "at_most": (None, math.floor(exact)),
        "less_than": (None, math.ceil(exact) - 1),
    }[test.operator]


def _exact(value: float) -> Fraction:
    """The decimal number as it was written: 0.1 is a tenth."""
    return Fraction(str(value))


def _average(test: Test, rows: Rows) -> Verdict:
    value: Any = test.value
    orders = _orders(rows)
    times: Any = tuple(orders * literal(end, BigInteger()) for end in value) if test.operator == "between" else (
        orders * literal(value, BigInteger()))
    low, high = _interval(test, 1)
    return Verdict(compare(test, _revenue(rows), times), (low is None or low <= 0) and (high is None or high >= 0))


def _dated(measure: str, test: Test, rows: Rows, cuts: Cuts) -> Verdict:
    if test.operator == "is_set":
        return Verdict(True, False)
    edge = type_coerce((func.max if measure == "last_at" else func.min)(rows.at), BigInteger())
    value: Any = test.value
    bound = last_days_us(cuts, value) if test.operator == "within_days" else literal(to_us(value), BigInteger())
    return Verdict(compare(test, edge, bound), False)

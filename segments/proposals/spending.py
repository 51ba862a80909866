"""How often, when and for how much did each person order?

Owns the one row per person that proposals are made of: orders, amount, first and last order, up to an instant.
Cancelled orders and forgotten people do not count. Amounts are in the currency most orders are in; the promise is that
a page can say when there are others.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Subquery, bindparam, case, func, literal, not_, select, type_coerce

from core.types import to_us
from segments.compiling.facts import CUSTOMERS
from segments.compiling.sources import ORDERS
from segments.engines.questions import Questions

MOMENT = type_coerce(ORDERS.c.ordered_at, BigInteger())


@dataclass(frozen=True)
class Currency:
    """The currency most orders are in (None without orders), and whether there are others."""

    code: str | None
    mixed: bool


def seen() -> ColumnElement[int]:
    """The instant, in microseconds, before which an order must lie; filled in as the value `seen`."""
    return bindparam("seen", None, type_=BigInteger(), required=False)


def here() -> ColumnElement[bool]:
    """The customer of the statement has not been forgotten."""
    return CUSTOMERS.c.forgotten_at.is_(None)


def main_currency(questions: Questions, *, now: datetime, as_of: datetime) -> Currency:
    """The currency of the most orders before `as_of`. Raises NotReady as `Questions.read` does."""
    number = func.count()
    used = (select(ORDERS.c.currency, number).where(not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < seen())
            .group_by(ORDERS.c.currency).order_by(number.desc(), ORDERS.c.currency))
    rows = questions.read(used, now=now, values={"seen": to_us(as_of)}, key="proposals.currency").value
    return Currency(rows[0][0] if rows else None, len(rows) > 1)


def spending(currency: str | None) -> Subquery:
    """One row per person with orders: customer_id, orders, cents of that currency, first_us, last_us."""
    cents: Any = case((ORDERS.c.currency == literal(currency or ""), ORDERS.c.total_cents), else_=0)
    return (
        select(ORDERS.c.customer_id.label("customer_id"), func.count().label("orders"), func.sum(cents).label("cents"),
               func.min(MOMENT).label("first_us"), func.max(MOMENT).label("last_us"))
        .where(not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < seen()).group_by(ORDERS.c.customer_id).subquery()
    )

"""What did this person buy, say and agree to, newest first?

Owns the reading of one customer's orders with their lines, contacts and consents, walked backwards by time, and the
sums over their lines. Reads only. The promise: a page of the story never leaves out what shares its last instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from customers.models import Consent, Contact, Customer, Order, OrderLine

Row = TypeVar("Row")


@dataclass(frozen=True)
class LineSums:
    """One customer's lines, cancelled orders left out. Cents are per currency; an order is open while the shop reports
    deliveries for this customer and one of its lines has none and was not sent back."""

    lines: int
    returned_lines: int
    total_cents: dict[str, int]
    returned_cents: dict[str, int]
    open_orders: int
    first_order_at: datetime | None


def orders_before(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[tuple[Order, list[OrderLine]]]:
    """Orders earlier than `before` (None: all) with their lines, newest first."""
    orders = _backwards(session, select(Order).where(Order.customer_id == customer_id), Order.ordered_at, Order.id,
                        before, limit)
    return with_lines(session, orders)


def with_lines(session: Session, orders: Sequence[Order]) -> list[tuple[Order, list[OrderLine]]]:
    """Each order with its lines in the order in which they were reported."""
    lines: dict[int, list[OrderLine]] = {order.id: [] for order in orders}
    for line in session.scalars(
            select(OrderLine).where(in_ids(OrderLine.order_id, list(lines))).order_by(OrderLine.id)):
        lines[line.order_id].append(line)
    return [(order, lines[order.id]) for order in orders]


def contacts_before(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[Contact]:
    """Contacts earlier than `before`, newest first."""
    return _backwards(session, select(Contact).where(Contact.customer_id == customer_id), Contact.at, Contact.id,
                      before, limit)


def consents_before(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[Consent]:
    """Statements about channels earlier than `before`, newest first."""
    return _backwards(session, select(Consent).where(Consent.customer_id == customer_id), Consent.at, Consent.id,
                      before, limit)


def _backwards(
    session: Session, statement: Select[Row], at: Any, key: Any, before: datetime | None, limit: int
) -> list[Row]:
    if before is not None:
        statement = statement.where(at < before)
    return list(session.scalars(statement.order_by(at.desc(), key.desc()).limit(limit)))


def line_sums(session: Session, customer_id: int) -> LineSums:
    """The sums over this customer's lines."""
    mine = (OrderLine.customer_id == customer_id, OrderLine.cancelled.is_(False))
    came_back = or_(OrderLine.returned_quantity_milli > 0, OrderLine.returned_at.is_not(None))
    rows = session.execute(
        select(OrderLine.currency, func.count(), func.sum(OrderLine.total_cents), func.count().filter(came_back),
               func.sum(OrderLine.total_cents).filter(came_back), func.min(OrderLine.ordered_at),
               func.count(OrderLine.delivered_at))
        .where(*mine).group_by(OrderLine.currency)
    ).all()
    is_told = any(row[6] for row in rows)  # a shop that never reports deliveries leaves nothing open
    waiting = session.execute(
        select(func.count(OrderLine.order_id.distinct())).where(*mine, OrderLine.delivered_at.is_(None), ~came_back)
    ).scalar_one() if is_told else 0
    return LineSums(
        lines=sum(row[1] for row in rows), returned_lines=sum(row[3] for row in rows),
        total_cents={row[0]: int(row[2]) for row in rows},
        returned_cents={row[0]: int(row[4]) for row in rows if row[4]}, open_orders=waiting,
        first_order_at=min((row[5] for row in rows), default=None),
    )


def household_of(session: Session, customer: Customer, *, limit: int = 5) -> list[Customer]:
    """The other people of this person's household."""
    if not customer.household:
        return []
    return list(session.scalars(
        select(Customer).where(Customer.household == customer.household, Customer.id != customer.id)
        .order_by(Customer.id).limit(limit)))

"""What do we hold about this person, and how is it erased when they ask?

Owns the export and the erasure of one customer. Higher rooms add their own sections and erasers, which a door passes
in. The promise: names, addresses, free texts, events, relations, scores and the customer number go; orders stay as
anonymous facts; blocked addresses stay blocked as keyed hashes, and an import does not bring the person back.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Table, delete, inspect, select, update
from sqlalchemy.orm import Session

from core.errors import Invalid, NotFound
from customers.consents import lock_customers
from customers.models import Address, Consent, Contact, Customer, Event, Order, OrderLine, Relation, Score
from customers.people import find_customer
from customers.relations import relation_bodies
from customers.suppression import ADDRESS_CHANNEL, forgotten_number, suppress

Section = Callable[[Session, int], Any]
"""What a higher room holds about a customer id, as plain values."""
Eraser = Callable[[Session, int], None]
"""Erases a higher room's personal data of a customer id."""

_INTERNAL = {"id", "customer_id", "order_id", "search", "lookup"}


def export_customer(
    session: Session, external_id: str, *, sections: Mapping[str, Section] | None = None
) -> dict[str, Any]:
    """Everything held about one person, as JSON values: dates as ISO text, money in cents.

    `sections` adds what higher rooms hold under their names. Raises NotFound.
    """
    customer = find_customer(session, external_id)
    orders = list(session.scalars(select(Order).where(Order.customer_id == customer.id).order_by(Order.ordered_at)))
    lines: dict[int, list[dict[str, Any]]] = {}
    for line in session.scalars(select(OrderLine).where(OrderLine.customer_id == customer.id).order_by(OrderLine.id)):
        lines.setdefault(line.order_id, []).append(_plain(line, leave=("ordered_at", "cancelled", "currency")))
    answer: dict[str, Any] = {
        "customer": _plain(customer),
        "addresses": _all(session, Address, customer.id, Address.channel),
        "consents": _all(session, Consent, customer.id, Consent.at),
        "contacts": _all(session, Contact, customer.id, Contact.at),
        "orders": [{**_plain(order), "lines": lines.get(order.id, [])} for order in orders],
        "events": _all(session, Event, customer.id, Event.at),
        "relations": relation_bodies(session, customer.id),
        "scores": _all(session, Score, customer.id, Score.name),
    }
    for name, section in (sections or {}).items():
        answer[name] = section(session, customer.id)
    return answer


def _all(session: Session, model: type[Any], customer_id: int, order: Any) -> list[dict[str, Any]]:
    rows = session.scalars(select(model).where(model.customer_id == customer_id).order_by(order))
    return [_plain(row) for row in rows]


def _plain(row: Any, *, leave: Iterable[str] = ()) -> dict[str, Any]:
    skipped = _INTERNAL | set(leave)
    values = {column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs}
    return {name: value.isoformat() if isinstance(value, date | datetime) else value
            for name, value in values.items() if name not in skipped}


def forget_customer(
    session: Session, external_id: str, *, secret_key: str, now: datetime, erasers: Iterable[Eraser] = ()
) -> None:
    """Erase one person at their wish. Doing it twice is harmless; raises NotFound for a number never known.

    The caller passes the erasers of every higher room. Locks the customer's row, so no message is claimed meanwhile.
    """
    if external_id.startswith("forgotten:"):
        raise Invalid("This person is forgotten already.")
    anonymous = forgotten_number(external_id, secret_key=secret_key)
    if session.scalars(select(Customer.id).where(Customer.external_id == anonymous)).one_or_none() is not None:
        return
    try:
        customer = find_customer(session, external_id)
    except NotFound:
        raise NotFound(f"There is no customer {external_id!r} to forget.") from None
    connection = session.connection()
    lock_customers(connection, [customer.id])
    for channel in ADDRESS_CHANNEL:
        suppress(connection, customer.id, channel=channel, reason="erased", now=now, secret_key=secret_key)
    for erase in erasers:
        erase(session, customer.id)
    for model in (Address, Event, Relation, Score):
        session.execute(delete(model).where(model.customer_id == customer.id))
    session.execute(update(Contact).where(Contact.customer_id == customer.id).values(subject=None, text=None))
    session.execute(update(Consent).where(Consent.customer_id == customer.id).values(source=None, proof=None))
    table = Customer.__table__
    assert isinstance(table, Table)
    kept = {"id", "external_id", "attributes", "search", "imported_at", "forgotten_at"}
    session.execute(update(Customer).where(Customer.id == customer.id).values(
        {column.name: None for column in table.columns if column.name not in kept}
        | {"external_id": anonymous, "attributes": {}, "search": "", "forgotten_at": now}))
    session.expire_all()

"""What do programs see of customers, their statements, orders and contacts?

Owns their JSON forms and the lists behind them, walked by key. Amounts are cents, instants ISO 8601 in UTC.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from customers.models import Address, Consent, Contact, Customer, Order, OrderLine
from customers.people import find_customer, search_customers
from customers.story import with_lines

Page = tuple[list[dict[str, Any]], int | None]


def customer_bodies(session: Session, customers: Sequence[Customer]) -> list[dict[str, Any]]:
    """These customers as programs see them."""
    addresses: dict[int, dict[str, Address]] = {customer.id: {} for customer in customers}
    for address in session.scalars(select(Address).where(in_ids(Address.customer_id, list(addresses)))):
        addresses[address.customer_id][address.channel] = address
    return [_customer(customer, addresses[customer.id]) for customer in customers]


def _customer(customer: Customer, addresses: dict[str, Address]) -> dict[str, Any]:
    email, phone, letter = (addresses.get(channel) for channel in ("email", "phone", "letter"))
    return {
        "external_id": customer.external_id, "email": email and email.value, "phone": phone and phone.value,
        "salutation": customer.salutation, "first_name": customer.first_name, "last_name": customer.last_name,
        "company": customer.company, "street": (letter.value or None) if letter else None,
        **{name: getattr(letter, name) if letter else None
           for name in ("postal_code", "city", "country", "latitude", "longitude")},
        "birthday": customer.birthday_on and customer.birthday_on.isoformat(), "language": customer.language,
        "timezone": customer.timezone, "preferred_channel": customer.preferred_channel,
        "household_id": customer.household, "dunning_level": customer.dunning_level,
        "attributes": customer.attributes, "created_at": _text(customer.created_at),
        "forgotten_at": _text(customer.forgotten_at),
        "undeliverable": sorted(channel for channel, address in addresses.items() if address.undeliverable_at),
    }


def list_customers(session: Session, words: str, *, after: int = 0, limit: int = 100) -> Page:
    """Customers in whom every word occurs, in the order in which they came, and where the next page begins."""
    page = search_customers(session, words, limit=limit, after=after)
    return customer_bodies(session, page.items), page.next


def show_customer(session: Session, external_id: str) -> dict[str, Any]:
    """One customer. Raises NotFound."""
    return customer_bodies(session, [find_customer(session, external_id)])[0]


def list_consents(session: Session, external_id: str, *, after: int = 0, limit: int = 100) -> Page:
    """One customer's statements in the order in which they were recorded. Raises NotFound."""
    customer = find_customer(session, external_id)
    rows = session.scalars(select(Consent).where(Consent.customer_id == customer.id, Consent.id > after)
                           .order_by(Consent.id).limit(limit + 1)).all()
    bodies = [{
        "customer": external_id, "channel": row.channel, "state": row.state, "basis": row.basis, "at": _text(row.at),
        "source": row.source, "proof": row.proof, "recorded_at": _text(row.recorded_at),
    } for row in rows[:limit]]
    return bodies, rows[limit - 1].id if len(rows) > limit else None


def list_contacts(session: Session, external_id: str, *, after: int = 0, limit: int = 100) -> Page:
    """One customer's contacts in the order in which they came. Raises NotFound."""
    customer = find_customer(session, external_id)
    rows = session.scalars(select(Contact).where(Contact.customer_id == customer.id, Contact.id > after)
                           .order_by(Contact.id).limit(limit + 1)).all()
    bodies = [{
        "id": row.external_id, "customer": external_id, "at": _text(row.at), "kind": row.kind,
        "direction": row.direction, "channel": row.channel, "subject": row.subject, "text": row.text,
        "status": row.status,
    } for row in rows[:limit]]
    return bodies, rows[limit - 1].id if len(rows) > limit else None


def list_orders(session: Session, external_id: str, *, after: int = 0, limit: int = 100) -> Page:
    """One customer's orders with their lines in the order in which they came. Raises NotFound."""
    customer = find_customer(session, external_id)
    rows = session.scalars(select(Order).where(Order.customer_id == customer.id, Order.id > after)
                           .order_by(Order.id).limit(limit + 1)).all()
    bodies = [order_body(order, lines, customer=external_id) for order, lines in with_lines(session, rows[:limit])]
    return bodies, rows[limit - 1].id if len(rows) > limit else None


def show_order(session: Session, *, shop: str, number: str) -> dict[str, Any] | None:
    """One order by the shop's own number, None when there is none."""
    row = session.execute(select(Order, Customer.external_id).join(Customer, Customer.id == Order.customer_id)
                          .where(Order.shop == shop, Order.external_id == number)).one_or_none()
    if row is None:
        return None
    [(order, lines)] = with_lines(session, [row[0]])
    return order_body(order, lines, customer=row[1])


def order_body(order: Order, lines: Sequence[OrderLine], *, customer: str) -> dict[str, Any]:
    """An order as programs see it; quantities may have three decimals."""
    return {
        "id": order.external_id, "shop": order.shop, "customer": customer, "ordered_at": _text(order.ordered_at),
        "status": order.status, "cancelled": order.cancelled, "currency": order.currency,
        "coupon_code": order.coupon_code, "ordered_via": order.ordered_via, "payment": order.payment,
        "total_cents": order.total_cents, "lines": [{
            "sku": line.sku, "product": line.product, "category": line.category, "brand": line.brand,
            "quantity": line.quantity_milli / 1000, "unit_price_cents": line.unit_price_cents,
            "total_cents": line.total_cents, "discount_cents": line.discount_cents, "tax_rate": line.tax_rate,
            "unit_cost_cents": line.unit_cost_cents, "delivered_at": _text(line.delivered_at),
            "returned_quantity": None if line.returned_quantity_milli is None else line.returned_quantity_milli / 1000,
            "returned_at": _text(line.returned_at),
        } for line in lines],
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

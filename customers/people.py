"""Who is this person, and what do we know about them?

Owns finding customers by number, name, e-mail, phone or city, their search text, their names and addresses, and the
facts shown on one customer's page. Pages of results walk by key, so a large base answers as fast as a small one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.errors import NotFound
from customers.models import Address, Consent, Contact, Customer, Order

NAME_FIELDS = ("external_id", "first_name", "last_name", "company")


@dataclass(frozen=True)
class Page:
    """Some customers in id order; `next` is the cursor for the following page, None at the end."""

    items: list[Customer]
    next: int | None


@dataclass(frozen=True)
class Facts:
    """One customer's story in this room: addresses by channel, consents newest first, orders and contacts newest
    first (at most `limit` of each) and how many there are in all. Cents are per currency, cancelled orders left out."""

    customer: Customer
    addresses: dict[str, Address]
    consents: list[Consent]
    orders: list[Order]
    contacts: list[Contact]
    order_count: int
    contact_count: int
    revenue_cents: dict[str, int]
    last_order_at: datetime | None


def find_customer(session: Session, external_id: str) -> Customer:
    """The customer with this number. Raises NotFound."""
    found = session.scalars(select(Customer).where(Customer.external_id == external_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no customer {external_id!r}.")
    return found


def search_customers(session: Session, text: str, *, limit: int = 50, after: int | None = None) -> Page:
    """Customers in whose number, names, e-mail, phone or city every word of `text` occurs, capitals aside.

    An empty text finds everybody. `after` is the `next` of the page before.
    """
    rows = select(Customer).order_by(Customer.id).limit(limit + 1)
    if after is not None:
        rows = rows.where(Customer.id > after)
    for word in _words(text):
        rows = rows.where(or_(*(Customer.search.contains(form, autoescape=True) for form in word)))
    found = list(session.scalars(rows))
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def _words(text: str) -> list[tuple[str, ...]]:
    """The words to find, each in the forms that count as found. A phone number may be typed in groups."""
    text = text.casefold().strip()
    digits = re.sub(r"[\s()/.-]", "", text)
    if re.fullmatch(r"(\+|00)?\d{5,}", digits) and not re.fullmatch(r"\d+", text):
        return [(re.sub(r"^(\+|00?)", "", digits),)]
    words: list[tuple[str, ...]] = []
    for word in text.split():
        national = re.fullmatch(r"0(\d{5,})", word)
        words.append((word, national[1]) if national else (word,))
    return words


def search_text(customer: Mapping[str, Any], addresses: Iterable[Mapping[str, Any]]) -> str:
    """What `search_customers` looks through, of a customer's and their addresses' columns."""
    parts = [customer.get(name) for name in NAME_FIELDS]
    parts += [address.get("city") if address["channel"] == "letter" else address["value"] for address in addresses]
    return " ".join(str(part) for part in parts if part).casefold()


def refresh_search(connection: Connection, customer_ids: Sequence[int]) -> None:
    """Write the search text of these customers anew; for whoever changed a name or an address outside the imports."""
    customers = connection.execute(select(Customer.__table__).where(in_ids(Customer.id, customer_ids))).mappings()
    addresses: dict[int, list[Mapping[str, Any]]] = {}
    theirs = select(Address.__table__).where(in_ids(Address.customer_id, customer_ids))
    for row in connection.execute(theirs).mappings():
        addresses.setdefault(row["customer_id"], []).append(dict(row))
    for customer in list(customers):
        text = search_text(dict(customer), addresses.get(customer["id"], []))
        connection.execute(update(Customer).where(Customer.id == customer["id"]).values(search=text))


def display_name(customer: Customer) -> str:
    """The name to show: first and last name, else the company, else the number."""
    name = " ".join(part for part in (customer.first_name, customer.last_name) if part)
    return name or customer.company or f"Customer {customer.external_id}"


def address_of(session: Session, customer_id: int, channel: str) -> Address | None:
    """The customer's address on one channel (email, phone, letter, push), or None."""
    return session.scalars(
        select(Address).where(Address.customer_id == customer_id, Address.channel == channel)
    ).one_or_none()


def customers_with_city(session: Session, customer_ids: Sequence[int]) -> dict[int, tuple[Customer, str | None]]:
    """Customers by id, each with the city of the postal address."""
    letter = (Address.customer_id == Customer.id) & (Address.channel == "letter")
    rows = session.execute(select(Customer, Address.city).outerjoin(Address, letter)
                           .where(in_ids(Customer.id, customer_ids)))
    return {customer.id: (customer, city) for customer, city in rows}


def customer_facts(session: Session, external_id: str, *, limit: int = 50) -> Facts:
    """Everything of this room that one customer's page shows. Raises NotFound."""
    customer = find_customer(session, external_id)
    mine = Order.customer_id == customer.id
    sums = session.execute(
        select(Order.currency, func.sum(Order.total_cents), func.max(Order.ordered_at), func.count())
        .where(mine, Order.cancelled.is_(False)).group_by(Order.currency)
    ).all()
    contacts = select(Contact).where(Contact.customer_id == customer.id)
    return Facts(
        customer=customer,
        addresses={address.channel: address for address in session.scalars(
            select(Address).where(Address.customer_id == customer.id))},
        consents=list(session.scalars(select(Consent).where(Consent.customer_id == customer.id)
                                      .order_by(Consent.at.desc(), Consent.id.desc()))),
        orders=list(session.scalars(select(Order).where(mine)
                                    .order_by(Order.ordered_at.desc(), Order.id.desc()).limit(limit))),
        contacts=list(session.scalars(contacts.order_by(Contact.at.desc(), Contact.id.desc()).limit(limit))),
        order_count=sum(row[3] for row in sums),
        contact_count=session.execute(
            select(func.count()).where(Contact.customer_id == customer.id)).scalar_one(),
        revenue_cents={row[0]: int(row[1]) for row in sums},
        last_order_at=max((row[2] for row in sums), default=None),
    )


def numbers_of(session: Session, customer_ids: Sequence[int]) -> dict[int, str]:
    """The shop's customer numbers by our ids."""
    rows = session.execute(select(Customer.id, Customer.external_id).where(in_ids(Customer.id, customer_ids)))
    return {row[0]: row[1] for row in rows}

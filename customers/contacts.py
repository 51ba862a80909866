"""When were this person and the shop in touch, and about what?

Owns recording a contact (a call, a letter, a complaint ...) that a door or a colleague reports one at a time; whole
files come through the imports. A repeated report of the same contact changes nothing but its text and status.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from customers.models import Contact

DIRECTIONS = ("in", "out")


def record_contact(
    session: Session,
    customer_id: int,
    *,
    external_id: str,
    kind: str,
    direction: str,
    channel: str | None = None,
    subject: str | None = None,
    text: str | None = None,
    status: str | None = None,
    now: datetime,
) -> Contact:
    """Record one contact that happened now, or bring its text and status up to date when it is known.

    Raises Invalid for an unknown direction or a missing kind.
    """
    if direction not in DIRECTIONS:
        raise Invalid(f"{direction!r} is not a direction: use in (from the customer) or out (from the shop).")
    if not kind.strip():
        raise Invalid("A contact needs its kind, such as call, letter or complaint.")
    contact = session.scalars(select(Contact).where(Contact.external_id == external_id)).one_or_none()
    if contact is None:
        contact = Contact(external_id=external_id, customer_id=customer_id, at=now, kind=kind.strip().lower(),
                          direction=direction, channel=channel)
        session.add(contact)
    elif contact.customer_id != customer_id:
        raise Invalid(f"The contact {external_id!r} belongs to another customer.")
    contact.subject, contact.text, contact.status = subject, text, status
    session.flush()
    return contact

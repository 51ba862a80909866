"""What has this person asked for, in their own words to a colleague?

Owns setting the explicit wish for a channel. A wish is never a consent: it decides among channels that are allowed.
"""

from sqlalchemy.orm import Session

from core.errors import Invalid
from customers.models import Customer
from customers.people import find_customer

WISHES = ("email", "letter", "phone")


def set_wish(session: Session, external_id: str, *, channel: str | None) -> Customer:
    """Note the channel this person wants to be written to on; None: they have no wish. Raises NotFound, Invalid."""
    if channel is not None and channel not in WISHES:
        raise Invalid(f"{channel!r} is not a channel to wish for: use one of {', '.join(WISHES)}.", place="channel")
    customer = find_customer(session, external_id)
    if customer.forgotten_at is not None:
        raise Invalid("This person is forgotten; nothing more is noted about them.")
    customer.preferred_channel = channel
    session.flush()
    return customer

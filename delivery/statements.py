"""What follows when a person says yes or no to a channel, to a colleague or through a program?

Owns the one way a statement made outside our links takes effect: a yes lifts the block that an earlier no has set; a no
is recorded, blocks the address and takes back what is still in the house.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from core.errors import Invalid
from customers.consents import lock_customers, record_consent
from customers.models import Customer
from customers.suppression import unblock
from delivery.feedback import stop_channel


def take_statement(
    session: Session, customer_id: int, *, channel: str, state: str, basis: str | None = None,
    source: str | None = None, proof: str | None = None, at: datetime | None = None, now: datetime, secret_key: str,
) -> None:
    """Record one statement (granted, denied or withdrawn) and let it take effect.

    `at`: when it was made, if not now. A statement older than a later one is kept as history and changes nothing.
    Raises Invalid for unknown words, a future instant, a grant without proof, or a forgotten person.
    """
    customer = session.get(Customer, customer_id)
    if customer is not None and customer.forgotten_at is not None:
        raise Invalid("This person is forgotten; nothing more is recorded about them.")
    if at is not None and at > now:
        raise Invalid("A statement cannot be made in the future.", place="at")
    if state == "granted" and not (proof or "").strip():
        raise Invalid("A consent needs its proof: the form, the recording or the mail that shows it.", place="proof")
    connection = session.connection()
    lock_customers(connection, [customer_id])
    record_consent(session, customer_id, channel=channel, state=state, basis=basis, source=source, proof=proof, at=at,
                   now=now)
    if at is not None and at < now:
        return
    if state == "granted":
        unblock(connection, customer_id, channel=channel, secret_key=secret_key)
    elif state == "withdrawn":
        stop_channel(session, customer_id, channel, reason="objected", source=source or "told to us", now=now,
                     secret_key=secret_key)

"""Was something recorded whose time this round has not come to yet?

Owns the one question that both followers of recorded facts ask before they move their cursor on. A round works at one
instant, and facts go on coming while it works; a shop's clock may also be some minutes ahead of ours. The promise: what
was read too early is read again when its time has come, and nobody is kept in by it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.arrays import in_ids
from core.cursors import Changes
from coupons.models import Redemption
from customers.models import Consent, Contact, Event, OrderLine
from journeys.exits.concerned import AT_ONCE, customers_of

FARTHEST = timedelta(hours=1)
"""What lies further ahead is no matter of clocks: it is found by the looks that time alone brings."""
_TOLD_AT = ((Redemption.customer_id, Redemption.redeemed_at), (OrderLine.customer_id, OrderLine.ordered_at),
            (Consent.customer_id, Consent.at), (Contact.customer_id, Contact.at), (Event.customer_id, Event.at))


def lies_ahead(connection: Connection, changes: Changes, tables: Collection[str], *, now: datetime) -> bool:
    """Whether any of the people whom these changes concern has a fact of the hour after `now`.

    Not asked of more than fifty thousand people: those are an import, whose facts are past.
    """
    people = customers_of(connection, changes, tables)
    if not 0 < len(people) <= AT_ONCE:
        return False
    return any(connection.scalar(
        select(at).where(in_ids(customer, people), at > now, at <= now + FARTHEST).limit(1)) is not None
        for customer, at in _TOLD_AT)

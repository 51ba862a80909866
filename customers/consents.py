"""Has this person said yes or no to this channel, and how do we know?

Owns recording and reading consents. Rows are only added: the newest statement counts, of two at one instant the
refusal. The promise: withdrawing and objecting take the same row locks as the sender's claim, so nothing slips
between a no and a message.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import plain_rows
from core.errors import Invalid, NotFound
from customers.models import CHANNELS, Consent, Customer
from customers.suppression import suppress

STATES = ("granted", "denied", "withdrawn")
BASES = ("consent", "existing_customer", "legitimate_interest", "objection")


def refusal_last() -> ColumnElement[int]:
    """Sort key for statements of one instant: 0 for a refusal, 1 for a grant; the lowest counts."""
    return case((Consent.state == "granted", 1), else_=0)


def lock_customers(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Lock these customers' rows in id order until the transaction ends; returns the ids that exist, rising.

    On SQLite the write transaction itself is the lock.
    """
    rows = select(Customer.id).where(in_ids(Customer.id, ids)).order_by(Customer.id)
    if connection.dialect.name == "postgresql":
        rows = rows.with_for_update(key_share=True)  # rows that only refer to a customer may still be added
    return list(connection.scalars(rows).all())


def current_consents(
    connection: Connection, customer_ids: Sequence[int], *, channel: str, now: datetime
) -> list[str | None]:
    """Each customer's newest consent state on a channel at or before `now`; None when nothing was ever said."""
    said = plain_rows(connection, (
        select(Consent.customer_id, Consent.state)
        .where(in_ids(Consent.customer_id, customer_ids), Consent.channel == channel, Consent.at <= now)))
    states: dict[int, str] = dict(said)
    if len(states) < len(said):
        # Only for those who spoke more than once must the statements be put in order; most people speak once.
        times = Counter(row[0] for row in said)
        often = [customer_id for customer_id, count in times.items() if count > 1]
        states |= _newest(connection, often, channel=channel, now=now)
    return [states.get(customer_id) for customer_id in customer_ids]


def _newest(connection: Connection, customer_ids: Sequence[int], *, channel: str, now: datetime) -> dict[int, str]:
    """The newest state of each of these customers who said anything at or before `now`."""
    number = func.row_number().over(
        partition_by=Consent.customer_id, order_by=(Consent.at.desc(), refusal_last(), Consent.id.desc())
    ).label("number")
    ranked = (
        select(Consent.customer_id, Consent.state, number)
        .where(in_ids(Consent.customer_id, customer_ids), Consent.channel == channel, Consent.at <= now)
        .subquery()
    )
    rows = connection.execute(select(ranked.c.customer_id, ranked.c.state).where(ranked.c.number == 1))
    return dict(rows.all())


def record_consent(
    session: Session,
    customer_id: int,
    *,
    channel: str,
    state: str,
    basis: str | None = None,
    source: str | None = None,
    proof: str | None = None,
    at: datetime | None = None,
    now: datetime,
) -> None:
    """Record one statement made at `at` (None: now). Recording the same one twice is harmless.

    Raises Invalid for an unknown channel, state or basis, NotFound when there is no such customer.
    """
    _check(channel, state, basis)
    connection = session.connection()
    if not lock_customers(connection, [customer_id]):
        raise NotFound("There is no such customer.")
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(Consent)
        .values(customer_id=customer_id, channel=channel, state=state, basis=basis, at=at or now, source=source,
                proof=proof, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["customer_id", "channel", "at", "state"])
    )


def object_to(
    session: Session, customer_id: int, *, channel: str, source: str | None, now: datetime, secret_key: str,
    reason: str = "objected",
) -> None:
    """The person wants nothing more on this channel: the consent is withdrawn and the address blocked."""
    record_consent(session, customer_id, channel=channel, state="withdrawn", basis="objection", source=source,
                   now=now)
    suppress(session.connection(), customer_id, channel=channel, reason=reason, now=now, secret_key=secret_key)


def _check(channel: str, state: str, basis: str | None) -> None:
    for name, value, allowed in (("channel", channel, CHANNELS), ("consent state", state, STATES)):
        if value not in allowed:
            raise Invalid(f"{value!r} is not a {name}: use one of {', '.join(allowed)}.")
    if basis is not None and basis not in BASES:
        raise Invalid(f"{basis!r} is not a basis: use one of {', '.join(BASES)}.")

"""What came in, and what became of it?

Owns storing, listing, settling and replaying deliveries, and dropping their bodies when their time is over. The
promise: what was answered with 200 is stored, once per key, and its body stays at least until it is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from customers.models import Order
from web.shops.models import InboxDelivery, ShopConnection

STATES = ("received", "done", "failed", "ignored")
BODY_KEPT = timedelta(days=30)
"""How long the body of a delivery that was done or ignored is kept."""
FAILED_BODY_KEPT = timedelta(days=90)
"""How long that of a failed one is: nobody can tell whose order an unreadable body is about."""

Listed = Row[*tuple[Any, ...]]


def store(
    connection: Connection, connection_id: int, *, key: str, topic: str, headers: Mapping[str, str], body: bytes,
    now: datetime,
) -> bool:
    """Keep one delivery; False when this key is there already."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return connection.execute(
        insert(InboxDelivery).values(
            connection_id=connection_id, key=key, topic=topic, headers=dict(headers), body=body, body_bytes=len(body),
            state="received", attempts=0, due_at=now, flags="", received_at=now)
        .on_conflict_do_nothing(index_elements=["connection_id", "key"])
        .execution_options(preserve_rowcount=True)).rowcount == 1


@dataclass(frozen=True)
class Outcome:
    """How one delivery ended, or when it is tried again (`state` stays received)."""

    state: str
    note: str
    order_ref: str | None = None
    flags: str = ""
    due_at: datetime | None = None


def newest_delivery(connection: Connection) -> int:
    """The number of the newest delivery that can be seen, 0 for none."""
    return connection.execute(select(func.coalesce(func.max(InboxDelivery.id), 0))).scalar_one()


def settle(connection: Connection, delivery_id: int, outcome: Outcome, *, now: datetime) -> None:
    """Write down what became of a delivery; one that was replayed meanwhile is tried again all the same."""
    values: dict[str, Any] = {
        "state": outcome.state, "note": outcome.note[:300], "flags": outcome.flags,
        "attempts": InboxDelivery.attempts + 1, "done_at": None if outcome.state == "received" else now,
    }
    if outcome.order_ref is not None:
        values["order_ref"] = outcome.order_ref
    if outcome.due_at is not None:
        values["due_at"] = outcome.due_at
    connection.execute(update(InboxDelivery).where(
        InboxDelivery.id == delivery_id, InboxDelivery.state == "received").values(**values))


_LINES = select(
    InboxDelivery.id, InboxDelivery.topic, InboxDelivery.order_ref, InboxDelivery.state, InboxDelivery.attempts,
    InboxDelivery.note, InboxDelivery.flags, InboxDelivery.received_at, InboxDelivery.done_at,
    InboxDelivery.body_bytes, ShopConnection.name, ShopConnection.public_id, ShopConnection.kind, ShopConnection.shop,
).join(ShopConnection, ShopConnection.id == InboxDelivery.connection_id)


def list_deliveries(
    session: Session, *, state: str | None = None, shop: str | None = None, flagged: bool = False,
    order: str | None = None, before: int | None = None, limit: int = 50,
) -> tuple[list[Listed], int | None]:
    """Deliveries newest first, and where the next page begins; `shop` is a connection's id, `order` its order's."""
    if state is not None and state not in STATES:
        raise Invalid(f"Use one of {', '.join(STATES)}.", place="state")
    statement = _LINES
    if state is not None:
        statement = statement.where(InboxDelivery.state == state)
    if shop is not None:
        statement = statement.where(ShopConnection.public_id == shop)
    if flagged:
        statement = statement.where(InboxDelivery.flags != "")
    if order is not None:
        statement = statement.where(InboxDelivery.order_ref == order)
    if before is not None:
        statement = statement.where(InboxDelivery.id < before)
    rows = list(session.execute(statement.order_by(InboxDelivery.id.desc()).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def delivery(session: Session, delivery_id: int) -> tuple[InboxDelivery, ShopConnection]:
    """One delivery and its shop. Raises NotFound."""
    row = session.execute(
        select(InboxDelivery, ShopConnection).join(ShopConnection, ShopConnection.id == InboxDelivery.connection_id)
        .where(InboxDelivery.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    return row[0], row[1]


def state_counts(session: Session) -> dict[str, int]:
    """Deliveries by state."""
    rows = session.execute(select(InboxDelivery.state, func.count()).group_by(InboxDelivery.state))
    found: dict[str, int] = dict(rows.all())
    return {state: found.get(state, 0) for state in STATES}


def last_received(session: Session) -> dict[int, datetime]:
    """Connection -> when its newest delivery came."""
    newest = select(func.max(InboxDelivery.id)).group_by(InboxDelivery.connection_id)
    rows = session.execute(select(InboxDelivery.connection_id, InboxDelivery.received_at)
                           .where(InboxDelivery.id.in_(newest)))
    return {row[0]: row[1] for row in rows}


def replay(session: Session, delivery_id: int, *, now: datetime) -> None:
    """Work through one delivery again; what is newer meanwhile stands. Raises NotFound, Conflict without its body."""
    found, _shop = delivery(session, delivery_id)
    if found.body is None:
        raise Conflict("The body of this delivery was dropped; ask the shop to send it again.")
    found.state, found.attempts, found.due_at, found.done_at = "received", 0, now, None
    session.flush()


def replay_failed(session: Session, *, now: datetime) -> int:
    """Work through all failed deliveries again; returns how many."""
    return len(session.execute(
        update(InboxDelivery).where(InboxDelivery.state == "failed", InboxDelivery.body.is_not(None))
        .values(state="received", attempts=0, due_at=now, done_at=None).returning(InboxDelivery.id)).all())


def drop_bodies(connection: Connection, *, now: datetime) -> int:
    """Drop the bodies whose time is over; returns how many."""
    return connection.execute(
        update(InboxDelivery).where(
            InboxDelivery.body.is_not(None),
            or_(InboxDelivery.state.in_(("done", "ignored")) & (InboxDelivery.received_at < now - BODY_KEPT),
                (InboxDelivery.state == "failed") & (InboxDelivery.received_at < now - FAILED_BODY_KEPT)))
        .values(body=None).execution_options(preserve_rowcount=True)).rowcount


def _of(customer_id: int) -> Any:
    return select(InboxDelivery.id).join(ShopConnection, ShopConnection.id == InboxDelivery.connection_id).join(
        Order, (Order.shop == ShopConnection.shop) & (Order.external_id == InboxDelivery.order_ref)
    ).where(Order.customer_id == customer_id)


def held_deliveries(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """This door's part of a person's export: what shops told about their orders."""
    rows = session.execute(_LINES.where(InboxDelivery.id.in_(_of(customer_id))).order_by(InboxDelivery.id))
    return [{"shop": row.name, "topic": row.topic, "order_id": row.order_ref, "state": row.state,
             "received_at": row.received_at.isoformat().replace("+00:00", "Z")} for row in rows]


def erase_bodies(session: Session, customer_id: int) -> None:
    """Drop what shops wrote about this person's orders."""
    session.execute(update(InboxDelivery).where(InboxDelivery.id.in_(_of(customer_id)))
                    .values(body=None).execution_options(synchronize_session=False))

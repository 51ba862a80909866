"""What did this person do that the shop told us of?

Owns reading one person's events, forwards by key for programs and backwards by time for the story, and the list of
names that events have. Reads only; events come through the imports.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from customers.models import Event
from customers.people import find_customer


def list_events(
    session: Session, external_id: str, *, name: str | None = None, after: int = 0, limit: int = 100
) -> tuple[list[dict[str, Any]], int | None]:
    """One customer's events (of one name) in the order in which they came, and the next cursor. Raises NotFound."""
    customer = find_customer(session, external_id)
    rows = select(Event).where(Event.customer_id == customer.id, Event.id > after)
    if name is not None:
        rows = rows.where(Event.name == name)
    found = session.scalars(rows.order_by(Event.id).limit(limit + 1)).all()
    bodies = [{"customer": external_id, **event_body(event)} for event in found[:limit]]
    return bodies, found[limit - 1].id if len(found) > limit else None


def event_body(event: Event) -> dict[str, Any]:
    """One event as programs see it; instants ISO 8601 in UTC."""
    return {"id": event.external_id, "name": event.name, "at": _text(event.at), "source": event.source,
            "properties": event.properties, "recorded_at": _text(event.recorded_at)}


def events_before(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[Event]:
    """Events earlier than `before` (None: all), newest first."""
    rows = select(Event).where(Event.customer_id == customer_id)
    if before is not None:
        rows = rows.where(Event.at < before)
    return list(session.scalars(rows.order_by(Event.at.desc(), Event.id.desc()).limit(limit)))


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

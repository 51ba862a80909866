"""What is this person to us, beside being a customer?

Owns reading one person's relations with their organisations. Reads only; relations come through the imports.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from customers.models import Organisation, Relation


def relations_of(session: Session, customer_id: int) -> list[tuple[Relation, Organisation | None]]:
    """One person's relations with their organisations, in the order in which they came."""
    rows = session.execute(
        select(Relation, Organisation).outerjoin(Organisation, Organisation.id == Relation.organisation_id)
        .where(Relation.customer_id == customer_id).order_by(Relation.id))
    return [(row[0], row[1]) for row in rows]


def relation_bodies(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """One person's relations as JSON values."""
    return [relation_body(*row) for row in relations_of(session, customer_id)]


def relation_body(relation: Relation, organisation: Organisation | None) -> dict[str, Any]:
    """One relation as programs see it; instants ISO 8601 in UTC."""
    return {
        "id": relation.external_id, "kind": relation.kind, "role": relation.role,
        "organisation_id": organisation and organisation.external_id,
        "organisation": organisation and organisation.name,
        "since": _text(relation.since_at), "until": _text(relation.until_at),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

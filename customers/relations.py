"""What is this person to us, beside being a customer?

Owns reading people's relations with their organisations, and which of several is theirs. Reads only; relations come
through the imports.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, ScalarSelect, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import chunks
from customers.models import Organisation, Relation

_AT_ONCE = 5_000


def relations_of(session: Session, customer_id: int) -> list[tuple[Relation, Organisation | None]]:
    """One person's relations with their organisations, in the order in which they came."""
    rows = session.execute(
        select(Relation, Organisation).outerjoin(Organisation, Organisation.id == Relation.organisation_id)
        .where(Relation.customer_id == customer_id).order_by(Relation.id))
    return [(row[0], row[1]) for row in rows]


def organisations_at(connection: Connection, people: Mapping[int, int]) -> dict[int, str]:
    """Customer -> the organisation's number, for those of `people` (customer -> instant in microseconds) who belong to
    one then. Of several it is the one that came into our books first."""
    found: dict[int, tuple[int, str]] = {}
    for part in chunks(sorted(people), _AT_ONCE):
        for customer_id, number, name, since_us, until_us in connection.execute(
                select(Relation.customer_id, Organisation.id, Organisation.external_id,
                       type_coerce(Relation.since_at, BigInteger), type_coerce(Relation.until_at, BigInteger))
                .join(Organisation, Organisation.id == Relation.organisation_id)
                .where(in_ids(Relation.customer_id, part))):
            at_us = people[customer_id]
            if (since_us is None or since_us <= at_us) and (until_us is None or until_us > at_us):
                found[customer_id] = min(found.get(customer_id, (number, name)), (number, name))
    return {customer_id: name for customer_id, (_number, name) in found.items()}


def organisation_at(customer_id: Any, at_us: Any) -> ScalarSelect[int]:
    """The same as a column: the id of the organisation of a person at an instant; null for who belongs to none."""
    return (
        select(func.min(Relation.organisation_id))
        .where(Relation.customer_id == customer_id, Relation.organisation_id.is_not(None),
               or_(Relation.since_at.is_(None), type_coerce(Relation.since_at, BigInteger) <= at_us),
               or_(Relation.until_at.is_(None), type_coerce(Relation.until_at, BigInteger) > at_us))
        .scalar_subquery())


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

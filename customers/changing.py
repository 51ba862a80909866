"""How are further attributes of many people set at once?

Owns setting attributes that no file brought: one statement for a whole batch. The promise: an attribute keeps the type
it was first given, whoever gives it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, cast, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from core.arrays import in_ids, in_texts
from core.errors import Invalid
from customers.consents import lock_customers
from customers.models import AttributeType, Customer

Value = str | bool | int | float | None

_SPOKEN = {"number": "a number", "boolean": "true or false", "date": "a date such as 2026-03-01", "text": "a text"}


def kind_of(value: Value) -> str | None:
    """The type of a value; None for taking an attribute away."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    try:
        return "date" if date.fromisoformat(value).isoformat() == value else "text"
    except ValueError:
        return "text"


def misfits(connection: Connection, values: Mapping[str, Value]) -> dict[str, str]:
    """Attribute -> what it holds, in words, for those whose value is of another type than the attribute."""
    kinds: dict[str, str] = dict(connection.execute(
        select(AttributeType.name, AttributeType.kind).where(in_texts(AttributeType.name, list(values)))).all())
    return {name: _SPOKEN[kinds[name]] for name, value in values.items()
            if name in kinds and value is not None and kind_of(value) != kinds[name]
            and not (kinds[name] == "text" and isinstance(value, str))}


def set_attributes(connection: Connection, customer_ids: Sequence[int], values: Mapping[str, Value]) -> None:
    """Set these attributes for all of these people; None takes one away. New ones get the type of their value.

    Raises Invalid when a value does not fit the attribute's type.
    """
    wrong = misfits(connection, values)
    if wrong:
        name = min(wrong)
        raise Invalid(f"The attribute {name} holds {wrong[name]}.", place=name)
    known = set(connection.scalars(
        select(AttributeType.name).where(in_texts(AttributeType.name, list(values)))))
    new = [{"name": name, "kind": kind_of(value)} for name, value in sorted(values.items())
           if name not in known and value is not None]
    if new:
        connection.execute(insert(AttributeType), new)
    lock_customers(connection, sorted(set(customer_ids)))
    connection.execute(update(Customer).where(in_ids(Customer.id, sorted(set(customer_ids))))
                       .values(attributes=_patched(connection.dialect.name, values)))


def _patched(dialect: str, values: Mapping[str, Value]) -> Any:
    if dialect == "sqlite":  # a null takes the key away
        return func.json_patch(Customer.attributes, literal(json.dumps(values)))
    given = {name: value for name, value in values.items() if value is not None}
    result: Any = Customer.attributes.op("||")(cast(literal(json.dumps(given)), JSONB))
    for name, value in values.items():
        if value is None:
            result = result.op("-")(literal(name))
    return result

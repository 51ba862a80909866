"""Which values can be chosen for a word of a rule, and how many people stand behind each?

Owns the lists that value pickers offer, read from what is stored: categories with the people who bought them, countries
with the people who live there. Small bases are answered by the row store, large ones by the newest mirror as it is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, bindparam, func, literal, not_, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.texts import folded
from customers.models import AttributeType
from segments.compiling.facts import ADDRESSES, CUSTOMERS
from segments.compiling.sources import (
    CODES,
    CONTACTS,
    EVENTS,
    LINES,
    MESSAGES,
    OFFERS,
    ORDERS,
    ORGANISATIONS,
    RELATIONS,
)
from segments.dialects.portable import attribute, attribute_text, fold, holds_text, property_text
from segments.engines.questions import Questions
from segments.language.fields import ATTRIBUTES, CUSTOMER_FIELDS, LINE_WHERE, WHERE
from segments.language.values import read_property

MOST = 50
_ORDER_COLUMNS = {"shop": "shop", "status": "status", "via": "ordered_via", "coupon": "coupon_code",
                  "currency": "currency"}


@dataclass(frozen=True)
class Choice:
    """One value and the people it concerns."""

    value: str
    people: int


def choices(
    questions: Questions, source: str, word: str, *, now: datetime, event: str = "", text: str = "", limit: int = MOST
) -> list[Choice]:
    """The most frequent values of a word, those that contain `text`, with people; at most `limit`.

    `source` is customer, orders, contacts, messages, coupons or relations; `word` a field or a word of its `where`. Of
    events it is `name`; with `event`, the name of one, it is a property of that event, whatever either is called.
    Raises Invalid for a word without choices, NotReady when a large base has no mirror yet.
    """
    column, person, origin, holds, mirrored = _place(source, word, event)
    people = func.count(person.distinct())
    statement = select(column, people).select_from(origin).where(
        column.is_not(None), column != literal(""), *holds).group_by(column)
    if text.strip():
        statement = statement.where(holds_text(fold(column), bindparam(None, folded(text.strip()))))
    statement = statement.order_by(people.desc(), column).limit(min(limit, MOST))
    found = questions.read(statement, now=now, mirrored=mirrored)
    return [Choice(str(value), int(count)) for value, count in found.value]


Place = tuple[ColumnElement[Any], ColumnElement[Any], FromClause, tuple[ColumnElement[bool], ...], bool]


def _place(source: str, word: str, event: str) -> Place:
    """The column of the values, of the people, the table, what must hold, and whether the mirror has it."""
    if source == "customer":
        return _of_person(word)
    if source == "events":
        return _of_events(event, word)
    if word not in WHERE.get(source, ()) or word == "min_unit_price":
        raise Invalid(f"There is nothing to choose for {word[:60]}.", place="word")
    if source == "orders":
        table = LINES if word in LINE_WHERE else ORDERS
        column = table.c[word] if word in LINE_WHERE else ORDERS.c[_ORDER_COLUMNS[word]]
        return column, table.c.customer_id, table, (not_(table.c.cancelled),), True
    if source == "coupons":
        origin = CODES.join(OFFERS, OFFERS.c.id == CODES.c.offer_id) if word == "offer" else CODES
        column = OFFERS.c.key if word == "offer" else CODES.c.campaign
        return column, CODES.c.customer_id, origin, (CODES.c.customer_id.is_not(None),), False
    if source == "relations":
        firms = RELATIONS.join(ORGANISATIONS, ORGANISATIONS.c.id == RELATIONS.c.organisation_id)
        firm = word == "organisation"
        return (ORGANISATIONS.c.name if firm else RELATIONS.c[word]), RELATIONS.c.customer_id, (
            firms if firm else RELATIONS), (), True
    table = CONTACTS if source == "contacts" else MESSAGES
    return table.c[word], table.c.customer_id, table, (), True


def _of_events(event: str, word: str) -> Place:
    """Names of events, or the values of a property of one of them."""
    if event:
        column = attribute(property_text, EVENTS.c.properties, read_property(word, "word"))
        return column, EVENTS.c.customer_id, EVENTS, (EVENTS.c.name == event,), True
    if word == "name":
        return EVENTS.c.name, EVENTS.c.customer_id, EVENTS, (), True
    raise Invalid(f"There is nothing to choose for {word[:60]}.", place="word")


def _of_person(name: str) -> Place:
    here = CUSTOMERS.c.forgotten_at.is_(None)
    if name.startswith(ATTRIBUTES):
        column = attribute(attribute_text, CUSTOMERS.c.attributes, name.removeprefix(ATTRIBUTES))
        return column, CUSTOMERS.c.id, CUSTOMERS, (here,), True
    field = CUSTOMER_FIELDS.get(name)
    if field is None or field.kind != "text":
        raise Invalid(f"There is nothing to choose for {name[:60]}.", place="word")
    if field.channel is None:
        return CUSTOMERS.c[field.column], CUSTOMERS.c.id, CUSTOMERS, (here,), True
    on_channel = ADDRESSES.c.channel == field.channel
    return ADDRESSES.c[field.column], ADDRESSES.c.customer_id, ADDRESSES, (on_channel,), True


def attribute_types(session: Session) -> dict[str, str]:
    """The further columns customers were imported with: name to type (number, boolean, date, text)."""
    return {row.name: row.kind for row in session.scalars(select(AttributeType).order_by(AttributeType.name))}

"""What does the shop have that a rule can name: currencies, stores, events with their properties, scores?

Owns the short lists beside the values of segments/choosing/choices.py, read from the row store for the page that edits
a rule.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from customers.models import Event, Order, ScoreName, Store

LOOKED_AT = 200
"""Newest events of a name whose properties are collected."""
MOST_STORES = 500


def usual_currency(session: Session) -> str | None:
    """The currency of the newest order; None without orders."""
    return session.scalar(select(Order.currency).order_by(Order.id.desc()).limit(1))


def store_names(session: Session) -> dict[str, str]:
    """The stores by number, in the order of their names."""
    found = session.execute(select(Store.external_id, Store.name).order_by(Store.name, Store.external_id)
                            .limit(MOST_STORES))
    return {number: name or number for number, name in found}


def event_properties(session: Session, name: str) -> tuple[str, ...]:
    """The names of the properties that the newest events of this name carry, in the order of the alphabet."""
    found = session.scalars(select(Event.properties).where(Event.name == name).order_by(Event.id.desc())
                            .limit(LOOKED_AT))
    return tuple(sorted({key for properties in found for key in properties or {}}))


def score_names(session: Session) -> tuple[str, ...]:
    """The scores that somebody has, computed here or told by the shop."""
    return tuple(session.scalars(select(ScoreName.name).order_by(ScoreName.name)))

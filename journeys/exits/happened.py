"""Has come to pass what somebody waits for?

Owns the question that a wait_for step asks of a batch, on the row store: an event, an order, a redemption, a rule. Only
what happened after the person came to the step counts, except for a rule, which holds or does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.arrays import in_ids
from customers.models import Event
from journeys.exits.exits import orders_for, who_redeemed
from journeys.exits.mates import with_mates
from journeys.graphs.graph import WaitFor
from journeys.graphs.plans import Plan
from segments.engines.members import matching

Where = Sequence[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Waiting:
    """People at one wait_for step; equally long columns, `since_us` is when they came there."""

    ids: Sequence[int]
    customer_ids: Sequence[int]
    since_us: Sequence[int]


def happened(connection: Connection, plan: Plan, step: WaitFor, people: Waiting, *, now: datetime) -> set[int]:
    """The positions of those for whom it has come to pass."""
    if not people.ids:
        return set()
    customers, since = people.customer_ids, people.since_us
    if step.rule is not None:
        members = matching(connection, step.rule, customers, as_of=now)
        return {place for place, customer in enumerate(customers) if customer in members}
    if step.redeemed:
        redeemed = who_redeemed(connection, with_mates(connection, customers, [plan]), now=now)
        return {place for place, enrolment in enumerate(people.ids) if enrolment in redeemed}
    if step.ordered:
        newest = orders_for(connection, customers, plan, categories=step.categories, since_us=min(since), now=now)
    else:
        newest = _newest_events(connection, step, customers, since_us=min(since), now=now)
    return {place for place, customer in enumerate(customers) if newest.get(customer, -1) > since[place]}


def _newest_events(
    connection: Connection, step: WaitFor, customer_ids: Sequence[int], *, since_us: int, now: datetime
) -> dict[int, int]:
    rows = connection.execute(
        select(Event.customer_id, type_coerce(Event.at, BigInteger), Event.properties)
        .where(in_ids(Event.customer_id, customer_ids), Event.name == step.event, Event.at > since_us, Event.at <= now)
        .order_by(Event.at))
    return {customer: at_us for customer, at_us, properties in rows if fits(properties, step.where)}


def fits(properties: Mapping[str, Any], where: Where) -> bool:
    """Whether an event has these properties: each of them with one of its texts, as rules about events see it."""
    return all(name in properties and as_text(properties[name]) in texts for name, texts in where)


def as_text(value: object) -> str | None:
    """A property as text: 129.9, true, /sale; None when it is empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)

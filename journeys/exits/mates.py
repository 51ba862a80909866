"""Who lives with the people inside a journey that speaks to one of each household?

Owns the way from a person to the household and back: what a member does concerns whoever of them is inside.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select
from sqlalchemy.orm import aliased

from core.arrays import in_ids
from core.bulk import chunks
from customers.models import Customer
from journeys.graphs.plans import Plan

HOUSEHOLD = "household"
_AT_ONCE = 5_000


def with_mates(connection: Connection, customer_ids: Sequence[int], plans: Iterable[Plan]) -> list[int]:
    """These people, and where one of the plans speaks to households who lives with them, too; rising."""
    if not any(plan.graph.unit == HOUSEHOLD for plan in plans):
        return list(customer_ids)
    return sorted({*customer_ids, *mates_of(connection, customer_ids)})


def mates_of(connection: Connection, customer_ids: Sequence[int]) -> dict[int, list[int]]:
    """Everybody who lives with one of these people -> those of them they live with."""
    me, mate = aliased(Customer), aliased(Customer)
    found: dict[int, list[int]] = {}
    for part in chunks(customer_ids, _AT_ONCE):
        for own, other in connection.execute(
                select(me.id, mate.id).join(mate, mate.household == me.household)
                .where(in_ids(me.id, part), me.household != "", mate.id != me.id)):
            found.setdefault(other, []).append(own)
    return found


def newest_of_homes(newest: Mapping[int, int], mates: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Person -> when they, or somebody who lives with them, did something last."""
    found = dict(newest)
    for other, people in mates.items():
        if other in newest:
            for person in people:
                found[person] = max(found.get(person, newest[other]), newest[other])
    return found

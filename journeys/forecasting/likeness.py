"""How alike do the people answer who would be drawn as one?

Owns the sums over the organisations of a forecast's people, by who of them ordered in as many days before: what people
of one organisation have in common there is what the comparison to come will pay for.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.arrays import in_texts
from core.statistics.clusters import ClusterSums
from customers.models import OrderLine
from customers.relations import organisations_at
from journeys.models import Enrolment


def ordered_before(
    connection: Connection, journey_id: int, *, begins_us: int, length_us: int, categories: Sequence[str]
) -> ClusterSums:
    """Of everybody who entered: people and orderers (in the categories; none: in any) per organisation. Who belongs to
    none is a unit alone."""
    people: dict[int, int] = dict(connection.execute(
        select(Enrolment.customer_id, type_coerce(Enrolment.entered_at, BigInteger))
        .where(Enrolment.journey_id == journey_id, Enrolment.state != "excluded")).all())
    at = type_coerce(OrderLine.ordered_at, BigInteger)
    bought = select(OrderLine.customer_id).distinct().where(
        at >= begins_us - length_us, at < begins_us, OrderLine.cancelled.is_(False))
    if categories:
        bought = bought.where(in_texts(OrderLine.category, categories))
    hits, firms = set(connection.scalars(bought)), organisations_at(connection, people)
    units: dict[str | int, list[int]] = {}
    for customer in people:
        unit = units.setdefault(firms.get(customer, customer), [0, 0])
        unit[0] += 1
        unit[1] += customer in hits
    return ClusterSums.from_pairs((size, ordered) for size, ordered in units.values())

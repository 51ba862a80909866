"""When does a person's code end, so that a wait for it knows?

Owns reading the end of the code that an enrolment holds of an offer; who holds none that ends goes on at once.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.arrays import in_ids
from coupons.models import Code
from journeys.exits.exits import enrolment_of
from journeys.graphs import steps
from journeys.graphs.graph import Wait
from journeys.graphs.plans import Plan


def before_code_ends(
    connection: Connection, plan: Plan, step: Wait, enrolment_ids: Sequence[int], customer_ids: Sequence[int],
    zones: Sequence[str], *, now_us: int,
) -> list[int]:
    """Per person when to go on, in microseconds."""
    rows = connection.execute(
        select(Code.origin, type_coerce(Code.valid_until, BigInteger))
        .where(Code.offer_id == plan.offers[step.code_ends or ""], Code.state == "issued",
               in_ids(Code.customer_id, customer_ids)).order_by(Code.id))
    ends = {enrolment_of(origin): until_us for origin, until_us in rows}
    known = [(place, zone, end) for place, zone in enumerate(zones)
             if (end := ends.get(enrolment_ids[place])) is not None]
    dues = steps.due_before_end(step, [end for _, _, end in known], [zone for _, zone, _ in known])
    result = [now_us] * len(zones)
    for (place, _zone, _end), due in zip(known, dues, strict=True):
        result[place] = due
    return result

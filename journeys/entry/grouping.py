"""May somebody be in two journeys at once?

Owns groups of journeys: a person is in one journey of a group at a time. Who stands in another one stays out, with the
reason; a journey of higher priority takes the person over, and what the other had not yet sent is taken back. People
left alone for comparison count as inside, so that what a journey is measured against is treated like its people.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from core.arrays import in_ids
from customers.consents import lock_customers
from journeys.exits.leaving import leave
from journeys.graphs.plans import Plan, load_plans
from journeys.models import Enrolment
from journeys.states import INSIDE, MAY_EXIT

IN_ANOTHER = "group"
TAKEN_OVER = "taken_over"


def make_way(connection: Connection, plan: Plan, customer_ids: Sequence[int], *, now: datetime) -> Mapping[int, str]:
    """Who of these people has to stay out of the journey (customer -> reason); those it takes over leave where they
    are. The customers are locked, so that two journeys of a group never take the same person at once."""
    if plan.graph.group is None or not customer_ids:
        return {}
    others = {version_id: other for version_id, other in load_plans(connection, states=("running", "paused")).items()
              if other.graph.group == plan.graph.group and other.journey_id != plan.journey_id}
    if not others:
        return {}
    lock_customers(connection, sorted(set(customer_ids)))
    rows = connection.execute(
        select(Enrolment.id, Enrolment.customer_id, Enrolment.version_id, Enrolment.state)
        .where(in_ids(Enrolment.customer_id, customer_ids), in_ids(Enrolment.version_id, sorted(others)),
               Enrolment.state.in_(INSIDE)).order_by(Enrolment.id)).all()
    stay_out = {row.customer_id: IN_ANOTHER for row in rows
                if others[row.version_id].graph.priority >= plan.graph.priority}
    overtaken = {row.id: TAKEN_OVER for row in rows if row.customer_id not in stay_out and row.state in MAY_EXIT}
    if overtaken:
        leave(connection, overtaken, to="exited", now=now)
    return stay_out

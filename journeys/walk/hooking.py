"""What does a webhook step tell, and to whom?

Owns putting one call per person and visit into delivery's queue. The promise: what is told is the customer's number,
where they stand and what the step's author wrote; no name, no address, no code.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from delivery.hook_outbox import CallColumns, queue_calls
from journeys.graphs.graph import Webhook
from journeys.graphs.plans import Plan


def tell(
    connection: Connection, plan: Plan, step: Webhook, *, enrolment_ids: Sequence[int], customer_ids: Sequence[int],
    external_ids: Sequence[str], arms: Sequence[str | None], visits: Sequence[int], now: datetime,
) -> None:
    """Queue a call for each of these people."""
    own = dict(step.data)
    queue_calls(connection, CallColumns(
        receiver_id=plan.receivers[step.receiver], kind=step.event, campaign=plan.campaign,
        occasion=[f"{enrolment}.{step.key}.{visit}" for enrolment, visit in zip(enrolment_ids, visits, strict=True)],
        customer_id=customer_ids, enrolment_ref=enrolment_ids, queued_at=now, due_at=now,
        data=[{"customer": external, "journey": plan.journey_key, "campaign": plan.campaign, "step": step.key,
               "arm": arm, **({"data": own} if own else {})}
              for external, arm in zip(external_ids, arms, strict=True)]))

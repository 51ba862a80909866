"""What happens to people whose steps became due while the journey stood still, when their messages are left out?

Owns walking them on in silence: each message they would have got is a row of the ledger that says why it was not sent,
and they go on to wherever they would stand now. Nobody who became due before the pause is concerned.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import plain_rows
from journeys.graphs.plans import load_plans
from journeys.models import Enrolment, Journey
from journeys.walk.claiming import CLAIM
from journeys.walk.speaking import Shelf
from journeys.walk.walking import Walk


def pass_in_silence(
    session: Session, journey: Journey, *, since: datetime, now: datetime, after: int, limit: int
) -> Sequence[int]:
    """Walk those who became due after `since`, up to `now`, without saying anything; returns their ids, rising, at most
    `limit` of those above `after`."""
    connection = session.connection()
    plans = {version_id: plan for version_id, plan in load_plans(connection, states=("running",)).items()
             if plan.journey_id == journey.id}
    ids = connection.scalars(
        select(Enrolment.id).where(Enrolment.journey_id == journey.id, Enrolment.state == "active",
                                   Enrolment.due_at > since, Enrolment.due_at <= now, Enrolment.id > after)
        .order_by(Enrolment.id).limit(limit)).all()
    rows = plain_rows(connection, CLAIM.where(in_ids(Enrolment.id, ids)))
    Walk(session, plans, rows, now=now, secret_key="", shelf=Shelf(), silent=True).run()
    return ids

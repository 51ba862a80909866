"""What came of the calls that people at a call step wait for?

Owns reading the outcome of a call off the ledger and the desk. A call that was never made, whatever the reason, counts
as not reached, with that reason.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from core.arrays import in_ids
from delivery.models import CallTask, Message
from journeys.graphs.graph import Call

OPEN = ("queued", "claimed", "handed_over")


def outcomes(
    connection: Connection, step: Call, enrolment_ids: Sequence[int], visits: Sequence[int]
) -> dict[int, tuple[str, str | None] | None]:
    """By position: the way and the reason; None: the call is still to be made. Who has none yet is not there."""
    rows = connection.execute(
        select(Message.occasion, Message.enrolment_ref, Message.state, Message.reason, CallTask.outcome)
        .outerjoin(CallTask, CallTask.message_id == Message.id)
        .where(in_ids(Message.enrolment_ref, enrolment_ids), Message.step == step.key))
    found = {row.occasion: row for row in rows}
    result: dict[int, tuple[str, str | None] | None] = {}
    for place, (enrolment_id, visit) in enumerate(zip(enrolment_ids, visits, strict=True)):
        row = found.get(f"{enrolment_id}.{step.key}.{visit}.0")
        if row is None:
            continue
        if row.state in OPEN:
            result[place] = None
        elif row.state == "sent":
            result[place] = ("not_interested" if row.outcome == "not_interested" else "reached", None)
        else:
            result[place] = ("not_reached", row.reason)
    return result

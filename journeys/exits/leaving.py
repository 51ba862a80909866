"""How do people leave a journey before its end, many at once?

Owns the one way out for exits, window ends and journeys ended by hand: the visit is closed with the reason, the
enrolment moves, and what has not left the house is taken back, all in the caller's transaction.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.arrays import in_ids
from core.types import to_us
from delivery.outbox import cancel
from journeys.models import Enrolment
from journeys.states import INSIDE, MAY_EXIT, move
from journeys.visits import record_visits, ways_of

REASONS: Mapping[str, str] = {
    "redeemed": "redeemed the code",
    "ordered": "ordered in the campaign's goal",
    "unsubscribed": "said no to a channel",
    "complained": "complained",
    "rule": "a rule for leaving held",
    "taken_over": "another journey of its group took over",
    "group": "is in another journey of its group",
    "household": "another person of the household is in it",
    "left_alone": "left alone by the house, while the organisation is drawn as one",
    "window_over": "the window closed",
    "ended": "the journey was ended",
    "erased": "data erased",
    "retired": "this version of the journey was ended",
    "released": "let out by a colleague after an error",
}
"""Reason of leaving -> in words."""


def leave(connection: Connection, reasons: Mapping[int, str], *, to: str, now: datetime) -> int:
    """Let these enrolments (id -> key of REASONS) leave for `to`; returns how many left.

    Who stands nowhere any more (finished, exited) is not moved, but messages still in the house are taken back too.
    """
    inside = INSIDE if to == "over" else MAY_EXIT
    rows = connection.execute(
        select(Enrolment.id, Enrolment.visit, Enrolment.step, type_coerce(Enrolment.step_entered_at, BigInteger),
               Enrolment.version_id, Enrolment.held_out)
        .where(in_ids(Enrolment.id, list(reasons)), Enrolment.state.in_(inside))
        .order_by(Enrolment.id).with_for_update()
    ).all()
    moved: set[int] = set()
    by_reason: dict[str, list[int]] = {}
    for enrolment_id, reason in reasons.items():
        by_reason.setdefault(reason, []).append(enrolment_id)
    for reason, ids in sorted(by_reason.items()):
        chosen = {row[0] for row in rows} & set(ids)
        mended = {"error": None} if to == "exited" else {}  # who has a reason to leave has no error to be looked at
        moved |= set(move(connection, chosen, to, from_=inside, now=now, left_reason=reason, **mended))
        cancel(connection, sorted(ids), reason=REASONS[reason], now=now)
    standing = [row for row in rows if row[0] in moved and row[2] is not None]
    if standing:
        ids_, numbers, steps, entered, versions, held = zip(*standing, strict=True)
        record_visits(connection, {
            "enrolment_id": ids_, "number": numbers, "step": steps, "entered_at": entered,
            "left_at": [to_us(now)] * len(standing), "outcome": [to] * len(standing),
            "detail": [REASONS[reasons[enrolment_id]] for enrolment_id in ids_],
        }, ways_of(versions, steps, [to] * len(standing), held))
    return len(moved)

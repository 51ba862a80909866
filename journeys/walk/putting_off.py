"""By how long is somebody's wait put off, and how does that outlast a fresh look at it?

Owns what a pause leaves behind where everything was moved by its length: the end of a wait then lies later than its
step and its messages give. Whoever looks at such people again (brings them to another version, tells the real day of a
letter's posting) asks here before, and puts the new end off by as much after. The promise: nobody's message goes out
early because of that look.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, select, type_coerce
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_update, plain_rows
from core.types import to_us
from journeys.graphs.graph import Wait, WaitFor
from journeys.graphs.plans import plans_of
from journeys.models import Enrolment
from journeys.walk.claiming import CLAIM
from journeys.walk.speaking import Shelf
from journeys.walk.walking import Walk


def put_off(session: Session, enrolment_ids: Sequence[int], *, now: datetime) -> dict[int, int]:
    """Enrolment -> how many microseconds later than its step and messages give its wait ends; who is at no wait, or is
    not put off, is not there."""
    planned: dict[int, int | None] = dict(session.execute(
        select(Enrolment.id, type_coerce(Enrolment.due_at, BigInteger))
        .where(in_ids(Enrolment.id, enrolment_ids), Enrolment.until_at.is_(None))).all())
    planned |= dict(session.execute(
        select(Enrolment.id, type_coerce(Enrolment.until_at, BigInteger))
        .where(in_ids(Enrolment.id, enrolment_ids), Enrolment.until_at.is_not(None))).all())
    found = {}
    for enrolment_id, (end_us, _stands) in _ends(session, enrolment_ids, now=now).items():
        due_us = planned.get(enrolment_id)
        # Who is due already was put off until then at the most, and walks now.
        if due_us is not None and due_us > max(end_us, to_us(now)):
            found[enrolment_id] = due_us - end_us
    return found


def wait_on(session: Session, enrolment_ids: Sequence[int], late: Mapping[int, int], *, now: datetime) -> None:
    """Reckon anew when the waits of these people end, put off by `late` as `put_off` gave it before they were touched;
    whose wait is not over stands until then."""
    due: dict[int, int] = {}
    until: dict[int, int] = {}
    for enrolment_id, (end_us, stands) in _ends(session, enrolment_ids, now=now).items():
        (due if stands else until)[enrolment_id] = end_us + late.get(enrolment_id, 0)
    later = {enrolment_id: end_us for enrolment_id, end_us in due.items() if end_us > to_us(now)}
    for name, ends in (("due_at", later), ("until_at", until)):
        if ends:
            bulk_update(session.connection(), Enrolment.__table__, "id",  # type: ignore[arg-type]
                        {"id": list(ends), name: list(ends.values())})


def _ends(session: Session, enrolment_ids: Sequence[int], *, now: datetime) -> dict[int, tuple[int, bool]]:
    """Enrolment -> the end of its wait by its step and messages, in microseconds, and whether nothing else can end it;
    without those who wait for a message first."""
    rows = plain_rows(session.connection(), CLAIM.where(in_ids(Enrolment.id, enrolment_ids)))
    plans = plans_of(session.connection(), {row[2] for row in rows})
    walk = Walk(session, plans, rows, now=now, secret_key="", shelf=Shelf())
    standing: dict[tuple[int, str], list[int]] = {}
    for place, (version_id, step) in enumerate(zip(walk.versions, walk.step, strict=True)):
        standing.setdefault((version_id, step), []).append(place)
    found: dict[int, tuple[int, bool]] = {}
    for (version_id, key), places in sorted(standing.items()):
        step = plans[version_id].graph.steps[key]
        if isinstance(step, Wait | WaitFor):
            ends = walk.ends(plans[version_id], step if isinstance(step, Wait) else step.timeout, places)
            found |= {walk.ids[place]: (end_us, isinstance(step, Wait)) for place, end_us in ends.items()}
    return found

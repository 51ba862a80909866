"""The print shop says when it really posted a day's letters: who waits for whom, and from when?

Owns taking over real posting dates, and the letters that crossed with an order in the post. Arrival, the validity of
codes and every wait that counts from the letter are reckoned anew from the day of posting. The promise: telling the
same day twice is harmless, and nobody who has passed a wait is brought back.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import chunks
from core.errors import Invalid, NotFound
from delivery.arrival import expected_arrival
from delivery.models import Message
from journeys.models import Enrolment
from journeys.walk.putting_off import put_off, wait_on

AT_ONCE = 5_000
POSTED_AT = time(12, tzinfo=UTC)
"""By noon of that day; the hour is nobody's promise."""
LONGEST_DAYS = 60


def posted(session: Session, run_on: date, posted_on: date, *, now: datetime) -> int:
    """The letters handed over on `run_on` were posted on `posted_on`; returns how many that concerns.

    Raises NotFound when none were handed over that day, Invalid for a day before that, in the future or far away.
    """
    if not run_on <= posted_on <= now.date() or posted_on - run_on > timedelta(days=LONGEST_DAYS):
        raise Invalid("Letters are posted on the day they were handed over, or in the weeks after it; not in the "
                      "future.", place="posted_on")
    begins = datetime.combine(run_on, time(), UTC)
    rows = session.execute(
        select(Message.id, Message.enrolment_ref)
        .where(Message.channel == "letter", Message.state == "sent", Message.released_at >= begins,
               Message.released_at < begins + timedelta(days=1)).order_by(Message.id)).all()
    if not rows:
        raise NotFound(f"No letters were handed over on {run_on}.")
    # Nothing is posted later than now: what is redeemed this morning crosses a letter of today.
    at = min(datetime.combine(posted_on, POSTED_AT), now)
    for part in chunks(rows, AT_ONCE):
        people = [row.enrolment_ref for row in part if row.enrolment_ref is not None]
        late = put_off(session, people, now=now)
        # The followers of settled messages hear of it and count the codes' days anew.
        session.execute(
            update(Message).where(in_ids(Message.id, [row.id for row in part]))
            .values(sent_at=at, expected_at=expected_arrival("letter", at))
            .execution_options(synchronize_session=False))
        # Whoever waits is looked at now: a wait that is not over yet gets its new end then.
        session.execute(
            update(Enrolment).where(
                in_ids(Enrolment.id, people), Enrolment.state == "active", Enrolment.due_at.is_not(None))
            .values(due_at=now).execution_options(synchronize_session=False))
        wait_on(session, sorted(late), late, now=now)
    return len(rows)


def read_day(text: str, place: str) -> date:
    """A day as 2026-11-22; raises Invalid."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("Write a day such as 2026-11-22.", place=place) from None


@dataclass(frozen=True)
class Crossing:
    """A letter that was on its way when the person did what it asks for: when it was posted, when that happened (why:
    ordered or redeemed), and when it was expected to arrive."""

    customer_id: int
    campaign: str | None
    posted_at: datetime
    left_at: datetime
    expected_at: datetime
    why: str


def crossed(
    session: Session, *, campaign: str | None = None, customer_id: int | None = None, limit: int = 100
) -> list[Crossing]:
    """Letters that crossed with an order or a redemption in the post, newest first; of one campaign or person."""
    rows = session.execute(_crossings(campaign, customer_id).order_by(Message.id.desc()).limit(limit)).all()
    return [Crossing(message.customer_id, message.campaign, message.sent_at, enrolment.left_at, message.expected_at,
                     enrolment.left_reason) for message, enrolment in rows]


def count_crossed(session: Session, campaign: str) -> int:
    """How many letters of a campaign crossed in the post."""
    mine = _crossings(campaign, None).with_only_columns(Message.id).subquery()
    return session.scalar(select(func.count()).select_from(mine)) or 0


def _crossings(campaign: str | None, customer_id: int | None) -> Select[*tuple[Any, ...]]:
    query = select(Message, Enrolment).join(Enrolment, Enrolment.id == Message.enrolment_ref).where(
        Message.channel == "letter", Message.state == "sent", Enrolment.left_reason.in_(("ordered", "redeemed")),
        Enrolment.left_at >= Message.sent_at, Enrolment.left_at < Message.expected_at)
    if campaign is not None:
        query = query.where(Message.campaign == campaign)
    return query if customer_id is None else query.where(Message.customer_id == customer_id)

"""What became of a campaign's messages, group by group?

Owns the counts over the ledger that a report shows: by hold-out, arm, state and reason, with what they cost.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from delivery.models import Message
from reporting.audience import Frame, people


@dataclass(frozen=True)
class MessageCount:
    """Messages of one group in one state for one reason."""

    held_out: bool
    arm: str
    state: str
    reason: str | None
    messages: int
    cost_cents: int


def messages(session: Session, frame: Frame) -> list[MessageCount]:
    """The campaign's ledger by hold-out, arm, state and reason."""
    who = people(frame)
    keys = (who.c.held_out, who.c.arm, Message.state, Message.reason)
    rows = session.execute(
        select(*keys, func.count(), func.sum(Message.cost_cents))
        .join_from(who, Message, Message.customer_id == who.c.customer_id)
        .where(Message.campaign == frame.key).group_by(*keys).order_by(*keys))
    return [MessageCount(bool(row[0]), row[1], row[2], row[3], row[4], int(row[5] or 0)) for row in rows]

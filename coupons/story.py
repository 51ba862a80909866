"""What became of one code?

Owns the life of a single code as pages tell it: its issue, every redemption with what was taken back, every refusal,
every reservation,
its withdrawal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coupons.issuing import revoke
from coupons.models import Code, Redemption, Refusal, Reservation
from coupons.showing import find_code

MOST = 200


@dataclass(frozen=True)
class CodeStory:
    """A code as programs see it, its redemptions, refusals and reservations, newest first; at most 200 of each."""

    body: dict[str, Any]
    redemptions: list[Redemption]
    refusals: list[Refusal]
    reservations: list[Reservation]


def code_story(session: Session, text: str, *, now: datetime) -> CodeStory:
    """The story of the code as somebody typed it. Raises NotFound."""
    body = find_code(session, text, now=now)
    code_id = session.scalars(select(Code.id).where(Code.code == body["code"])).one()
    redemptions = select(Redemption).where(Redemption.code_id == code_id)
    refusals = select(Refusal).where(Refusal.code_id == code_id)
    return CodeStory(
        body,
        list(session.scalars(redemptions.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(MOST))),
        list(session.scalars(refusals.order_by(Refusal.at.desc(), Refusal.id.desc()).limit(MOST))),
        list(session.scalars(select(Reservation).where(Reservation.code_id == code_id)
                             .order_by(Reservation.reserved_at.desc(), Reservation.id.desc()).limit(MOST))),
    )


def revoke_code(session: Session, text: str, *, reason: str, now: datetime) -> bool:
    """Withdraw one code as somebody typed it; False when it is used or withdrawn already. Raises NotFound."""
    body = find_code(session, text, now=now)
    code_id = session.scalars(select(Code.id).where(Code.code == body["code"])).one()
    return revoke(session.connection(), [code_id], reason=reason, now=now) == 1

"""What became of one code?

Owns the life of a single code as pages tell it: what it is and where it came from, every redemption with what was taken
back, every refused try, every reservation, every renewal by an agent, and the orders it was used for as the shop told
of them since.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from coupons.codes.showing import find_code
from coupons.models import Batch, Code, CodeRenewal, Offer, Redemption, Refusal, Reservation
from customers.models import Order, OrderLine
from customers.story import with_lines

MOST = 200


@dataclass(frozen=True)
class CodeStory:
    """A code as programs see it, its rows, and what happened to it, newest first; at most 200 of each.

    `orders` are those of its redemptions that the facts book knows, with their lines.
    """

    body: dict[str, Any]
    code: Code
    offer: Offer
    batch: Batch | None
    redemptions: list[Redemption]
    refusals: list[Refusal]
    reservations: list[Reservation]
    renewals: list[CodeRenewal]
    orders: list[tuple[Order, list[OrderLine]]]


def code_story(session: Session, text: str, *, now: datetime) -> CodeStory:
    """The story of the code as somebody typed it. Raises NotFound."""
    body = find_code(session, text, now=now)
    code, offer, batch = session.execute(
        select(Code, Offer, Batch).join(Offer, Offer.id == Code.offer_id).outerjoin(Batch, Batch.id == Code.batch_id)
        .where(Code.code == body["code"])).one()
    redemptions = list(session.scalars(
        select(Redemption).where(Redemption.code_id == code.id)
        .order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(MOST)))
    return CodeStory(
        body, code, offer, batch, redemptions,
        list(session.scalars(select(Refusal).where(Refusal.code_id == code.id)
                             .order_by(Refusal.at.desc(), Refusal.id.desc()).limit(MOST))),
        list(session.scalars(select(Reservation).where(Reservation.code_id == code.id)
                             .order_by(Reservation.reserved_at.desc(), Reservation.id.desc()).limit(MOST))),
        list(session.scalars(select(CodeRenewal).where(CodeRenewal.code_id == code.id)
                             .order_by(CodeRenewal.at.desc(), CodeRenewal.id.desc()).limit(MOST))),
        _orders(session, redemptions))


def _orders(session: Session, redemptions: list[Redemption]) -> list[tuple[Order, list[OrderLine]]]:
    named = {(row.shop, row.order_ref) for row in redemptions if row.order_ref is not None}
    if not named:
        return []
    found = session.scalars(select(Order).where(or_(*(
        and_(Order.shop == shop, Order.external_id == ref) for shop, ref in sorted(named)))))
    return with_lines(session, list(found))

"""Which codes does this person hold, and what happened to them at the till?

Owns one person's codes, redemptions and refusals walked backwards by time, and this room's part of the export and the
erasure. A refusal belongs to the holder of the code, else to the customer the shop named.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from coupons.codes.showing import instant_text
from coupons.models import Code, KeptAnswer, Offer, Redemption, Refusal
from customers.models import Customer


def codes_of(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[tuple[Code, Offer]]:
    """This person's codes with their offers, newest first."""
    statement = select(Code, Offer).join(Offer, Offer.id == Code.offer_id).where(Code.customer_id == customer_id)
    if before is not None:
        statement = statement.where(Code.issued_at < before)
    rows = session.execute(statement.order_by(Code.issued_at.desc(), Code.id.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


def redemptions_of(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[tuple[Redemption, Code | None, str | None]]:
    """This person's redemptions with the code (None: imported history) and the offer's name, newest first."""
    statement = (
        select(Redemption, Code, Offer.name).outerjoin(Code, Code.id == Redemption.code_id)
        .outerjoin(Offer, Offer.id == Redemption.offer_id).where(_of(customer_id)))
    if before is not None:
        statement = statement.where(Redemption.redeemed_at < before)
    rows = session.execute(statement.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(limit))
    return [(row[0], row[1], row[2] or row[0].offer_name) for row in rows]


def refusals_of(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50
) -> list[Refusal]:
    """Requests to redeem this person's codes that were refused, newest first."""
    statement = select(Refusal).outerjoin(Code, Code.id == Refusal.code_id).where(
        func.coalesce(Code.customer_id, Refusal.customer_id) == customer_id)
    if before is not None:
        statement = statement.where(Refusal.at < before)
    return list(session.scalars(statement.order_by(Refusal.at.desc(), Refusal.id.desc()).limit(limit)))


def _of(customer_id: int) -> Any:
    return or_(Redemption.customer_id == customer_id,
               (Redemption.customer_id.is_(None)) & (Redemption.redeemer_id == customer_id))


def held_codes(session: Session, customer_id: int) -> dict[str, Any]:
    """This room's part of the export: codes, redemptions and refusals as JSON values."""
    everything = 1_000_000
    return {
        "codes": [{
            "code": code.code, "offer": offer.name, "campaign": code.campaign, "state": code.state,
            "issued_at": instant_text(code.issued_at), "valid_from": instant_text(code.valid_from),
            "valid_until": instant_text(code.valid_until), "revoked_reason": code.revoked_reason,
        } for code, offer in codes_of(session, customer_id, limit=everything)],
        "redemptions": [{
            "code": redemption.code_text, "offer": offer, "campaign": redemption.campaign, "shop": redemption.shop,
            "order_id": redemption.order_ref, "discount_cents": redemption.discount_cents,
            "rolled_back_cents": redemption.rolled_back_cents, "currency": redemption.currency,
            "state": redemption.state, "redeemed_at": instant_text(redemption.redeemed_at),
        } for redemption, _code, offer in redemptions_of(session, customer_id, limit=everything)],
        "refusals": [{
            "code": refusal.code_text, "reason": refusal.reason, "order_id": refusal.order_ref,
            "at": instant_text(refusal.at),
        } for refusal in refusals_of(session, customer_id, limit=everything)],
    }


def erase_kept_answers(session: Session, customer_id: int) -> None:
    """Drop the stored answers that name this person to a shop; the redemptions themselves stay.

    A shop that repeats such a request still gets the same redemption, because shop, order and code are known.
    """
    number = session.execute(select(Customer.external_id).where(Customer.id == customer_id)).scalar_one()
    session.execute(delete(KeptAnswer).where(KeptAnswer.answer["customer"].as_string() == number))

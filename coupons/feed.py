"""What happens at the till right now, and which offers run out?

Owns the live feed of the home page: accepted redemptions and refusals in one list, newest first, with who and why; the
number of redemptions per day; and offers whose budget or limit is nearly used.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from core.types import to_us
from coupons.models import Code, Offer, Redemption, Refusal
from customers.models import Customer
from customers.people import display_name

NEARLY_USED_SHARE = 0.9
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class AtTheTill:
    """One redemption or refusal. `amount_cents` is the order before the discount, None when unknown; `refused` is the
    reason of a refusal."""

    at: datetime
    customer: str | None
    name: str | None
    offer: str | None
    campaign: str | None
    code: str
    amount_cents: int | None
    discount_cents: int
    currency: str
    refused: str | None
    rolled_back: bool = False


def latest(session: Session, *, limit: int = 10, campaign: str | None = None) -> list[AtTheTill]:
    """What happened last at the till, newest first; history that was imported is left out."""
    redeemed = (
        select(Redemption, Customer, Offer.name).outerjoin(Offer, Offer.id == Redemption.offer_id)
        .outerjoin(Customer, Customer.id == func.coalesce(Redemption.customer_id, Redemption.redeemer_id))
        .where(Redemption.history.is_(False)).order_by(Redemption.redeemed_at.desc(), Redemption.id.desc())
        .limit(limit))
    refused = (
        select(Refusal, Customer, Offer.name, Offer.currency).outerjoin(Code, Code.id == Refusal.code_id)
        .outerjoin(Offer, Offer.id == Code.offer_id)
        .outerjoin(Customer, Customer.id == func.coalesce(Code.customer_id, Refusal.customer_id))
        .order_by(Refusal.at.desc(), Refusal.id.desc()).limit(limit))
    if campaign is not None:
        redeemed, refused = redeemed.where(Redemption.campaign == campaign), refused.where(Refusal.campaign == campaign)
    found = [
        AtTheTill(row.redeemed_at, *_who(customer), offer or row.offer_name, row.campaign, row.code_text,
                  row.order_total_cents, row.discount_cents, row.currency, None, row.state == "rolled_back")
        for row, customer, offer in session.execute(redeemed)]
    found += [
        AtTheTill(row.at, *_who(customer), offer, row.campaign,
                  row.code_text, row.order_total_cents, 0, currency or "EUR", row.reason)
        for row, customer, offer, currency in session.execute(refused)]
    return sorted(found, key=lambda event: event.at, reverse=True)[:limit]


def _who(customer: Customer | None) -> tuple[str | None, str | None]:
    return (None, None) if customer is None else (customer.external_id, display_name(customer))


def redemptions_by_day(session: Session, *, day_start: datetime, days: int) -> list[int]:
    """Accepted redemptions on each of the last `days` days, oldest first; the last day begins at `day_start`."""
    first_us = to_us(day_start - timedelta(days=days - 1))
    at_us = type_coerce(Redemption.redeemed_at, BigInteger)
    number = (at_us - first_us) // _DAY_US
    rows = session.execute(
        select(number, func.count())
        .where(Redemption.history.is_(False), Redemption.state == "redeemed", at_us >= first_us,
               at_us < first_us + days * _DAY_US)
        .group_by(number))
    counts = {int(row[0]): row[1] for row in rows}
    return [counts.get(day, 0) for day in range(days)]


def redeemed_by_campaign(session: Session) -> dict[str, tuple[int, int]]:
    """Campaign -> codes issued to a person and not withdrawn, and those of them redeemed."""
    rows = session.execute(
        select(Code.campaign, func.count(), func.count().filter(Code.state == "redeemed"))
        .where(Code.campaign.is_not(None), Code.state != "revoked").group_by(Code.campaign))
    return {row[0] or "": (row[1], row[2]) for row in rows}


def offers_running_out(session: Session, *, share: float = NEARLY_USED_SHARE) -> list[tuple[Offer, float]]:
    """Active offers that have used at least this share of their budget or total limit, and the share, most first."""
    found = []
    for offer in session.scalars(select(Offer).where(
            Offer.active.is_(True), Offer.limit_total.is_not(None) | Offer.budget_cents.is_not(None))):
        used = max(offer.spent_cents / offer.budget_cents if offer.budget_cents else 0.0,
                   offer.used / offer.limit_total if offer.limit_total else 0.0)
        if used >= share:
            found.append((offer, used))
    return sorted(found, key=lambda pair: -pair[1])

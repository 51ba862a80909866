"""How many codes came back, and which offers run out?

Owns the number of redemptions per day, codes and redemptions by campaign, and offers whose budget or limit is nearly
used.
"""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from core.types import to_us
from coupons.models import Code, Offer, Redemption

NEARLY_USED_SHARE = 0.9
_DAY_US = 86_400_000_000


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

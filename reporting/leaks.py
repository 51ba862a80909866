"""Do people redeem who were left alone for comparison?

Owns the one question of the leak watch that needs to know who is held out. A code of a campaign in the hands of
somebody it keeps back spoils the comparison, so it is worth a call.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from coupons.models import Redemption
from journeys.models import Enrolment, Journey

WATCHED = timedelta(days=30)


@dataclass(frozen=True)
class HeldOutRedeemers:
    """One campaign: people of its hold-out who redeemed one of its codes, and when the last did."""

    campaign: str
    name: str
    people: int
    last_at: datetime


def held_out_redeemers(session: Session, *, now: datetime) -> list[HeldOutRedeemers]:
    """Campaigns in which held-out people redeemed within the past 30 days, most people first."""
    people = func.count(func.distinct(Redemption.redeemer_id))
    rows = session.execute(
        select(Campaign.key, Campaign.name, people, func.max(Redemption.redeemed_at))
        .join(Journey, Journey.campaign_id == Campaign.id)
        .join(Enrolment, Enrolment.journey_id == Journey.id)
        .join(Redemption, (Redemption.campaign == Campaign.key) & (Redemption.redeemer_id == Enrolment.customer_id))
        .where(Enrolment.held_out, Redemption.state == "redeemed", Redemption.history.is_(False),
               Redemption.redeemed_at >= now - WATCHED)
        .group_by(Campaign.key, Campaign.name).order_by(people.desc(), Campaign.key))
    return [HeldOutRedeemers(*row) for row in rows]

"""Which campaigns of the past addressed this person?

Owns one person's part of the imported history, for their page and their export.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, PastPerson


def past_campaigns_of(session: Session, customer_id: int) -> list[tuple[PastPerson, Campaign]]:
    """Campaigns of the past that addressed this person, latest first."""
    rows = session.execute(
        select(PastPerson, Campaign).join(Campaign, Campaign.id == PastPerson.campaign_id)
        .where(PastPerson.customer_id == customer_id)
        .order_by(Campaign.starts_on.desc(), Campaign.id.desc()))
    return [(row[0], row[1]) for row in rows]


def held_history(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """This room's part of the export, as JSON values."""
    return [{"campaign": campaign.name, "starts_on": campaign.starts_on and campaign.starts_on.isoformat(),
             "ends_on": campaign.ends_on and campaign.ends_on.isoformat(), "arm": past.arm, "channel": past.channel}
            for past, campaign in past_campaigns_of(session, customer_id)]

"""Which campaigns stand on this segment?

Owns the list that archiving a segment is refused with. Campaigns that have ended keep their version and do not count.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign

_OVER = ("ended", "history")


def campaigns_on(session: Session, segment_id: int, *, over: bool = False) -> list[Campaign]:
    """Campaigns with this segment as their audience, by name; `over`: those that have ended too."""
    statement = select(Campaign).where(Campaign.segment_id == segment_id).order_by(Campaign.name, Campaign.id)
    return list(session.scalars(statement if over else statement.where(Campaign.state.not_in(_OVER))))

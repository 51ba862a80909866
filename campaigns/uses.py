"""Which campaigns stand on this segment?

Owns the list that archiving a segment is refused with. Campaigns that have ended keep their version and do not count.
"""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from segments.models import Segment

_OVER = ("ended", "history")


def campaigns_on(session: Session, segment_id: int, *, over: bool = False) -> list[Campaign]:
    """Campaigns sent to this segment, or not sent to it, by name; `over`: those that have ended too."""
    key = session.scalar(select(Segment.key).where(Segment.id == segment_id))
    statement = select(Campaign).order_by(Campaign.name, Campaign.id)
    if not over:
        statement = statement.where(Campaign.state.not_in(_OVER))
    # Few campaigns are sent to everybody but somebody; JSON is not searched alike on every database.
    spared = [id_ for id_, not_to in session.execute(statement.with_only_columns(Campaign.id, Campaign.not_to))
              if key in not_to]
    return list(session.scalars(statement.where(or_(Campaign.segment_id == segment_id, Campaign.id.in_(spared)))))

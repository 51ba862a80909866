"""Which lives can a campaign lead?

Owns the table of allowed moves and the one verb that makes them. A campaign of the past (`history`) was imported and
never moves.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.errors import Conflict

MOVES: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"running", "ended"}),
    "running": frozenset({"paused", "ended"}),
    "paused": frozenset({"running", "ended"}),
    "ended": frozenset(),
    "history": frozenset(),
}
"""State -> the states a campaign may go to from there."""

SENTENCES: Mapping[str, str] = {
    "draft": "being planned; nobody is written to",
    "running": "its journey walks people through their steps",
    "paused": "frozen: nobody moves and nothing more is sent",
    "ended": "over; its numbers stay",
    "history": "imported from the past; never runs",
}
"""What each state means, for pages and documents."""


def move(session: Session, campaign: Campaign, to: str, *, now: datetime) -> None:
    """Move a campaign; raises Conflict when its state forbids it or somebody else moved it meanwhile."""
    leaving = campaign.state
    if to not in MOVES[leaving]:
        raise Conflict(f"The campaign {campaign.name} is {leaving} and cannot become {to}.")
    session.flush()
    found = session.execute(
        update(Campaign).where(Campaign.id == campaign.id, Campaign.state == leaving).values(state=to, updated_at=now)
        .returning(Campaign.id)
    ).scalar_one_or_none()
    if found is None:
        raise Conflict(f"The campaign {campaign.name} was changed meanwhile. Load it again.")
    session.refresh(campaign)

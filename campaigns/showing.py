"""What do programs and pages see of campaigns?

Owns the JSON form of a campaign, the keyset list behind the API, and the small facts lists need beside the row: its
segment and, for campaigns of the past, how many people it addressed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, PastPerson
from campaigns.states import SENTENCES
from core.errors import Invalid
from segments.models import Segment


def campaign_body(campaign: Campaign, *, segment: str | None) -> dict[str, Any]:
    """A campaign as programs see it; instants are ISO 8601 in UTC, `ends_at` is exclusive."""
    return {
        "key": campaign.key, "name": campaign.name, "objective": campaign.objective, "kind": campaign.kind,
        "state": campaign.state, "starts_at": _text(campaign.starts_at), "ends_at": _text(campaign.ends_at),
        "starts_on": campaign.starts_on and campaign.starts_on.isoformat(),
        "ends_on": campaign.ends_on and campaign.ends_on.isoformat(),
        "timezone": campaign.timezone, "goal_categories": campaign.goal_categories, "segment": segment,
        "not_to": campaign.not_to, "standing_off": campaign.standing_off,
        "holdout_percent": campaign.holdout_percent, "budget_cents": campaign.budget_cents,
        "currency": campaign.currency, "planned_people": campaign.planned_people, "owner": campaign.owner,
        "version": campaign.version, "updated_at": _text(campaign.updated_at),
    }


def page_of_campaigns(
    session: Session, *, state: str | None = None, after: int = 0, limit: int = 100
) -> tuple[list[dict[str, Any]], int | None]:
    """Campaigns in the order in which they were made, and where the next page begins. Raises Invalid."""
    statement = (select(Campaign, Segment.key).outerjoin(Segment, Segment.id == Campaign.segment_id)
                 .where(Campaign.id > after).order_by(Campaign.id).limit(limit + 1))
    if state is not None:
        if state not in SENTENCES:
            raise Invalid(f"Use one of {', '.join(SENTENCES)}.", place="state")
        statement = statement.where(Campaign.state == state)
    rows = session.execute(statement).all()
    bodies = [campaign_body(row[0], segment=row[1]) for row in rows[:limit]]
    return bodies, rows[limit - 1][0].id if len(rows) > limit else None


def segment_key(session: Session, campaign: Campaign) -> str | None:
    """The key of the campaign's segment, None without one."""
    if campaign.segment_id is None:
        return None
    return session.scalars(select(Segment.key).where(Segment.id == campaign.segment_id)).one_or_none()


def segment_names(session: Session, campaigns: Sequence[Campaign]) -> dict[int, tuple[str, str]]:
    """Key and name of each campaign's segment, by campaign id."""
    rows = session.execute(
        select(Campaign.id, Segment.key, Segment.name).join(Segment, Segment.id == Campaign.segment_id)
        .where(Campaign.id.in_([campaign.id for campaign in campaigns])))
    return {row[0]: (row[1], row[2]) for row in rows}


def past_sizes(session: Session) -> dict[int, int]:
    """How many people each campaign of the past addressed, by campaign id."""
    rows = session.execute(select(PastPerson.campaign_id, func.count()).group_by(PastPerson.campaign_id))
    return {row[0]: row[1] for row in rows}


def count_campaigns(session: Session) -> int:
    """How many campaigns are planned or run here."""
    return session.execute(
        select(func.count()).select_from(Campaign).where(Campaign.state.in_(("draft", "running", "paused")))
    ).scalar_one()


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

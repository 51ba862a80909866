"""Through which journeys did this person go, and by which way?

Owns one person's enrolments and visits, walked backwards by time, and this room's part of the export and the erasure.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.arrays import in_ids
from core.errors import NotFound
from journeys.exits.leaving import REASONS
from journeys.models import Enrolment, Journey, Version, Visit
from journeys.states import SENTENCES


@dataclass(frozen=True)
class Passage:
    """One enrolment with its journey, campaign and version."""

    enrolment: Enrolment
    journey: Journey
    campaign: Campaign
    version: Version

    @property
    def why(self) -> str:
        """Why the person stands where they stand, or why they left, in words."""
        return (self.enrolment.error or REASONS.get(self.enrolment.left_reason or "")
                or self.enrolment.left_reason or SENTENCES[self.enrolment.state])


_PASSAGES = (
    select(Enrolment, Journey, Campaign, Version).join(Journey, Journey.id == Enrolment.journey_id)
    .join(Campaign, Campaign.id == Journey.campaign_id).join(Version, Version.id == Enrolment.version_id))


def passages_of(
    session: Session, customer_id: int, *, before: datetime | None = None, limit: int = 50,
    campaign_id: int | None = None,
) -> list[Passage]:
    """This person's enrolments, the exclusions too, by what happened last, newest first.

    `before`: begun or left earlier than this.
    """
    last = func.coalesce(Enrolment.left_at, Enrolment.entered_at)
    statement = _PASSAGES.where(Enrolment.customer_id == customer_id)
    if before is not None:
        statement = statement.where(Enrolment.entered_at < before)
    if campaign_id is not None:
        statement = statement.where(Campaign.id == campaign_id)
    rows = session.execute(statement.order_by(last.desc(), Enrolment.id.desc()).limit(limit))
    return [Passage(*row) for row in rows]


def passage(session: Session, customer_id: int, enrolment_id: int) -> Passage:
    """One enrolment of this person. Raises NotFound."""
    row = session.execute(
        _PASSAGES.where(Enrolment.customer_id == customer_id, Enrolment.id == enrolment_id)).one_or_none()
    if row is None:
        raise NotFound("This person was never in that journey.")
    return Passage(*row)


def visits_of(session: Session, enrolment_id: int) -> list[Visit]:
    """The steps this enrolment passed, in order."""
    return list(session.scalars(select(Visit).where(Visit.enrolment_id == enrolment_id).order_by(Visit.number)))


def held_passages(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """This room's part of the export: enrolments with their visits, as JSON values."""
    passages = passages_of(session, customer_id, limit=1_000_000)
    visits: dict[int, list[Visit]] = {}
    for visit in session.scalars(
            select(Visit).where(in_ids(Visit.enrolment_id, [each.enrolment.id for each in passages]))
            .order_by(Visit.number)):
        visits.setdefault(visit.enrolment_id, []).append(visit)
    return [{
        "journey": each.journey.name, "campaign": each.campaign.name, "version": each.version.number,
        "arm": each.enrolment.arm, "held_out": each.enrolment.held_out, "state": each.enrolment.state,
        "entered_at": _text(each.enrolment.entered_at), "left_at": _text(each.enrolment.left_at), "why": each.why,
        "steps": [{"step": visit.step, "entered_at": _text(visit.entered_at), "left_at": _text(visit.left_at),
                   "outcome": visit.outcome, "why": visit.detail} for visit in visits.get(each.enrolment.id, [])],
    } for each in passages]


def erase_errors(session: Session, customer_id: int) -> None:
    """Errors may quote what was stored about the person: they go; where and when the person passed stays."""
    session.execute(update(Enrolment).where(Enrolment.customer_id == customer_id, Enrolment.error.is_not(None))
                    .values(error="erased with the person's data"))


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()

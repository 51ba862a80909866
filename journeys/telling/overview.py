"""How do the running journeys stand today, and what comes next?

Owns the one line per journey that the home page and the list of journeys show, and the day's plan of steps that become
due. All counts come in a few grouped statements, however many journeys there are.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from journeys.models import Enrolment, Journey, Version
from journeys.states import INSIDE


@dataclass(frozen=True)
class JourneyLine:
    """One journey with its campaign and its numbers. `newest`: number of the newest version, None: never published;
    `next_at`, `next_step`, `next_people`: the step that becomes due first."""

    journey: Journey
    campaign: Campaign
    newest: int | None
    entered: int
    inside: int
    in_today: int
    out_today: int
    next_at: datetime | None = None
    next_step: str | None = None
    next_people: int = 0


@dataclass(frozen=True)
class DueStep:
    """People of one journey who become due at one step within a span of time; `first_at` is the first of them."""

    journey_id: int
    step: str
    first_at: datetime
    people: int


def journey_lines(session: Session, *, day_start: datetime, now: datetime) -> list[JourneyLine]:
    """Every journey, newest first; `day_start` is when today began."""
    counts = {
        row[0]: row[1:] for row in session.execute(
            select(Enrolment.journey_id,
                   func.count().filter(Enrolment.state != "excluded"),
                   func.count().filter(Enrolment.state.in_(INSIDE)),
                   func.count().filter(Enrolment.entered_at >= day_start, Enrolment.state != "excluded"),
                   func.count().filter(Enrolment.left_at >= day_start, Enrolment.state != "excluded"))
            .group_by(Enrolment.journey_id))
    }
    newest = {row[0]: row[1] for row in session.execute(
        select(Version.journey_id, func.max(Version.number)).group_by(Version.journey_id))}
    coming: dict[int, DueStep] = {}
    for due in due_steps(session, start=now, end=None):
        coming.setdefault(due.journey_id, due)
    rows = session.execute(
        select(Journey, Campaign).join(Campaign, Campaign.id == Journey.campaign_id)
        .order_by(Journey.created_at.desc(), Journey.id.desc()))
    lines = []
    for journey, campaign in rows:
        entered, inside, in_today, out_today = counts.get(journey.id, (0, 0, 0, 0))
        due_step = coming.get(journey.id)
        lines.append(JourneyLine(
            journey, campaign, newest.get(journey.id), entered, inside, in_today, out_today,
            *((due_step.first_at, due_step.step, due_step.people) if due_step and journey.state == "running"
              else (None, None, 0))))
    return lines


def due_steps(session: Session, *, start: datetime, end: datetime | None) -> list[DueStep]:
    """Steps of running journeys that become due in [start, end), by when the first person is due."""
    statement = (
        select(Enrolment.journey_id, Enrolment.step, func.min(Enrolment.due_at), func.count())
        .join(Journey, Journey.id == Enrolment.journey_id)
        .where(Journey.state == "running", Enrolment.state == "active", Enrolment.due_at >= start)
        .group_by(Enrolment.journey_id, Enrolment.step).order_by(func.min(Enrolment.due_at)))
    if end is not None:
        statement = statement.where(Enrolment.due_at < end)
    return [DueStep(row[0], row[1] or "", row[2], row[3]) for row in session.execute(statement) if row[2] is not None]


def count_journeys(session: Session) -> int:
    """How many journeys are drafted, run or are paused."""
    return session.execute(
        select(func.count()).select_from(Journey).where(Journey.state.in_(("draft", "running", "paused")))
    ).scalar_one()


def journeys_by_campaign(session: Session) -> dict[int, Journey]:
    """The journey of each campaign that has one, by campaign id."""
    return {journey.campaign_id: journey for journey in session.scalars(select(Journey))}

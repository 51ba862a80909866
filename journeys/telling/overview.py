"""How do the running journeys stand today, and what comes next?

Owns the one line per journey that the home page and the list of journeys show, and the day's plan of steps that become
due. All counts come in a few grouped statements, however many journeys there are.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
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
    entered, inside = _standing(session)
    came = _since(session, Enrolment.entered_at >= day_start)
    went = _since(session, Enrolment.left_at >= day_start)
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
        due_step = coming.get(journey.id)
        lines.append(JourneyLine(
            journey, campaign, newest.get(journey.id), entered.get(journey.id, 0), inside.get(journey.id, 0),
            came.get(journey.id, 0), went.get(journey.id, 0),
            *((due_step.first_at, due_step.step, due_step.people) if due_step and journey.state == "running"
              else (None, None, 0))))
    return lines


def _standing(session: Session) -> tuple[Counter[int], Counter[int]]:
    """Journey -> people who entered, and those of them who are inside; counted from an index that holds all it asks."""
    entered: Counter[int] = Counter()
    inside: Counter[int] = Counter()
    of_version = {row[0]: row[1] for row in session.execute(select(Version.id, Version.journey_id))}
    for version, state, people in session.execute(
            # In the order of the index, so that nothing is sorted.
            select(Enrolment.version_id, Enrolment.state, func.count())
            .group_by(Enrolment.version_id, Enrolment.step, Enrolment.state)):
        if state != "excluded":
            entered[of_version[version]] += people
        if state in INSIDE:
            inside[of_version[version]] += people
    return entered, inside


def _since(session: Session, today: ColumnElement[bool]) -> dict[int, int]:
    """Journey -> people, the kept out aside, of whom this holds."""
    # Grouped by what is no column, so that SQLite finds them by the instant and not journey by journey.
    journey = Enrolment.journey_id + 0
    return {row[0]: row[1] for row in session.execute(
        select(journey, func.count()).where(today, Enrolment.state != "excluded").group_by(journey))}


def due_steps(session: Session, *, start: datetime, end: datetime | None) -> list[DueStep]:
    """Steps of running journeys that become due in [start, end), by when the first person is due."""
    moments = select(Enrolment.journey_id, Enrolment.step, Enrolment.due_at, func.count().label("people")).where(
        Enrolment.state == "active", Enrolment.due_at >= start)
    if end is not None:
        moments = moments.where(Enrolment.due_at < end)
    # Moment by moment, as the index lies: most people of a chunk are due at the same one.
    each = moments.group_by(Enrolment.due_at, Enrolment.journey_id, Enrolment.step).subquery()
    statement = (
        select(each.c.journey_id, each.c.step, func.min(each.c.due_at), func.sum(each.c.people))
        .join(Journey, Journey.id == each.c.journey_id).where(Journey.state == "running")
        .group_by(each.c.journey_id, each.c.step).order_by(func.min(each.c.due_at)))
    return [DueStep(row[0], row[1] or "", row[2], int(row[3])) for row in session.execute(statement)
            if row[2] is not None]


def count_journeys(session: Session) -> int:
    """How many journeys are drafted, run or are paused."""
    return session.execute(
        select(func.count()).select_from(Journey).where(Journey.state.in_(("draft", "running", "paused")))
    ).scalar_one()


def journeys_by_campaign(session: Session) -> dict[int, Journey]:
    """The journey of each campaign that has one, by campaign id."""
    return {journey.campaign_id: journey for journey in session.scalars(select(Journey))}

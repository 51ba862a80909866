"""What happens when a journey's window closes, or somebody ends it?

Owns the sweep: everybody still inside leaves, chunk by chunk, with the reason, and nothing more goes out. A journey is
`ending` from the first moment to the last person, so a crash in between is taken up again.
"""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.states import move as move_campaign
from core.database import Database
from journeys.exits.leaving import leave
from journeys.models import Enrolment, Journey
from journeys.states import INSIDE, move_journey


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Close what is due and sweep out those inside; returns how many people left. `limit` is people per transaction."""
    with database.reading() as session:
        journeys = list(session.scalars(_closing(now)))
    left = 0
    for journey_id in journeys:
        with database.writing() as session:
            journey = session.execute(_locked(journey_id)).scalar_one()
            if journey.state in ("running", "paused"):
                move_journey(session, journey, "ending", now=now)
        left += _sweep(database, journey_id, now=now, limit=limit)
        with database.writing() as session:
            _finish(session, journey_id, now=now)
    return left


def _closing(now: datetime) -> Select[int]:
    over = (Journey.state.in_(("running", "paused"))) & (Campaign.ends_at <= now)
    return (select(Journey.id).join(Campaign, Campaign.id == Journey.campaign_id)
            .where(over | (Journey.state == "ending")).order_by(Journey.id))


def _locked(journey_id: int) -> Select[Journey]:
    return select(Journey).where(Journey.id == journey_id).with_for_update()


def _sweep(database: Database, journey_id: int, *, now: datetime, limit: int) -> int:
    left, after = 0, 0
    while True:
        with database.writing() as session:
            connection = session.connection()
            ended_by_hand = session.scalar(
                select(Campaign.state).join(Journey, Journey.campaign_id == Campaign.id).where(Journey.id == journey_id)
            ) == "ended"
            ids = list(connection.scalars(
                select(Enrolment.id)
                # "+ 0" keeps to the primary key: by the journey's index every chunk would sort the whole journey again.
                .where(Enrolment.journey_id + 0 == journey_id, Enrolment.id > after,
                       Enrolment.state.in_((*INSIDE, "finished")))
                .order_by(Enrolment.id).limit(limit)))
            if not ids:
                return left
            reason = "ended" if ended_by_hand else "window_over"
            left += leave(connection, dict.fromkeys(ids, reason), to="over", now=now)
            after = ids[-1]


def _finish(session: Session, journey_id: int, *, now: datetime) -> None:
    journey = session.execute(_locked(journey_id)).scalar_one()
    if journey.state != "ending":
        return
    move_journey(session, journey, "ended", now=now)
    campaign = session.get_one(Campaign, journey.campaign_id)
    if campaign.state in ("running", "paused"):
        move_campaign(session, campaign, "ended", now=now)

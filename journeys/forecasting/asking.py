"""Who asked what would happen, and is the answer there?

Owns the rows of asked forecasts. Playing one takes up to a minute, so a worker does it beside its rounds: it claims the
oldest asking, and what a dead worker held is asked again. The promise: an asking ends as done or failed, with words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from campaigns.problems import Problem, insist
from core.database import Database
from core.errors import NotFound
from core.leases import dead
from journeys.forecasting.playing import LONGEST_DAYS, USUAL_DAYS
from journeys.models import Forecast

OPEN = ("asked", "running")


@dataclass(frozen=True)
class Wish:
    """What a forecast is asked with: days, and rates from 0 to 1 that go before history (None: history tells)."""

    days: int = USUAL_DAYS
    redemption_rate: float | None = None
    order_rate: float | None = None


def ask(session: Session, campaign_key: str, wish: Wish, *, by: str | None, now: datetime) -> Forecast:
    """Ask what would happen; an equal asking that is still open is the same one. Raises NotFound, Invalid."""
    insist(wish_problems(wish))
    campaign = campaign_by_key(session, campaign_key)
    if campaign.state == "ended":
        insist([Problem("days", f"“{campaign.name}” is over: nothing would happen any more.",
                        "Duplicate it, and ask there.")])
    session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update(key_share=True))
    asked = vars(wish)
    for row in session.scalars(select(Forecast).where(Forecast.campaign_id == campaign.id, Forecast.state.in_(OPEN))):
        if row.asked == asked:
            return row
    row = Forecast(campaign_id=campaign.id, state="asked", asked=dict(asked), asked_by=by, asked_at=now)
    session.add(row)
    session.flush()
    return row


def wish_problems(wish: Wish) -> list[Problem]:
    """Everything wrong with an asking."""
    found = []
    if not 1 <= wish.days <= LONGEST_DAYS:
        found.append(Problem("days", f"{wish.days} days cannot be foreseen.", f"Use 1 to {LONGEST_DAYS}."))
    for name in ("redemption_rate", "order_rate"):
        value = getattr(wish, name)
        if value is not None and not 0 <= value <= 1:
            found.append(Problem(name, "This is not a share of people.", "Use 0 to 100 %."))
    return found


def forecast_of(session: Session, campaign_key: str, number: int | None = None) -> Forecast | None:
    """The newest forecast of a campaign, or the one of this number. Raises NotFound for a number there is not."""
    campaign = campaign_by_key(session, campaign_key)
    mine = select(Forecast).where(Forecast.campaign_id == campaign.id)
    if number is None:
        return session.scalars(mine.order_by(Forecast.id.desc()).limit(1)).one_or_none()
    found = session.scalars(mine.where(Forecast.id == number)).one_or_none()
    if found is None:
        raise NotFound(f"{campaign.name} has no forecast {number}.")
    return found


def is_waiting(database: Database) -> bool:
    """Whether a forecast is asked for that nobody living works on."""
    return bool(_free(database))


def claim(database: Database, *, worker: int) -> tuple[int, str, Wish] | None:
    """The oldest asking, now this worker's: its number, the campaign's key and the wish; None: there is none."""
    for row in _free(database):
        with database.writing() as session:
            # Who comes second finds it changed already.
            taken = session.execute(
                update(Forecast).where(Forecast.id == row.id, Forecast.state == row.state,
                                       Forecast.worker.is_not_distinct_from(row.worker))
                .values(state="running", worker=worker).returning(Forecast.campaign_id, Forecast.asked)).one_or_none()
            if taken is not None:
                key = session.scalars(select(Campaign.key).where(Campaign.id == taken.campaign_id)).one()
                return row.id, key, Wish(**taken.asked)
    return None


def settle(
    database: Database, number: int, *, worker: int, answer: Mapping[str, Any] | None, problem: str | None = None,
    now: datetime,
) -> bool:
    """Write down the answer, or why there is none; False when the asking is not this worker's any more."""
    with database.writing() as session:
        done = session.execute(
            update(Forecast).where(Forecast.id == number, Forecast.state == "running", Forecast.worker == worker)
            .values(state="done" if problem is None else "failed", finished_at=now,
                    answer=dict(answer or {}) if problem is None else {"problem": problem})
            .returning(Forecast.id)).all()
    return len(done) == 1


def _free(database: Database) -> list[Any]:
    """What is asked and nobody living works on, oldest first: id, state and worker."""
    with database.reading() as session:
        waiting = session.execute(
            select(Forecast.id, Forecast.state, Forecast.worker).where(Forecast.state.in_(OPEN))
            .order_by(Forecast.id)).all()
    lost = dead(database, {row.worker for row in waiting if row.state == "running" and row.worker is not None})
    return [row for row in waiting if row.state == "asked" or row.worker in lost]

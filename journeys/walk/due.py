"""When is there something to do next?

Owns the one question a clock that jumps (demo, `winback tick --until`) or a sleeping worker asks: the earliest instant
after a given one at which a person, a message or a window becomes due.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from campaigns.models import Campaign
from core.types import from_us, to_us
from delivery.hook_models import HookCall
from delivery.models import Message
from journeys.entry.ringing import next_ring_of
from journeys.graphs.plans import load_plans
from journeys.models import Enrolment, Journey, Version


def next_due_at(connection: Connection, *, after: datetime) -> datetime | None:
    """The earliest instant after `after` at which anything becomes due; None: nothing is planned."""
    after_us = to_us(after)
    walking = (
        select(func.min(type_coerce(Enrolment.due_at, BigInteger)))
        .join(Journey, Journey.id == Enrolment.journey_id)
        .where(Enrolment.state == "active", Enrolment.due_at > after_us, Journey.state == "running")
    )
    sending = select(func.min(type_coerce(Message.due_at, BigInteger))).where(
        Message.state == "queued", Message.due_at > after_us, Message.due_at < to_us(NEVER))
    opening = (
        select(func.min(type_coerce(Campaign.starts_at, BigInteger)))
        .join(Journey, Journey.campaign_id == Campaign.id).join(Version, Version.journey_id == Journey.id)
        .where(Journey.state == "running", Version.entered_at.is_(None), Campaign.starts_at > after_us)
    )
    closing = (
        select(func.min(type_coerce(Campaign.ends_at, BigInteger))).join(Journey, Journey.campaign_id == Campaign.id)
        .where(Journey.state.in_(("running", "paused")), Campaign.ends_at > after_us)
    )
    telling = select(func.min(type_coerce(HookCall.due_at, BigInteger))).where(
        HookCall.state == "queued", HookCall.due_at > after_us, HookCall.due_at < to_us(NEVER))
    found = [value for query in (walking, sending, telling, opening, closing)
             if (value := connection.execute(query).scalar_one()) is not None]
    found += _rings(connection, after)
    return from_us(min(found)) if found else None


def _rings(connection: Connection, after: datetime) -> list[int]:
    """When the schedules of running journeys ring next."""
    newest = {plan.journey_id: plan for plan in load_plans(connection, states=("running",)).values()}
    return [to_us(ring) for plan in newest.values() if (ring := next_ring_of(plan, after=after)) is not None]


NEVER = datetime.fromisoformat("9000-01-01T00:00:00+00:00")
"""Messages of a paused journey are due from here on: held, and given back by resuming."""


def resting(connection: Connection) -> dict[str, datetime]:
    """Campaigns that are paused or being swept out, of which nothing goes out (delivery/holding.py)."""
    ending = select(Journey.campaign_id).where(Journey.state == "ending")
    return dict.fromkeys(connection.scalars(
        select(Campaign.key).where((Campaign.state == "paused") | Campaign.id.in_(ending))), NEVER)

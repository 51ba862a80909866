"""What did the scratch ledger come to, per step and day?

Owns the counts of a forecast, read off the same tables that a report of the real campaign is read off. Days are days of
the campaign's time zone. Whoever was only an example for several people counts for as many.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, Select, and_, case, func, select, type_coerce

from core.types import to_us
from coupons.models import Code, Offer
from delivery.models import Message
from journeys.models import Enrolment, Visit

HOUR_US = 3_600_000_000
SILENT = ("suppressed", "expired", "failed", "cancelled")
Days = Mapping[date, int]


@dataclass(frozen=True)
class StepDays:
    """One step: who comes to it, what is said there by channel and day, and who hears nothing there, by reason."""

    step: str
    people: Days
    channels: Mapping[str, Days]
    silent: Mapping[str, int]


@dataclass(frozen=True)
class Tally:
    """The counts, already scaled. `entered` walk (or are left alone), `kept_out` by reason, `arms` people by arm.

    `told` are people to whom anything was said; `codes` per offer how many were issued; `standing` who is inside at
    the end.
    """

    entered: int
    held_out: int
    kept_out: Mapping[str, int]
    arms: Mapping[str, int]
    told: int
    standing: int
    steps: tuple[StepDays, ...]
    codes: Mapping[str, int]


def tally(
    connection: Connection, journey_id: int, *, since: datetime, zone: ZoneInfo, scale: float, keys: tuple[str, ...]
) -> Tally:
    """Count one journey's rows from `since` on; `keys` are its steps in their order."""
    since_us = to_us(since)
    scaled = _Scaled(scale, zone)
    people = connection.execute(
        select(Enrolment.state, Enrolment.held_out, Enrolment.arm, Enrolment.left_reason, func.count())
        .where(Enrolment.journey_id == journey_id)
        .group_by(Enrolment.state, Enrolment.held_out, Enrolment.arm, Enrolment.left_reason)).all()
    kept_out, arms = Counter[str](), Counter[str]()
    entered = held = standing = 0
    for state, held_out, arm, reason, count in people:
        if state == "excluded":
            kept_out[reason or "left out"] += count
            continue
        entered += count
        held += count if held_out else 0
        standing += count if state == "active" else 0
        if arm is not None and not held_out:
            arms[arm] += count
    told = connection.scalar(select(func.count(Message.customer_id.distinct())).where(
        _mine(journey_id), Message.state.in_(("sent", "uncertain", "handed_over")), Message.queued_at >= since_us)) or 0
    return Tally(scaled(entered), scaled(held), {name: scaled(count) for name, count in kept_out.items()},
                 {name: scaled(count) for name, count in sorted(arms.items())}, scaled(told), scaled(standing),
                 _steps(connection, journey_id, since_us, scaled, keys),
                 _codes(connection, journey_id, since_us, scaled))


@dataclass(frozen=True)
class _Scaled:
    """Rounds a count of examples to people, and an hour to its local day."""

    scale: float
    zone: ZoneInfo

    def __call__(self, count: int) -> int:
        return round(count * self.scale)

    def day(self, hour: int) -> date:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)).astimezone(self.zone).date()

    def days(self, counts: Mapping[int, int]) -> Days:
        """Counts by hour as scaled counts by day, in order."""
        found: dict[date, int] = defaultdict(int)
        for hour, count in counts.items():
            found[self.day(hour)] += count
        return {day: self(count) for day, count in sorted(found.items())}


def _mine(journey_id: int) -> Any:
    return Message.enrolment_ref.in_(select(Enrolment.id).where(Enrolment.journey_id == journey_id))


def _hour(column: Any) -> Any:
    return type_coerce(column, BigInteger) // HOUR_US


def _steps(
    connection: Connection, journey_id: int, since_us: int, scaled: _Scaled, keys: tuple[str, ...]
) -> tuple[StepDays, ...]:
    came: dict[str, Counter[int]] = defaultdict(Counter)
    for query in _arrivals(journey_id, since_us):
        for step, hour, count in connection.execute(query):
            came[step][int(hour)] += count
    spoken: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    silent: dict[str, Counter[str]] = defaultdict(Counter)
    # A call lies on the desk before anybody is reached: it is work for an agent from then on.
    at = _hour(case((Message.channel == "phone", Message.handed_over_at), else_=Message.sent_at))
    for step, channel, state, reason, hour, count in connection.execute(
            select(Message.step, Message.channel, Message.state, Message.reason, at, func.count())
            .where(_mine(journey_id), Message.queued_at >= since_us)
            .group_by(Message.step, Message.channel, Message.state, Message.reason, at)):
        if hour is not None and channel is not None:
            spoken[step, channel][int(hour)] += count
        elif state in SILENT or (state == "queued" and reason):  # put off to the end: quiet hours, caps
            silent[step][reason or state] += count
    return tuple(StepDays(
        key, scaled.days(came.get(key, {})),
        {channel: scaled.days(hours) for (step, channel), hours in sorted(spoken.items()) if step == key},
        {reason: scaled(count) for reason, count in silent.get(key, Counter()).most_common()},
    ) for key in keys)


def _arrivals(journey_id: int, since_us: int) -> tuple[Select[Any], ...]:
    """Who came to each step by hour: those who passed it, and those who stand there."""
    passed, here = _hour(Visit.entered_at), _hour(Enrolment.step_entered_at)
    return (
        select(Visit.step, passed, func.count()).join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(Enrolment.journey_id == journey_id, Visit.entered_at >= since_us).group_by(Visit.step, passed),
        select(Enrolment.step, here, func.count())
        .outerjoin(Visit, and_(Visit.enrolment_id == Enrolment.id, Visit.number == Enrolment.visit))
        .where(Enrolment.journey_id == journey_id, Enrolment.step.is_not(None), Visit.id.is_(None),
               Enrolment.step_entered_at >= since_us).group_by(Enrolment.step, here))


def _codes(connection: Connection, journey_id: int, since_us: int, scaled: _Scaled) -> dict[str, int]:
    campaign = select(Message.campaign).where(_mine(journey_id)).limit(1).scalar_subquery()
    return {key: scaled(count) for key, count in connection.execute(
        select(Offer.key, func.count()).join(Code, Code.offer_id == Offer.id)
        .where(Code.campaign == campaign, Code.issued_at >= since_us, Code.state != "stock")
        .group_by(Offer.key).order_by(Offer.key))}

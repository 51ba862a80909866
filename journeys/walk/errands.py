"""What was asked for, and is too much for one transaction?

Owns the errands that may concern everybody inside a journey: holding for a pause what waits to go out, going on after
it, bringing those who stand at one
step over to another version, and seeing everybody off who is in a version that ends. Each is kept with the journey and
done a part at a time, with its place in the same transaction, so that nobody else waits for long and a kill between two
parts loses and repeats nothing. While a journey goes on after a pause nobody walks in it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, func, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.arrays import in_ids
from core.database import Database
from core.types import from_us, to_us
from delivery.holding import park
from delivery.models import Message
from delivery.states import move as move_messages
from journeys.exits.leaving import leave
from journeys.models import Enrolment, Journey, Version
from journeys.states import INSIDE
from journeys.visits import record_visits, take_along, ways_of
from journeys.walk.due import NEVER
from journeys.walk.putting_off import put_off, wait_on
from journeys.walk.skipping import pass_in_silence
from journeys.walk.speaking import SKIPPED

AT_ONCE = 5_000
"""Rows of one transaction."""
Errand = dict[str, Any]


def parking(*, now: datetime) -> Errand:
    """The errand of a journey that is paused: what waits to go out is held."""
    return {"at_us": to_us(now), "after": 0, "part": "park"}


def going_on(*, overdue: str, since: datetime, now: datetime) -> Errand:
    """The errand of a journey that goes on: its `overdue` as `resume` takes it, paused at `since`."""
    return {"overdue": overdue, "since_us": to_us(since), "at_us": to_us(now), "after": 0,
            "part": "held" if overdue == "skip" else "release"}


def bringing_over(*, old: Version, new: Version, step: str, target: str, now: datetime) -> Errand:
    """The errand of people who stand at a step now and shall stand at `target` of another version."""
    return {"from": old.id, "to": new.id, "number": new.number, "step": step, "target": target, "at_us": to_us(now)}


def seeing_off(*, version: Version, now: datetime) -> Errand:
    """The errand of everybody in a version that ends."""
    return {"from": version.id, "at_us": to_us(now), "after": 0}


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Do what is left of every errand, `limit` rows per transaction; returns how many parts were done."""
    with database.reading() as session:
        ids = session.scalars(select(Journey.id).where(
            or_(Journey.resuming.is_not(None), Journey.moving.is_not(None))).order_by(Journey.id)).all()
    done = 0
    for journey_id in ids:
        while _part(database, journey_id, limit=limit):
            done += 1
    return done


def _part(database: Database, journey_id: int, *, limit: int) -> bool:
    with database.writing() as session:
        journey = session.execute(select(Journey).where(Journey.id == journey_id).with_for_update()).scalar_one()
        if journey.resuming is None and journey.moving is None:
            return False
        if journey.state not in ("running", "paused"):
            journey.resuming = journey.moving = None  # it is over: everybody is let out anyway
        elif journey.resuming is not None:
            go_on(session, journey, limit=limit)
        elif journey.moving is not None and "step" in journey.moving:
            bring_over(session, journey, limit=limit)
        else:
            see_off(session, journey, limit=limit)
        return True


def go_on(session: Session, journey: Journey, *, limit: int = AT_ONCE) -> bool:
    """Do at most so many rows of what pausing or going on asks for; returns whether nothing is left."""
    errand: Errand | None = None if journey.resuming is None else dict(journey.resuming)
    left = limit
    while errand is not None and left > 0:
        done, last = _PARTS[errand["part"]](session, journey, errand, left)
        left -= done
        following = _FOLLOWING[errand["part"]]
        if last is not None:
            errand["after"] = last
        elif following is None:
            errand = None
        else:
            errand |= {"part": following, "after": 0}
    journey.resuming = errand
    session.flush()
    return errand is None


def _held(session: Session, journey: Journey) -> tuple[ColumnElement[bool], ...]:
    campaign = session.get_one(Campaign, journey.campaign_id).key
    return Message.campaign == campaign, Message.state == "queued", Message.due_at >= NEVER


def _park(session: Session, journey: Journey, _errand: Mapping[str, Any], limit: int) -> tuple[int, int | None]:
    """Hold what waits to go out."""
    campaign = session.get_one(Campaign, journey.campaign_id).key
    parked = park(session.connection(), campaign, until=NEVER, limit=limit)
    return parked, 0 if parked == limit else None


def _cancel(session: Session, journey: Journey, errand: Mapping[str, Any], limit: int) -> tuple[int, int | None]:
    """Leave out the messages that were held."""
    ids = session.scalars(select(Message.id).where(*_held(session, journey)).order_by(Message.id).limit(limit)).all()
    move_messages(session.connection(), ids, "cancelled", from_="queued", now=from_us(errand["at_us"]), reason=SKIPPED)
    return len(ids), 0 if len(ids) == limit else None


def _silence(session: Session, journey: Journey, errand: Mapping[str, Any], limit: int) -> tuple[int, int | None]:
    """Walk those on who became due meanwhile, without saying anything."""
    found = pass_in_silence(session, journey, since=from_us(errand["since_us"]), now=from_us(errand["at_us"]),
                            after=errand["after"], limit=limit)
    return len(found), found[-1] if len(found) == limit else None


def _release(session: Session, journey: Journey, errand: Mapping[str, Any], limit: int) -> tuple[int, int | None]:
    """Let the messages that were held go out."""
    ids = session.scalars(select(Message.id).where(*_held(session, journey)).order_by(Message.id).limit(limit)).all()
    session.execute(update(Message).where(in_ids(Message.id, ids)).values(due_at=from_us(errand["at_us"]))
                    .execution_options(synchronize_session=False))
    return len(ids), 0 if len(ids) == limit else None


def _people(session: Session, journey: Journey, errand: Mapping[str, Any], limit: int) -> tuple[int, int | None]:
    """Move due dates where that was asked for, and have looked at whoever waits for something or stood at the door:
    what came to pass meanwhile counts."""
    at, since = from_us(errand["at_us"]), from_us(errand["since_us"])
    looked_at = or_(Enrolment.until_at.is_not(None), Enrolment.step_entered_at >= since)
    found = select(Enrolment.id).where(Enrolment.journey_id == journey.id, Enrolment.state == "active",
                                       Enrolment.id > errand["after"]).order_by(Enrolment.id).limit(limit)
    ids = session.scalars(found if errand["overdue"] == "shift" else found.where(looked_at)).all()
    mine = in_ids(Enrolment.id, ids)
    if errand["overdue"] == "shift":
        length_us = errand["at_us"] - errand["since_us"]
        session.execute(
            update(Enrolment).where(mine, Enrolment.due_at.is_not(None))
            .values(due_at=Enrolment.due_at + length_us, until_at=Enrolment.until_at + length_us)
            .execution_options(synchronize_session=False))
    session.execute(update(Enrolment).where(mine, looked_at).values(due_at=at)
                    .execution_options(synchronize_session=False))
    return len(ids), ids[-1] if len(ids) == limit else None


_PARTS: Mapping[str, Callable[[Session, Journey, Mapping[str, Any], int], tuple[int, int | None]]] = {
    "park": _park, "held": _cancel, "silence": _silence, "release": _release, "people": _people}
"""Each returns how many rows it did, and the last one's id (0 where those done are found no more); None: no more."""
_FOLLOWING: Mapping[str, str | None] = {
    "park": None, "held": "silence", "silence": "release", "release": "people", "people": None}


def standing_at(errand: Mapping[str, Any]) -> tuple[ColumnElement[bool], ...]:
    """Who is to be brought over: those who stood there when it was asked for. Who is to be seen off: everybody who has
    not left, and who came to the end, since a message may still wait."""
    if "step" not in errand:
        return (Enrolment.version_id == errand["from"], Enrolment.id > errand["after"],
                Enrolment.state.in_((*INSIDE, "finished")))
    return (Enrolment.version_id == errand["from"], Enrolment.step == errand["step"],
            Enrolment.state.in_(("active", "failed")),
            or_(Enrolment.step_entered_at.is_(None), Enrolment.step_entered_at <= from_us(errand["at_us"])))


def count_standing(session: Session, errand: Mapping[str, Any]) -> int:
    """How many are still to be brought over."""
    return session.scalar(select(func.count()).select_from(Enrolment).where(*standing_at(errand))) or 0


def see_off(session: Session, journey: Journey, *, limit: int = AT_ONCE) -> bool:
    """Let at most so many people out; returns whether nobody is left."""
    errand = journey.moving
    if errand is None:
        return True
    ids = session.scalars(
        select(Enrolment.id).where(*standing_at(errand)).order_by(Enrolment.id).limit(limit)).all()
    leave(session.connection(), dict.fromkeys(ids, "retired"), to="over", now=from_us(errand["at_us"]))
    journey.moving = {**errand, "after": ids[-1]} if len(ids) == limit else None
    session.flush()
    return len(ids) < limit


def bring_over(session: Session, journey: Journey, *, limit: int = AT_ONCE) -> bool:
    """Bring at most so many people over; returns whether nobody is left. Whoever comes over is found there no more."""
    errand = journey.moving
    if errand is None:
        return True
    now = from_us(errand["at_us"])
    rows = session.execute(
        select(Enrolment.id, Enrolment.visit, type_coerce(Enrolment.step_entered_at, BigInteger), Enrolment.held_out)
        .where(*standing_at(errand)).order_by(Enrolment.id).limit(limit).with_for_update()).all()
    count = len(rows)
    ids = [row[0] for row in rows]
    late = put_off(session, ids, now=now)
    record_visits(session.connection(), {
        "enrolment_id": [row[0] for row in rows], "number": [row[1] for row in rows], "step": [errand["step"]] * count,
        "entered_at": [row[2] for row in rows], "left_at": [to_us(now)] * count, "outcome": ["moved"] * count,
        "detail": [f"moved to version {errand['number']}"] * count},
        ways_of([errand["from"]] * count, [errand["step"]] * count, ["moved"] * count, [row[3] for row in rows]))
    take_along(session.connection(), ids, old=errand["from"], new=errand["to"])
    session.execute(
        update(Enrolment).where(in_ids(Enrolment.id, [row[0] for row in rows]))
        .values(version_id=errand["to"], step=errand["target"], visit=Enrolment.visit + 1, due_at=now, until_at=None,
                state="active", error=None)
        .execution_options(synchronize_session=False))
    wait_on(session, ids, late, now=now)
    if count < limit:
        journey.moving = None
    session.flush()
    return count < limit

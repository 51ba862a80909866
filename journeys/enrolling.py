"""Who comes in?

Owns enrolling, with the hold-out drawn by a sticky hash, and drawing the audience of a version: once, as a snapshot of
the segment's members when the journey starts. The promises: nobody enters a journey twice, a drawing cut short goes on
with the same instant's members, and whoever is a member and does not enter is kept with the reason.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from campaigns.excluding import exclusions, left_out
from campaigns.models import Campaign
from core.arrays import in_ids
from core.bulk import bulk_insert, chunks, reserve_ids
from core.database import Database
from core.types import to_us
from customers.models import Customer
from journeys.models import Enrolment, Journey, Version
from journeys.plans import Plan, load_plans
from journeys.steps import held_out
from segments.engines.questions import Questions
from segments.saving.saved import segment_rule

log = logging.getLogger("winback.journeys")
_ENROLMENTS: Table = Enrolment.__table__  # type: ignore[assignment]


def tick(database: Database, *, now: datetime, limit: int, questions: Questions) -> int:
    """Draw every audience that is due; returns how many people were enrolled. `limit` is people per transaction."""
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
    newest = {plan.journey_id: plan for plan in plans.values()}
    entered = 0
    for plan in newest.values():
        if plan.drawn or plan.graph.on is not None or (plan.starts_at is not None and plan.starts_at > now):
            continue
        if plan.ends_at is not None and plan.ends_at <= now:
            continue
        entered += _draw(database, plan, now=now, limit=limit, questions=questions)
    return entered


def _draw(database: Database, plan: Plan, *, now: datetime, limit: int, questions: Questions) -> int:
    with database.writing() as session:
        as_of = _begin(session, plan, now=now)
        rule = segment_rule(session, plan.graph.segment, version=plan.segments[plan.graph.segment])
    members = questions.ids(rule, as_of=as_of, now=now).value
    entered = 0
    for part in chunks(members, limit):
        with database.writing() as session:
            if not may_enter(session, plan):
                return entered
            entered += enrol(session, plan, part, now=now)
    with database.writing() as session:
        session.execute(update(Version).where(Version.id == plan.version_id, Version.entered_at.is_(None))
                        .values(entered_at=now))
    log.info("%s: %s of %s members entered", plan.journey_key, entered, len(members))
    return entered


def _begin(session: Session, plan: Plan, *, now: datetime) -> datetime:
    """The instant whose members enter: now, or that of a drawing which was cut short."""
    version = session.execute(select(Version).where(Version.id == plan.version_id).with_for_update()).scalar_one()
    if version.drawing_as_of is None:
        version.drawing_as_of = now
        session.flush()
    return version.drawing_as_of


def may_enter(session: Session, plan: Plan) -> bool:
    """Whether the journey still runs; holds it so that an end waits, and the campaign so that drawings take turns."""
    session.execute(select(Campaign.id).where(Campaign.id == plan.campaign_id).with_for_update(key_share=True))
    state = session.scalar(select(Journey.state).where(Journey.id == plan.journey_id).with_for_update(read=True))
    return state == "running"


def enrol(session: Session, plan: Plan, customer_ids: Sequence[int], *, now: datetime) -> int:
    """Enrol those who are not inside already; returns how many walk (or are held out)."""
    connection = session.connection()
    inside = set(connection.scalars(
        select(Enrolment.customer_id)
        .where(Enrolment.journey_id == plan.journey_id, in_ids(Enrolment.customer_id, customer_ids))))
    rows = connection.execute(
        select(Customer.id, Customer.external_id, Customer.forgotten_at.is_not(None))
        .where(in_ids(Customer.id, customer_ids)).order_by(Customer.id)).all()
    new = [row for row in rows if row[0] not in inside]
    if not new:
        return 0
    ids, external_ids, forgotten = zip(*new, strict=True)
    kept = held_out(plan.journey_key, external_ids, percent=plan.holdout_percent)
    count, now_us = len(new), to_us(now)
    out = _left_out(session, plan, ids, now=now)
    reasons = ["erased" if gone else out.get(customer_id) for customer_id, gone in zip(ids, forgotten, strict=True)]
    bulk_insert(connection, _ENROLMENTS, {
        "id": reserve_ids(connection, _ENROLMENTS, count),
        "journey_id": [plan.journey_id] * count, "version_id": [plan.version_id] * count, "customer_id": ids,
        "entry": [1] * count, "held_out": kept, "visit": [1] * count, "entered_at": [now_us] * count,
        "state": ["excluded" if reason else "active" for reason in reasons],
        "step": [None if reason else plan.graph.start for reason in reasons],
        "due_at": [None if reason else now_us for reason in reasons],
        "step_entered_at": [None if reason else now_us for reason in reasons],
        "left_at": [now_us if reason else None for reason in reasons],
        "left_reason": reasons,
    })
    return count - sum(1 for reason in reasons if reason)


def _left_out(session: Session, plan: Plan, customer_ids: Sequence[int], *, now: datetime) -> dict[int, str]:
    reasons = exclusions(session, session.get_one(Campaign, plan.campaign_id), standing=plan.graph.standing)
    return left_out(session.connection(), customer_ids, reasons, now=now)

"""A small furniture shop with one journey, for the tests of journeys and the stories."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.planning import save_campaign
from core.database import Database
from core.leases import enlist
from core.settings import read_settings
from coupons.models import Code, Redemption
from coupons.offers.offers import save_offer
from customers.models import Event, Order, OrderLine
from delivery import sending
from delivery.channels import Channel
from delivery.models import Message
from journeys.editing.editing import publish, save_draft
from journeys.exits.objecting import objections
from journeys.models import Enrolment, Version, Visit
from journeys.visits import summed
from journeys.walk import duties
from journeys.walk.due import resting
from journeys.walk.running import Services
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.delivery.ledger import KEY, SETTINGS, add_content, add_people

SERVICES = Services(secret_key=KEY)

GRAPH: dict[str, Any] = {
    "name": "Furniture win-back", "entry": {"segment": "lapsed"}, "holdout_percent": 0, "start": "split",
    "steps": {
        "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail_a", "B": "mail_b"}},
        "mail_a": {"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"},
        "mail_b": {"kind": "send", "content": "offer-a", "offer": "fifteen", "next": "pause_b"},
        "pause": {"kind": "wait", "days": 7, "next": "remind"},
        "pause_b": {"kind": "wait", "days": 7, "next": "end"},
        "remind": {"kind": "send", "content": "reminder", "offer": "ten-percent", "next": "end"},
        "end": {"kind": "leave"},
    },
}

ONE_MAIL: dict[str, Any] = {
    "name": "One mail", "entry": {"segment": "lapsed"}, "holdout_percent": 0, "start": "mail",
    "steps": {"mail": {"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"},
              "pause": {"kind": "wait", "days": 3, "next": "end"}, "end": {"kind": "leave"}},
}


def with_steps(**steps: dict[str, Any]) -> dict[str, Any]:
    """A journey whose first named step is its start."""
    return {"entry": {"segment": "lapsed"}, "holdout_percent": 0, "start": next(iter(steps)), "steps": steps}


def furnish(
    database: Database, people: Sequence[int], *, now: datetime, channels: Sequence[str] = ("email",),
    consents: Sequence[str] = ("email", "phone"), ends_in_days: int | None = 30,
) -> None:
    """People, two offers, two contents, the segment of everybody and the campaign `spring`."""
    with database.writing() as session:
        add_people(session, people, now=now, channels=channels, consents=consents)
        add_content(session, now=now)
        add_content(session, now=now, key="reminder")
        save_offer(session, "ten-percent", name="Ten percent", kind="percent", percent=10, valid_days=14, now=now)
        save_offer(session, "fifteen", name="Fifteen euros", kind="fixed", amount_cents=1500, valid_days=14, now=now)
        save_segment(session, "lapsed", name="Lapsed", rule=parse_rule({"all": []}), now=now)
        save_campaign(session, "spring", now=now, fields={
            "name": "Spring", "goal_categories": ["furniture"], "holdout_percent": 0,
            "ends_at": None if ends_in_days is None else now + timedelta(days=ends_in_days)})


def go(database: Database, graph: dict[str, Any], *, now: datetime, key: str = "winback") -> Version:
    """Save and publish the journey of the campaign `spring`."""
    with database.writing() as session:
        campaign = save_campaign(session, "spring", fields={}, now=now)
        save_draft(session, key, graph, campaign_id=campaign.id, now=now)
        return publish(session, key, author="Ada", now=now)


def questions(database: Database, folder: Path) -> Questions:
    """Answers from the row store."""
    return Questions(database, read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY}),
                     engine="rows")


def walk(database: Database, folder: Path, *, now: datetime, chunk: int | None = None) -> int:
    """Do the journeys' duties until nothing is left to do; nothing is sent."""
    done = 0
    for _ in range(50):
        count = duties.tick(database, now=now, limit=10_000, services=Services(KEY, chunk),
                            questions=questions(database, folder))
        if not count:
            return done
        done += count
    raise AssertionError("the duties never come to rest")


def deliver(database: Database, channels: dict[str, Channel], *, now: datetime, name: str = "sender") -> int:
    """Send what is due until nothing is."""
    lease, done = enlist(database, name), 0
    try:
        while count := sending.tick(database, now=now, limit=1000, worker=lease.number, channels=channels,
                                    settings=SETTINGS, objecting=objections, resting=resting):
            done += count
    finally:
        lease.release()
    return done


def day(database: Database, folder: Path, channels: dict[str, Channel], *, now: datetime) -> None:
    """Everything a worker does at one instant, until it is idle."""
    for _ in range(50):
        if not walk(database, folder, now=now) + deliver(database, channels, now=now):
            return
    raise AssertionError("the worker never comes to rest")


def add_order(
    database: Database, customer_id: int, *, at: datetime, category: str = "furniture", number: str = "1",
    cancelled: bool = False,
) -> None:
    """One order of one line."""
    with database.writing() as session:
        order = Order(external_id=f"{customer_id}-{number}", customer_id=customer_id, ordered_at=at, currency="EUR",
                      cancelled=cancelled, total_cents=20_000)
        session.add(order)
        session.flush()
        session.add(OrderLine(order_id=order.id, customer_id=customer_id, ordered_at=at, cancelled=cancelled,
                              currency="EUR", category=category, quantity_milli=1000, unit_price_cents=20_000,
                              total_cents=20_000))


def everything(database: Database) -> str:
    """The end state as text, without numbers that a database gives out and without random codes."""
    with database.reading() as session:
        people = {row.id: row for row in session.scalars(select(Enrolment))}
        codes = {code.code: f"{code.offer_id}:{code.customer_id}:{code.state}:{code.valid_from}:{code.valid_until}"
                 for code in session.scalars(select(Code))}

        def person(enrolment_id: int | None) -> int:
            return people[enrolment_id or 0].customer_id

        found: dict[str, list[Any]] = {
            "enrolments": sorted([row.customer_id, row.held_out, row.arm, row.channel, row.state, row.step, row.visit,
                                  str(row.due_at), row.left_reason, row.error] for row in people.values()),
            "visits": sorted([person(row.enrolment_id), row.number, row.step, row.outcome, row.detail,
                              str(row.entered_at), str(row.left_at)] for row in session.scalars(select(Visit))),
            "messages": sorted([row.customer_id, row.occasion.split(".", 1)[1], row.state, row.reason, row.channel,
                                row.arm, codes.get(row.code or ""), row.values, str(row.due_at)]
                               for row in session.scalars(select(Message))),
            "codes": sorted(codes.values()),
            "redemptions": sorted([row.customer_id, row.discount_cents] for row in session.scalars(select(Redemption))),
        }
    return json.dumps(found, indent=1, default=str, sort_keys=True)  # PostgreSQL keeps keys in an order of its own


def enrolments(database: Database) -> dict[int, Enrolment]:
    """Enrolments by customer id."""
    with database.reading() as session:
        return {row.customer_id: row for row in session.scalars(select(Enrolment))}


def ledger(database: Database) -> list[Message]:
    """The whole ledger, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(Message).order_by(Message.id)))


def codes(database: Database) -> list[Code]:
    """All codes, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(Code).order_by(Code.id)))


def add_event(
    database: Database, customer_id: int, name: str, *, at: datetime, recorded_at: datetime | None = None,
    **properties: Any,
) -> int:
    """One event as the shop tells it; returns its id."""
    with database.writing() as session:
        event = Event(external_id=f"{customer_id}-{name}-{at.isoformat()}-{properties}", customer_id=customer_id,
                      name=name, at=at, properties=properties, recorded_at=recorded_at or at)
        session.add(event)
        session.flush()
        return event.id


def path_of(database: Database, customer_id: int) -> list[tuple[str, str | None]]:
    """Step and outcome of everything this customer passed, over all passages, in order."""
    with database.reading() as session:
        return [(row.step, row.outcome) for row in session.scalars(
            select(Visit).join(Enrolment, Enrolment.id == Visit.enrolment_id)
            .where(Enrolment.customer_id == customer_id).order_by(Visit.enrolment_id, Visit.number))]


def passages(database: Database, customer_id: int) -> list[Enrolment]:
    """Every enrolment of this customer, in the order in which they were made."""
    with database.reading() as session:
        return list(session.scalars(
            select(Enrolment).where(Enrolment.customer_id == customer_id).order_by(Enrolment.id)))


def counted_by_hand(session: Session) -> dict[tuple[int, str, str], int]:
    """(version, step, outcome) -> people who went that way, those left alone aside, counted from the log."""
    rows = session.execute(
        select(Enrolment.version_id, Visit.step, Visit.outcome, func.count())
        .join(Enrolment, Enrolment.id == Visit.enrolment_id).where(Enrolment.held_out.is_(False))
        .group_by(Enrolment.version_id, Visit.step, Visit.outcome))
    return {(row[0], row[1], row[2] or ""): row[3] for row in rows}


def summed_up(session: Session) -> dict[tuple[int, str, str], int]:
    """The same, from the sums that are kept with the log."""
    return {(version, step, outcome): people for version in session.scalars(select(Version.id))
            for (step, outcome), people in summed(session.connection(), version).items()}

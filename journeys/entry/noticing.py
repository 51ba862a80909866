"""Has something come to pass that lets somebody in, or that somebody waits for?

Owns following events, orders, redemptions and other facts as they are recorded. An event lets in whoever's journey
begins with it, also while the journey is paused: they stand at its start, frozen like everybody. Who waits for
something is woken when it has come to pass. The cursor moves on after the work, and changes may be read again: that is
harmless, because an event lets in once, and whoever was woken stands there no more.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, select, type_coerce, update

from core.arrays import in_ids
from core.bulk import chunks
from core.cursors import Changes, advance, position, read_changes
from core.database import Database
from core.types import to_us
from customers.models import Event
from journeys.entry.admitting import Arrivals, admit, may_enter
from journeys.entry.doors import same_door
from journeys.exits.ahead import lies_ahead
from journeys.exits.concerned import AT_ONCE, ORDERED, customers_of, tables_of
from journeys.exits.happened import Waiting, as_text, fits, happened
from journeys.exits.mates import with_mates
from journeys.graphs.graph import WaitFor
from journeys.graphs.plans import Plan, load_plans
from journeys.models import Enrolment
from segments.engines.members import matching
from segments.saving.saved import segment_rule

log = logging.getLogger("winback.journeys")

READER = "journeys.noticing"
_IDLE_CHANGES = 500


@dataclass(frozen=True)
class _Step:
    """A wait for something: where, and which tables tell of it."""

    version_id: int
    key: str
    tables: frozenset[str]


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Let in and wake whom what was recorded since last time concerns; returns how many. `limit` is people per
    transaction."""
    with database.reading() as session:
        connection = session.connection()
        after = position(connection, READER)
        plans = load_plans(connection, states=("running", "paused"))
        waits = _occupied(connection, _waits(plans))
        doors = [plan for plan in {plan.journey_id: plan for plan in plans.values()}.values()
                 if plan.graph.entry.event is not None]
        tables = frozenset[str]().union(*(step.tables for step in waits), {"events"} if doors else ())
        # With nobody waiting there is nobody to wake: a first import's millions of changes need not be read.
        changes = read_changes(connection, after=after, tables=tuple(sorted(tables)))
        woken = _concerned(connection, changes, waits, plans)
        early = lies_ahead(connection, changes, tables, now=now)
    done = sum(_enter(database, plan, changes.keys.get("events", []), since=same_door(plans, plan)[0].published_at,
                      now=now, limit=limit) for plan in doors)
    for part in chunks(woken, limit):
        done += _wake(database, part, plans, now=now)
    if not early and (changes.keys or changes.cursor - after > _IDLE_CHANGES):
        database.small(lambda connection: advance(connection, READER, changes.cursor))
    return done


def _enter(
    database: Database, plan: Plan, event_ids: Sequence[int], *, since: datetime, now: datetime, limit: int
) -> int:
    """Let in by those of the events that lie after `since`, when the door was opened, and within the window."""
    entry, entered = plan.graph.entry, 0
    begins = max(since, plan.starts_at or since)
    for part in chunks(event_ids, limit):
        with database.writing() as session:
            connection = session.connection()
            query = (
                select(Event.id, Event.customer_id, type_coerce(Event.at, BigInteger).label("at_us"), Event.properties)
                .where(in_ids(Event.id, part), Event.name == entry.event, Event.at >= begins)
                .order_by(Event.at, Event.id))
            if plan.ends_at is not None:
                query = query.where(Event.at < plan.ends_at)
            rows = [row for row in connection.execute(query) if fits(row.properties, entry.where)]
            if plan.graph.segment:
                rule = segment_rule(session, plan.graph.segment, version=plan.segments[plan.graph.segment])
                members = matching(connection, rule, sorted({row.customer_id for row in rows}), as_of=now)
                rows = [row for row in rows if row.customer_id in members]
            if rows and may_enter(session, plan, states=("running", "paused")):
                entered += admit(session, plan, _arrivals(plan, rows, now), now=now)
    if entered:
        log.info("%s: %s people entered by %s", plan.journey_key, entered, entry.event)
    return entered


def _arrivals(plan: Plan, rows: Sequence[Row[*tuple[Any, ...]]], now: datetime) -> Arrivals:
    """Everybody counts from the event itself: what they did since then, before we looked, counts too."""
    name = plan.graph.entry.key
    return Arrivals(
        [row.customer_id for row in rows],
        [None if name is None else (as_text(row.properties.get(name)) or "")[:200] for row in rows],
        [f"event:{row.id}" for row in rows], [min(row.at_us, to_us(now)) for row in rows])


def _waits(plans: Mapping[int, Plan]) -> list[_Step]:
    return [_Step(plan.version_id, key, _tables(step)) for plan in plans.values()
            for key, step in plan.graph.steps.items() if isinstance(step, WaitFor)]


def _tables(step: WaitFor) -> frozenset[str]:
    """The tables a change of which may end the wait."""
    if step.event is not None:
        return frozenset({"events"})
    if step.ordered:
        return frozenset(ORDERED)
    return frozenset({"redemptions"}) if step.rule is None else frozenset(tables_of(step.rule))


def _occupied(connection: Connection, steps: list[_Step]) -> list[_Step]:
    """Those steps whose version has anybody walking in it."""
    versions = sorted({step.version_id for step in steps})
    busy = {version_id for version_id in versions if connection.execute(
        # Whoever has left stands at no step, so the index answers, however many there are.
        select(Enrolment.id).where(Enrolment.version_id == version_id, Enrolment.step.is_not(None)).limit(1)).first()}
    return [step for step in steps if step.version_id in busy]


def _concerned(
    connection: Connection, changes: Changes, steps: Sequence[_Step], plans: Mapping[int, Plan]
) -> list[int]:
    """The enrolments that may stand at one of the steps and whose person had something recorded that it waits for."""
    found: set[int] = set()
    for tables in sorted({tuple(sorted(step.tables)) for step in steps}):
        versions = sorted({step.version_id for step in steps if tuple(sorted(step.tables)) == tables})
        concerned = with_mates(connection, customers_of(connection, changes, tables),
                               [plans[version_id] for version_id in versions])
        for part in chunks(concerned, AT_ONCE):
            found |= set(connection.scalars(select(Enrolment.id).where(
                in_ids(Enrolment.customer_id, part), in_ids(Enrolment.version_id, versions),
                Enrolment.state == "active")))
    return sorted(found)


def _wake(database: Database, ids: Sequence[int], plans: Mapping[int, Plan], *, now: datetime) -> int:
    """Let those be looked at now for whom it has come to pass; the others are left alone, however often a change is
    read again."""
    with database.writing() as session:
        connection = session.connection()
        # Locked first and judged afterwards: the runner may just be bringing them to the step.
        rows = connection.execute(
            select(Enrolment.id, Enrolment.customer_id, Enrolment.version_id, Enrolment.step,
                   type_coerce(Enrolment.due_at, BigInteger).label("due_us"),
                   type_coerce(Enrolment.step_entered_at, BigInteger).label("since_us"))
            .where(in_ids(Enrolment.id, ids), Enrolment.state == "active").order_by(Enrolment.id).with_for_update()
        ).all()
        standing: dict[tuple[int, str], list[Row[*tuple[Any, ...]]]] = {}
        for row in rows:
            if row.due_us is None or row.due_us > to_us(now):
                standing.setdefault((row.version_id, row.step), []).append(row)
        woken: list[int] = []
        for (version_id, key), people in sorted(standing.items()):
            plan = plans[version_id]
            step = plan.graph.steps[key]
            if isinstance(step, WaitFor):
                waiting = Waiting([row.id for row in people], [row.customer_id for row in people],
                                  [row.since_us for row in people])
                woken += [people[place].id for place in happened(connection, plan, step, waiting, now=now)]
        if woken:
            connection.execute(update(Enrolment).where(in_ids(Enrolment.id, woken)).values(due_at=now))
        return len(woken)

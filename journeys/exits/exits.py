"""Who is to be left in peace, and do they leave the moment we learn of it?

Owns the reasons for leaving (redeemed, ordered in the campaign's goal, said no, complained, a rule of the journey) and
the duty that follows the facts they rest on as they are recorded. The runner asks the same question before each step;
what holds by time alone is found then. People of the hold-out never leave by what they do: they are followed to the
end of the window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, type_coerce

from core.arrays import in_ids
from core.bulk import chunks
from core.cursors import advance, position, read_changes
from core.database import Database
from coupons.models import Redemption
from customers.models import Consent, Contact, OrderLine
from journeys.exits.ahead import lies_ahead
from journeys.exits.concerned import ORDERED, customers_of, tables_of
from journeys.exits.leaving import leave
from journeys.exits.mates import HOUSEHOLD, mates_of, newest_of_homes, with_mates
from journeys.graphs.plans import Plan, load_plans
from journeys.models import Enrolment
from journeys.states import MAY_EXIT
from segments.engines.members import matching

READER = "journeys.exits"
_IDLE_CHANGES = 500
"""A cursor this far behind is moved on even when nothing of ours changed; nearer ones are left, to spare the write."""


@dataclass(frozen=True)
class Candidates:
    """People who might have a reason to leave; equally long columns, `entered_us` is when they entered the journey."""

    ids: Sequence[int]
    customer_ids: Sequence[int]
    version_ids: Sequence[int]
    entered_us: Sequence[int]
    held_out: Sequence[bool]


def reasons(
    connection: Connection, people: Candidates, plans: Mapping[int, Plan], *, now: datetime
) -> list[str | None]:
    """Per person the reason to leave (redeemed, ordered, rule), or None to stay; asked on the row store."""
    found: list[str | None] = [None] * len(people.ids)
    by_version: dict[int, list[int]] = {}
    for place, (version_id, kept) in enumerate(zip(people.version_ids, people.held_out, strict=True)):
        if not kept and version_id in plans:
            by_version.setdefault(version_id, []).append(place)
    for version_id, places in sorted(by_version.items()):
        plan = plans[version_id]
        when = plan.graph.exit_when
        open_places = places
        if when.redeemed:
            open_places = _mark(found, open_places, "redeemed", _redeemed(connection, people, open_places, plan, now))
        if when.ordered:
            open_places = _mark(found, open_places, "ordered", _ordered(connection, people, open_places, plan, now))
        for flag, asked in (("unsubscribed", _said_no), ("complained", _complained)):
            if getattr(when, flag):
                open_places = _mark(found, open_places, flag, asked(connection, people, open_places, now))
        for rule in when.rules:
            members = matching(connection, rule, [people.customer_ids[place] for place in open_places], as_of=now)
            fitting = {place for place in open_places if people.customer_ids[place] in members}
            open_places = _mark(found, open_places, "rule", fitting)
    return found


def _mark(found: list[str | None], places: list[int], reason: str, hit: set[int]) -> list[int]:
    for place in hit:
        found[place] = reason
    return [place for place in places if place not in hit] if hit else places


def _redeemed(connection: Connection, people: Candidates, places: list[int], plan: Plan, now: datetime) -> set[int]:
    asked = with_mates(connection, [people.customer_ids[place] for place in places], [plan])
    enrolments = who_redeemed(connection, asked, now=now)
    return {place for place in places if people.ids[place] in enrolments} if enrolments else set()


def _ordered(connection: Connection, people: Candidates, places: list[int], plan: Plan, now: datetime) -> set[int]:
    if not places:
        return set()
    newest = orders_for(
        connection, [people.customer_ids[place] for place in places], plan, categories=plan.goal_categories,
        since_us=min(people.entered_us[place] for place in places), now=now)
    return {
        place for place in places if newest.get(people.customer_ids[place], -1) >= people.entered_us[place]
    } if newest else set()


def _said_no(connection: Connection, people: Candidates, places: list[int], now: datetime) -> set[int]:
    return _since(connection, people, places, Consent, Consent.state.in_(("denied", "withdrawn")), Consent.at <= now)


def _complained(connection: Connection, people: Candidates, places: list[int], now: datetime) -> set[int]:
    return _since(connection, people, places, Contact, Contact.kind == "complaint", Contact.at <= now)


def _since(
    connection: Connection, people: Candidates, places: list[int], table: type[Consent | Contact],
    *holds: ColumnElement[bool],
) -> set[int]:
    """Those of whom such a row tells since they entered."""
    if not places:
        return set()
    newest = dict(connection.execute(
        select(table.customer_id, func.max(type_coerce(table.at, BigInteger)))
        .where(in_ids(table.customer_id, [people.customer_ids[place] for place in places]), *holds,
               table.at >= min(people.entered_us[place] for place in places))
        .group_by(table.customer_id)).all())
    return {place for place in places if newest.get(people.customer_ids[place], -1) >= people.entered_us[place]}


def who_redeemed(connection: Connection, customer_ids: Sequence[int], *, now: datetime) -> set[int]:
    """The enrolments whose code one of these people has redeemed."""
    rows = connection.execute(
        select(Redemption.origin).where(
            in_ids(Redemption.customer_id, customer_ids),
            Redemption.origin.is_not(None), Redemption.state == "redeemed", Redemption.redeemed_at <= now)
    ).scalars().all()
    return {enrolment for origin in rows if (enrolment := enrolment_of(origin)) is not None}


def orders_for(
    connection: Connection, customer_ids: Sequence[int], plan: Plan, *, categories: Sequence[str], since_us: int,
    now: datetime,
) -> dict[int, int]:
    """Customer -> when they last ordered; where households are spoken to, they or who lives with them."""
    mates = mates_of(connection, customer_ids) if plan.graph.unit == HOUSEHOLD else {}
    newest = newest_orders(connection, sorted({*customer_ids, *mates}), categories=categories, since_us=since_us,
                           now=now)
    return newest_of_homes(newest, mates)


def newest_orders(
    connection: Connection, customer_ids: Sequence[int], *, categories: Sequence[str], since_us: int, now: datetime
) -> dict[int, int]:
    """Customer -> when they last ordered (in one of the categories, if any are named), in microseconds."""
    query = (
        select(OrderLine.customer_id, func.max(type_coerce(OrderLine.ordered_at, BigInteger)))
        .where(in_ids(OrderLine.customer_id, customer_ids), OrderLine.ordered_at >= since_us,
               OrderLine.ordered_at <= now, OrderLine.cancelled.is_(False))
        .group_by(OrderLine.customer_id)
    )
    if categories:
        query = query.where(OrderLine.category.in_(categories))
    return {row[0]: row[1] for row in connection.execute(query)}


def origin_of(enrolment_id: int) -> str:
    """The label on the codes and messages of an enrolment."""
    return f"enrolment:{enrolment_id}"


def enrolment_of(origin: str | None) -> int | None:
    """The enrolment a label belongs to, or None for somebody else's label."""
    kind, _, number = (origin or "").partition(":")
    number = number.partition(":")[0]
    return int(number) if kind == "enrolment" and number.isdecimal() else None


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Let everybody leave of whom was recorded since last time why; returns how many left.

    `limit` is the number of people per transaction. The cursor moves on after the work, so a crash repeats it.
    """
    with database.reading() as session:
        connection = session.connection()
        after = position(connection, READER)
        plans = load_plans(connection, states=("running", "paused"))
        # With nobody inside there is nobody to let go: a first import's millions of changes need not be read.
        tables = _followed(plans) if _anybody(connection, plans) else ()
        changes = read_changes(connection, after=after, tables=tables)
        concerned = with_mates(connection, customers_of(connection, changes, tables), plans.values())
        ids = _touched(connection, concerned, plans)
        early = lies_ahead(connection, changes, tables, now=now)
    left = sum(_let_leave(database, part, plans, now=now) for part in chunks(ids, limit))
    if not early and (changes.keys or changes.cursor - after > _IDLE_CHANGES):
        database.small(lambda connection: advance(connection, READER, changes.cursor))
    return left


def _anybody(connection: Connection, plans: Mapping[int, Plan]) -> bool:
    inside = select(Enrolment.id).where(in_ids(Enrolment.version_id, list(plans)),
                                        Enrolment.state.in_((*MAY_EXIT, "finished")), Enrolment.held_out.is_(False))
    return connection.execute(inside.limit(1)).first() is not None


def _followed(plans: Mapping[int, Plan]) -> tuple[str, ...]:
    """The tables that tell of a reason to leave one of these versions."""
    found: set[str] = set()
    for plan in plans.values():
        when = plan.graph.exit_when
        found |= {"redemptions"} if when.redeemed else set()
        found |= set(ORDERED) if when.ordered else set()
        found |= {"consents"} if when.unsubscribed else set()
        found |= {"contacts"} if when.complained else set()
        found |= {table for rule in when.rules for table in tables_of(rule)}
    return tuple(sorted(found))


def _touched(connection: Connection, customer_ids: list[int], plans: Mapping[int, Plan]) -> list[int]:
    """The enrolments of these people that walk, are set aside, or have finished with something still to be taken
    back."""
    found: list[int] = []
    for part in chunks(customer_ids, 50_000):
        found += connection.scalars(
            select(Enrolment.id).where(in_ids(Enrolment.customer_id, part), in_ids(Enrolment.version_id, list(plans)),
                                       Enrolment.state.in_((*MAY_EXIT, "finished")), Enrolment.held_out.is_(False)))
    return sorted(found)


def _let_leave(database: Database, ids: Sequence[int], plans: Mapping[int, Plan], *, now: datetime) -> int:
    with database.writing() as session:
        connection = session.connection()
        rows = connection.execute(
            select(Enrolment.id, Enrolment.customer_id, Enrolment.version_id,
                   type_coerce(Enrolment.entered_at, BigInteger), Enrolment.held_out)
            .where(in_ids(Enrolment.id, ids), Enrolment.state.in_((*MAY_EXIT, "finished")))
            .order_by(Enrolment.id).with_for_update()
        ).all()
        if not rows:
            return 0
        people = Candidates(*zip(*rows, strict=True))
        why = reasons(connection, people, plans, now=now)
        leaving = {enrolment_id: reason for enrolment_id, reason in zip(people.ids, why, strict=True) if reason}
        return leave(connection, leaving, to="exited", now=now) if leaving else 0



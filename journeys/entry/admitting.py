"""Who of those at the door may come in, and as what?

Owns enrolling, with the hold-out drawn by a sticky hash. The promises: nobody is in a journey twice at a time (with
keys: not twice for the same key), whoever was in comes again only as its re-entry rule says, the same cause lets in
once however often it is told, and whoever was let in and does not walk is kept with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Table, select, type_coerce
from sqlalchemy.orm import Session

from campaigns.excluding import exclusions, left_out
from campaigns.models import Campaign
from core.arrays import in_ids
from core.bulk import bulk_insert, chunks, reserve_ids
from core.database import Database
from core.types import MICROSECOND, to_us
from customers.models import Customer
from journeys.entry.grouping import make_way
from journeys.entry.holding_out import left_alone, left_alone_by_all
from journeys.entry.households import HOUSEHOLD, passages_of_mates
from journeys.entry.units import ALONE, ORGANISATION, drawn_units
from journeys.graphs.plans import Plan
from journeys.models import Enrolment, Journey
from journeys.states import INSIDE

_ENROLMENTS: Table = Enrolment.__table__  # type: ignore[assignment]
ERASED = "erased"


@dataclass(frozen=True)
class Arrivals:
    """People at the door, in the order in which they came; equally long columns. `since_us` is when each counts as
    having entered, `keys` what the passage is about, `causes` what brought them (None: the drawing at the start)."""

    customer_ids: Sequence[int]
    keys: Sequence[str | None]
    causes: Sequence[str | None]
    since_us: Sequence[int]


def may_enter(session: Session, plan: Plan, *, states: tuple[str, ...] = ("running",)) -> bool:
    """Whether the journey is still in one of the states; holds it so that an end waits, and the campaign so that those
    who let people in take turns."""
    session.execute(select(Campaign.id).where(Campaign.id == plan.campaign_id).with_for_update(key_share=True))
    state = session.scalar(select(Journey.state).where(Journey.id == plan.journey_id).with_for_update(read=True))
    return state in states


def enrol(session: Session, plan: Plan, customer_ids: Sequence[int], *, now: datetime, cause: str | None = None) -> int:
    """Let these people in as of now, for one cause; returns how many walk (or are held out)."""
    count = len(customer_ids)
    return admit(session, plan, Arrivals(customer_ids, [None] * count, [cause] * count, [to_us(now)] * count), now=now)


def enrol_all(
    database: Database, plan: Plan, customer_ids: Sequence[int], *, limit: int, now: datetime, cause: str | None = None
) -> tuple[int, bool]:
    """Let these people in, `limit` per transaction; returns how many walk, and whether it came to the end: a journey
    that is stopped or paused meanwhile lets nobody else in."""
    entered = 0
    for part in chunks(customer_ids, limit):
        with database.writing() as session:
            if not may_enter(session, plan):
                return entered, False
            entered += enrol(session, plan, part, now=now, cause=cause)
    return entered, True


def admit(session: Session, plan: Plan, arrivals: Arrivals, *, now: datetime) -> int:
    """Enrol whoever may come in; returns how many walk (or are held out). The caller has asked `may_enter`."""
    connection = session.connection()
    before: dict[int, list[Row[*tuple[Any, ...]]]] = {}
    for row in connection.execute(
            select(Enrolment.customer_id, Enrolment.key, Enrolment.cause, Enrolment.entry, Enrolment.state,
                   type_coerce(Enrolment.entered_at, BigInteger).label("entered_us"),
                   type_coerce(Enrolment.left_at, BigInteger).label("left_us"))
            .where(Enrolment.journey_id == plan.journey_id, in_ids(Enrolment.customer_id, arrivals.customer_ids))):
        before.setdefault(row.customer_id, []).append(row)
    people = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(
        select(Customer.id, Customer.external_id, Customer.forgotten_at.is_not(None), Customer.household)
        .where(in_ids(Customer.id, arrivals.customer_ids))).all()}
    places, entries = _chosen(plan, arrivals, before, set(people))
    if not places:
        return 0
    ids = [arrivals.customer_ids[place] for place in places]
    kept_out = {customer: ERASED for customer in ids if people[customer][1]}
    kept_out |= left_out(
        connection, [customer for customer in ids if customer not in kept_out],
        exclusions(session, session.get_one(Campaign, plan.campaign_id), standing=plan.graph.standing), now=now)
    if plan.graph.unit == HOUSEHOLD:
        kept_out |= _one_each(connection, plan, arrivals, [place for place, customer in zip(places, ids, strict=True)
                                                           if customer not in kept_out])
    numbers = [people[customer][0] for customer in ids]
    in_firms = plan.graph.unit == ORGANISATION
    if in_firms and plan.global_percent:  # an organisation is one whole: nobody of it is left alone beside the others
        kept_out |= {customer: ALONE for customer, alone in zip(ids, left_alone_by_all(
            numbers, plan.global_percent), strict=True) if alone and customer not in kept_out}
    kept_out |= make_way(connection, plan, [customer for customer in ids if customer not in kept_out], now=now)
    gone = [customer in kept_out for customer in ids]
    since = [arrivals.since_us[place] for place in places]
    kept = left_alone(plan.journey_key, numbers, percent=plan.holdout_percent,
                      global_percent=0.0 if in_firms else plan.global_percent,
                      units=drawn_units(connection, plan.graph.unit, ids, numbers,
                                        [people[customer][2] for customer in ids], since))
    _insert(session, plan, {
        "customer_id": ids,
        "entry": _numbers(ids, entries, kept_out, before), "held_out": kept, "entered_at": since,
        "state": ["excluded" if away else "active" for away in gone],
        "step": [None if away else plan.graph.start for away in gone],
        "due_at": [None if away else to_us(now) for away in gone],
        "step_entered_at": [None if away else at for away, at in zip(gone, since, strict=True)],
        "left_at": [to_us(now) if away else None for away in gone],
        "left_reason": [kept_out.get(customer) for customer in ids],
        "key": [arrivals.keys[place] for place in places], "cause": [arrivals.causes[place] for place in places],
    })
    return len(places) - sum(gone)


def _one_each(connection: Connection, plan: Plan, arrivals: Arrivals, places: Sequence[int]) -> dict[int, str]:
    """Who stays out because somebody else of the household comes in, is in, or was in too lately."""
    homes, passages = passages_of_mates(connection, plan, [arrivals.customer_ids[place] for place in places])
    days = plan.graph.reentry_days
    wait_us = None if days is None else timedelta(days=days) // MICROSECOND
    taken: dict[tuple[str, str | None], int] = {}
    kept_out: dict[int, str] = {}
    for place in places:
        customer, key = arrivals.customer_ids[place], arrivals.keys[place]
        home = homes.get(customer)
        if home is None:
            continue
        mates = [row for row in passages.get(home, []) if row.customer_id != customer]
        if not _may(mates, key, arrivals.causes[place], arrivals.since_us[place], wait_us) or (
                taken.setdefault((home, key), customer) != customer):
            kept_out[customer] = HOUSEHOLD
    return kept_out


def _insert(session: Session, plan: Plan, columns: dict[str, list[Any]]) -> None:
    count = len(columns["customer_id"])
    told = {name: column for name, column in columns.items()
            if name not in ("key", "cause") or any(value is not None for value in column)}
    bulk_insert(session.connection(), _ENROLMENTS, {
        "id": reserve_ids(session.connection(), _ENROLMENTS, count), "journey_id": [plan.journey_id] * count,
        "version_id": [plan.version_id] * count, "visit": [1] * count, **told})


def _numbers(
    ids: list[int], entries: list[int], kept_out: dict[int, str], before: dict[int, list[Row[*tuple[Any, ...]]]]
) -> list[int]:
    """The numbers of the entries. Who is kept out gets 0 and below, so that no report takes it for a first entry."""
    if not kept_out:
        return entries
    lowest: dict[int, int] = {}
    numbers = []
    for customer, number in zip(ids, entries, strict=True):
        if kept_out.get(customer, ERASED) == ERASED:
            numbers.append(number)
        else:
            least = lowest.get(customer, min([1, *(row.entry for row in before.get(customer, []))]))
            lowest[customer] = least - 1
            numbers.append(least - 1)
    return numbers


def _chosen(
    plan: Plan, arrivals: Arrivals, before: dict[int, list[Row[*tuple[Any, ...]]]], known: set[int]
) -> tuple[list[int], list[int]]:
    """The places of those who come in, and the number of each one's entry."""
    customers = arrivals.customer_ids
    if not before and len(known) == len(customers):
        return list(range(len(customers))), [1] * len(customers)
    days = plan.graph.reentry_days
    wait_us = None if days is None else timedelta(days=days) // MICROSECOND
    places: list[int] = []
    entries: list[int] = []
    newest: dict[int, int] = {}
    come: set[tuple[int, str | None]] = set()
    for place, customer in enumerate(customers):
        key, cause = arrivals.keys[place], arrivals.causes[place]
        rows = before.get(customer, [])
        if customer not in known or (customer, key) in come or not _may(rows, key, cause, arrivals.since_us[place],
                                                                        wait_us):
            continue
        come.add((customer, key))
        places.append(place)
        newest[customer] = newest.get(customer, max([0, *(row.entry for row in rows)])) + 1
        entries.append(newest[customer])
    return places, entries


def _may(
    rows: list[Row[*tuple[Any, ...]]], key: str | None, cause: str | None, since_us: int, wait_us: int | None
) -> bool:
    """Whether somebody with these earlier entries may come in; `wait_us` None: nobody comes twice."""
    if any(row.cause == cause and (cause is not None or row.state == "excluded") for row in rows):
        return False
    mine = [row for row in rows if row.key == key and row.entry > 0]
    # What happened while somebody was inside lets them in neither then nor when it is read again later.
    if any(row.state in INSIDE or (row.left_us is not None and row.left_us > since_us) for row in mine):
        return False
    # The drawing at the start takes everybody once: publishing a new version is no reason to begin again.
    return not mine or (wait_us is not None and cause is not None
                        and since_us - max(row.entered_us for row in mine) >= wait_us)

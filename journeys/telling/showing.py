"""Who stands where in a journey, which way did they go, and why?

Owns the numbers on the drawing of one version and the lists of people behind them. The promise: a number and the list
it opens come from the same filter, and nobody is counted twice at one place.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.arrays import in_ids
from customers.models import Customer
from customers.people import display_name
from journeys.exits.leaving import REASONS
from journeys.models import Enrolment, Journey, Version, Visit
from journeys.states import INSIDE, SENTENCES
from journeys.visits import summed

LOOKED_AT_FIRST = 5_000
"""People among whom a page of those who went one way is sought before everybody is looked at."""


@dataclass(frozen=True)
class Traffic:
    """Numbers of one version. The hold-out stands beside the steps: `held_out` of those `entered`, `followed` of them
    still inside. Of the others, `here`: step -> people standing there now; `set_aside`: step -> those of them set aside
    after an error; `ways`: (step, outcome) -> people who went that way since the start; `left`: reason -> people,
    hold-out included."""

    entered: int
    excluded: int
    held_out: int
    followed: int
    here: dict[str, int]
    set_aside: dict[str, int]
    ways: dict[tuple[str, str], int]
    left: dict[str, int]

    @property
    def inside(self) -> int:
        """Everybody who has not left, the hold-out included."""
        return sum(self.here.values()) + self.followed


@dataclass(frozen=True)
class Standing:
    """How many people came into one version, how many of them were left alone, how many are inside; and how many of the
    segment did not enter."""

    version: int
    entered: int
    held_out: int
    inside: int
    excluded: int


@dataclass(frozen=True)
class Passenger:
    """One person in a list: who, since when, what happened or what is waited for, and why."""

    enrolment_id: int
    customer: str
    name: str
    arm: str | None
    channel: str | None
    state: str
    at: datetime
    due_at: datetime | None
    outcome: str | None
    why: str


def version_of(session: Session, journey: Journey, number: int) -> Version | None:
    """The journey's version of this number, or None."""
    return session.scalars(
        select(Version).where(Version.journey_id == journey.id, Version.number == number)).one_or_none()


def versions_of(session: Session, journey: Journey) -> list[Version]:
    """Every published version of a journey, newest first."""
    return list(session.scalars(
        select(Version).where(Version.journey_id == journey.id).order_by(Version.number.desc())))


def page_of_journeys(
    session: Session, *, after: int = 0, limit: int = 100
) -> tuple[list[tuple[Journey, Campaign, int | None]], int | None]:
    """Journeys in the order in which they were made, each with its campaign and the number of its newest version; and
    where the next page begins."""
    newest = (select(func.max(Version.number)).where(Version.journey_id == Journey.id).correlate(Journey)
              .scalar_subquery())
    rows = session.execute(
        select(Journey, Campaign, newest).join(Campaign, Campaign.id == Journey.campaign_id)
        .where(Journey.id > after).order_by(Journey.id).limit(limit + 1)).all()
    return [(row[0], row[1], row[2]) for row in rows[:limit]], rows[limit - 1][0].id if len(rows) > limit else None


def traffic(session: Session, version: Version) -> Traffic:
    """The numbers of one version as they stand."""
    mine = Enrolment.version_id == version.id
    standing = session.execute(
        select(Enrolment.step, Enrolment.state, Enrolment.held_out, Enrolment.left_reason, func.count())
        .where(mine).group_by(Enrolment.step, Enrolment.state, Enrolment.held_out, Enrolment.left_reason)).all()
    here: dict[str, int] = {}
    aside: dict[str, int] = {}
    left: dict[str, int] = {}
    counts = {"all": 0, "excluded": 0, "held": 0, "followed": 0}
    for step, state, held, reason, people in standing:
        counts["excluded" if state == "excluded" else "all"] += people
        counts["held"] += people if held and state != "excluded" else 0
        counts["followed"] += people if held and state in INSIDE else 0
        if step is not None and state in INSIDE and not held:
            here[step] = here.get(step, 0) + people
            if state == "failed":
                aside[step] = aside.get(step, 0) + people
        if state not in INSIDE and state != "excluded":
            left[reason or state] = left.get(reason or state, 0) + people
    went = summed(session.connection(), version.id)
    return Traffic(counts["all"], counts["excluded"], counts["held"], counts["followed"], here, aside, went, left)


def standings(session: Session, journey: Journey) -> list[Standing]:
    """Every version of a journey with its people, newest first: people keep the version they came into."""
    counts: dict[int, Counter[str]] = {version.number: Counter() for version in versions_of(session, journey)}
    for number, state, held, people in session.execute(
            select(Version.number, Enrolment.state, Enrolment.held_out, func.count())
            .join(Enrolment, Enrolment.version_id == Version.id).where(Version.journey_id == journey.id)
            .group_by(Version.number, Enrolment.state, Enrolment.held_out)):
        if state == "excluded":
            counts[number]["excluded"] += people
            continue
        counts[number]["entered"] += people
        counts[number]["held_out"] += people if held else 0
        counts[number]["inside"] += people if state in INSIDE else 0
    return [Standing(number, each["entered"], each["held_out"], each["inside"], each["excluded"])
            for number, each in counts.items()]


def excluded_reasons(session: Session, version: Version) -> list[tuple[str, int]]:
    """Why people of the segment did not enter this version, and how many for each reason, most first."""
    people = func.count()
    rows = session.execute(
        select(Enrolment.left_reason, people)
        .where(Enrolment.version_id == version.id, Enrolment.state == "excluded")
        .group_by(Enrolment.left_reason).order_by(people.desc(), Enrolment.left_reason))
    return [(row[0] or "", row[1]) for row in rows]


def people_here(
    session: Session, version: Version, *, step: str | None = None, state: str | None = None,
    left: str | None = None, held_out: bool | None = None, after: int = 0, limit: int = 100,
) -> tuple[list[Passenger], int | None]:
    """People of a version by where they stand, in which state, or why they left; and where the next page begins.

    `state` is one of journeys/states.py, or "inside" for everybody who has not left.
    """
    wanted = [Enrolment.version_id == version.id]
    if step is not None:
        wanted += [Enrolment.step == step, Enrolment.held_out.is_(False)]
    if state == "inside" or (step is not None and state is None):
        wanted.append(Enrolment.state.in_(INSIDE))
    elif state is not None:
        wanted.append(Enrolment.state == state)
    else:
        wanted.append(Enrolment.state != "excluded")
    if left is not None:
        wanted.append(Enrolment.left_reason == left)
    if held_out is not None:
        wanted.append(Enrolment.held_out.is_(held_out))
    ids, following = _page(_first(session, wanted, after, limit + 1), limit)
    rows = session.execute(select(Enrolment, Customer).join(Customer, Customer.id == Enrolment.customer_id)
                           .where(in_ids(Enrolment.id, ids)).order_by(Enrolment.id))
    return [_standing(row[0], row[1]) for row in rows], following


def people_who_went(
    session: Session, version: Version, *, step: str, outcome: str, after: int = 0, limit: int = 100,
    at_first: int = LOOKED_AT_FIRST,
) -> tuple[list[Passenger], int | None]:
    """People of a version who passed `step` with this outcome, and where the next page begins.

    Whoever passed it more than once is listed by the last time. The next `at_first` people are looked at first,
    then twenty times as many, then all.
    """
    mine = [Enrolment.version_id == version.id, Enrolment.held_out.is_(False)]
    went = [Visit.enrolment_id == Enrolment.id, Visit.step == step, Visit.outcome == outcome]
    passed = select(Visit.id).where(*went).correlate(Enrolment).exists()
    # Most ways were gone by many: they fill a page without a look at what everybody did.
    found, place = list[int](), after
    for look in (at_first, 20 * at_first):
        near = _first(session, mine, place, look)
        found += _first(session, [in_ids(Enrolment.id, near), passed], place, limit + 1 - len(found))
        if len(near) < look or len(found) > limit:
            break
        place = near[-1]
    else:
        found += _first(session, [*mine, passed], place, limit + 1 - len(found))
    ids, following = _page(found, limit)
    last = select(func.max(Visit.id)).where(*went).correlate(Enrolment).scalar_subquery()
    rows = session.execute(
        select(Enrolment, Customer, Visit).join(Customer, Customer.id == Enrolment.customer_id)
        .join(Visit, Visit.id == last).where(in_ids(Enrolment.id, ids)).order_by(Enrolment.id))
    return [_passed(*row) for row in rows], following


def set_aside(session: Session) -> list[tuple[Journey, int, str]]:
    """Journeys with people set aside after an error: how many, and one of the errors."""
    rows = session.execute(
        select(Journey, func.count(), func.min(Enrolment.error)).join(Journey, Journey.id == Enrolment.journey_id)
        .where(Enrolment.state == "failed").group_by(Journey.id).order_by(Journey.name))
    return [(row[0], row[1], row[2] or "") for row in rows]


def _first(session: Session, wanted: Sequence[ColumnElement[bool]], after: int, limit: int) -> list[int]:
    """The first ids after this one: an index holds all that is asked, where whole rows of everybody would be sorted."""
    return list(session.scalars(
        select(Enrolment.id).where(*wanted, Enrolment.id > after).order_by(Enrolment.id).limit(limit)).all())


def _page(ids: list[int], limit: int) -> tuple[list[int], int | None]:
    return ids[:limit], ids[limit - 1] if len(ids) > limit else None


def _standing(enrolment: Enrolment, customer: Customer) -> Passenger:
    why = enrolment.error or REASONS.get(enrolment.left_reason or "") or SENTENCES[enrolment.state]
    if enrolment.state == "excluded" and enrolment.left_reason:
        why = REASONS.get(enrolment.left_reason, enrolment.left_reason)
    return Passenger(enrolment.id, customer.external_id, display_name(customer), enrolment.arm, enrolment.channel,
                     enrolment.state, enrolment.left_at or enrolment.step_entered_at or enrolment.entered_at,
                     enrolment.due_at, None, why)


def _passed(enrolment: Enrolment, customer: Customer, visit: Visit) -> Passenger:
    return Passenger(enrolment.id, customer.external_id, display_name(customer), enrolment.arm, enrolment.channel,
                     enrolment.state, visit.left_at or visit.entered_at, None, visit.outcome, visit.detail or "")

"""Who belongs to a campaign, in which arm, and from when to when do their orders count?

Owns the window and the one statement that every number of a report counts over: one row per person with arm, hold-out,
channel and the instant from which orders and redemptions count. The promise: a campaign of our own (enrolments) and one
of the past (imported people) look the same from here on, and nobody is counted twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Label,
    String,
    Subquery,
    and_,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session, aliased

from campaigns.models import Campaign, PastPerson
from core.types import to_us
from customers.models import Customer
from customers.relations import organisation_at
from journeys.entry.holding_out import share_left_alone
from journeys.entry.households import HOUSEHOLD
from journeys.entry.units import ORGANISATION
from journeys.graphs.graph import UNITS, BestArm, Graph, Send, Split, Step, ways_of
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Journey, Version

ONLY_ARM = "all"
"""The name of the arm of a campaign that does not split."""

NOT_DRAWN = ""
"""The arm of people who have not come to the split (or left before it)."""


@dataclass(frozen=True)
class Frame:
    """What every statement of a report needs to know.

    `starts_us` is None where each person's own entry counts (a campaign of our own); `until_us` is exclusive: the
    campaign's end, or just after `now` while that is still to come. `unit` is what was drawn, one of UNITS. Of a
    household one person stands for all who live with them, and what any of them orders is theirs; of an organisation
    everybody counts.
    """

    campaign_id: int
    key: str
    history: bool
    splits: bool
    starts_us: int | None
    ends_us: int | None
    until_us: int
    goal_categories: tuple[str, ...]
    unit: str = UNITS[0]

    @property
    def household(self) -> bool:
        """Whether those who live together were drawn as one."""
        return self.unit == HOUSEHOLD

    @property
    def clustered(self) -> bool:
        """Whether several people of one unit count, and answer alike."""
        return self.unit == ORGANISATION


@dataclass(frozen=True)
class Design:
    """How people were to be drawn. `arms` by name; `expected` people per group where it is known
    (the hold-out under None), from each version's own shares and the number of people who entered it; None where it is
    not: history, and journeys whose ways have splits of their own. `offers`: arm -> key of the first offer it shows.
    `unit`: what was drawn."""

    arms: tuple[str, ...]
    splits: bool
    expected: Mapping[str | None, float] | None
    offers: Mapping[str, str]
    unit: str = UNITS[0]


def frame_of(campaign: Campaign, design: Design, *, now: datetime) -> Frame:
    """The window of a campaign as of `now`; what happens at `now` itself still counts."""
    history = campaign.state == "history"
    starts_us, ends_us = None, None if campaign.ends_at is None else to_us(campaign.ends_at)
    if history:
        starts_us = None if campaign.starts_on is None else _midnight_us(campaign.starts_on)
        ends_us = None if campaign.ends_on is None else _midnight_us(campaign.ends_on + timedelta(days=1))
    until_us = to_us(now) + 1 if ends_us is None else min(ends_us, to_us(now) + 1)
    return Frame(campaign.id, campaign.key, history, design.splits, starts_us, ends_us, until_us,
                 tuple(campaign.goal_categories), design.unit)


def _midnight_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))


def first_of_home() -> ColumnElement[bool]:
    """Whether nobody of the household entered the journey before this enrolment."""
    me, mate, earlier = aliased(Customer), aliased(Customer), aliased(Enrolment)
    before = or_(earlier.entered_at < Enrolment.entered_at,
                 and_(earlier.entered_at == Enrolment.entered_at, earlier.id < Enrolment.id))
    found = (
        select(earlier.id).join(mate, mate.id == earlier.customer_id).join(me, me.household == mate.household)
        .where(me.id == Enrolment.customer_id, me.household != "", earlier.journey_id == Enrolment.journey_id,
               earlier.entry == 1, earlier.state != "excluded", before))
    return ~found.correlate(Enrolment).exists()


def buyers(frame: Frame, who: Subquery) -> Subquery:
    """Whose orders count for whom: customer_id of `people`, and buyer_id, they themselves and who lives with them."""
    own = select(who.c.customer_id, who.c.customer_id.label("buyer_id"))
    if not frame.household:
        return own.subquery("buyers")
    me, mate = aliased(Customer), aliased(Customer)
    others = (
        select(who.c.customer_id, mate.id.label("buyer_id")).join_from(who, me, me.id == who.c.customer_id)
        .join(mate, and_(mate.household == me.household, mate.id != me.id)).where(me.household != ""))
    return own.union_all(others).subquery("buyers")


def people(frame: Frame) -> Subquery:
    """One row per person (of each household, where those were drawn): customer_id, arm, held_out, channel, since_us;
    and `unit` where organisations were drawn: its id, or the person's own as a negative number."""
    if frame.history:
        return select(
            PastPerson.customer_id.label("customer_id"),
            func.coalesce(func.nullif(PastPerson.arm, ""), literal(ONLY_ARM, String)).label("arm"),
            literal(False, Boolean).label("held_out"),
            PastPerson.channel.label("channel"),
            literal(-(2**62) if frame.starts_us is None else frame.starts_us, BigInteger).label("since_us"),
        ).where(PastPerson.campaign_id == frame.campaign_id).subquery("people")
    nobody_drew = NOT_DRAWN if frame.splits else ONLY_ARM
    return (
        select(
            Enrolment.customer_id.label("customer_id"),
            func.coalesce(Enrolment.arm, literal(nobody_drew, String)).label("arm"),
            Enrolment.held_out.label("held_out"),
            Enrolment.channel.label("channel"),
            type_coerce(Enrolment.entered_at, BigInteger).label("since_us"),
            *([unit_column()] if frame.clustered else []),
        )
        .join(Journey, Journey.id == Enrolment.journey_id)
        .where(Journey.campaign_id == frame.campaign_id, Enrolment.state != "excluded",
               # A person who comes again keeps the first drawing: later entries are the same person.
               Enrolment.entry == 1, type_coerce(Enrolment.entered_at, BigInteger) < frame.until_us,
               *([first_of_home()] if frame.household else []))
        .subquery("people")
    )


def unit_column() -> Label[int]:
    """The organisation that somebody was drawn with when they entered; who has none is a unit of their own."""
    firm = organisation_at(Enrolment.customer_id, type_coerce(Enrolment.entered_at, BigInteger))
    return func.coalesce(firm, -Enrolment.customer_id).label("unit")


def design_of(session: Session, campaign: Campaign) -> Design:
    """The arms and the expected number of people in each, from the published versions of the campaign's journey."""
    if campaign.state == "history":
        found = session.scalars(select(PastPerson.arm).where(PastPerson.campaign_id == campaign.id).distinct())
        return Design(tuple(sorted({arm or ONLY_ARM for arm in found})), False, None, {})
    # The widest that any version drew: whoever was drawn with others is never taken for one drawn alone.
    unit = max((graph.get("unit", UNITS[0]) for graph in session.scalars(
        select(Version.graph).join(Journey, Journey.id == Version.journey_id)
        .where(Journey.campaign_id == campaign.id))), key=UNITS.index, default=UNITS[0])
    versions = session.execute(
        select(Version.graph, Version.pins, func.count(unit_column().distinct() if unit == ORGANISATION
                                                       else Enrolment.id))
        .join(Journey, Journey.id == Version.journey_id)
        .outerjoin(Enrolment, and_(Enrolment.version_id == Version.id, Enrolment.state != "excluded",
                                   Enrolment.entry == 1, *([first_of_home()] if unit == HOUSEHOLD else [])))
        .where(Journey.campaign_id == campaign.id).group_by(Version.id).order_by(Version.number)).all()
    arms: dict[str, None] = {}
    expected: dict[str | None, float] = {}
    offers: dict[str, str] = {}
    one_split, splits = True, False
    for written, pins, entered in versions:
        graph = parse_graph(written)
        left = share_left_alone(campaign.holdout_percent if graph.holdout_percent is None else graph.holdout_percent,
                                0.0 if unit == ORGANISATION else pins.get("global_percent", 0.0))
        found_splits = first_splits(graph)
        splits = splits or bool(found_splits)
        # How many an arm that learns should have is a question for learned_arms.
        one_split = one_split and len(found_splits) <= 1 and not any(isinstance(each, BestArm) for each in found_splits)
        shares = [share for split in found_splits for share in _shares(split)] or [(ONLY_ARM, 100.0)]
        arms.update(dict.fromkeys(name for name, _weight in shares))
        offers |= _offers(graph, found_splits)
        total = sum(weight for _name, weight in shares)
        if left:
            expected[None] = expected.get(None, 0.0) + entered * left
        for name, weight in shares:
            expected[name] = expected.get(name, 0.0) + entered * (1 - left) * weight / total
    known = one_split and any(expected.values())
    # By name: PostgreSQL does not keep the order in which a graph was written.
    return Design(tuple(sorted(arms)), splits, expected if known else None, offers, unit)


def first_splits(graph: Graph) -> list[Split | BestArm]:
    """The splits that people meet first, on whatever way."""
    return [step for step in _met(graph, graph.start, Split, BestArm) if isinstance(step, Split | BestArm)]


def _shares(split: Split | BestArm) -> tuple[tuple[str, float], ...]:
    return split.arms if isinstance(split, Split) else tuple((name, 100 / len(split.arms)) for name in split.arms)


def _offers(graph: Graph, splits: list[Split | BestArm]) -> dict[str, str]:
    ways = {name: split.next[name] for split in splits for name, _share in _shares(split)} or {ONLY_ARM: graph.start}
    found = {}
    for arm, start in ways.items():
        keys = [step.offer for step in _met(graph, start, Send) if isinstance(step, Send) and step.offer]
        if keys:
            found[arm] = keys[0]
    return found


def _met(graph: Graph, start: str, *kinds: type[Step]) -> list[Step]:
    """The steps of these kinds that people come to from `start`, nearest first; nothing behind one is looked at."""
    found: list[Step] = []
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        key = waiting.pop(0)
        step = None if key in seen else graph.steps.get(key)
        seen.add(key)
        if step is None:
            continue
        if isinstance(step, kinds):
            found.append(step)
        else:
            waiting += ways_of(step).values()
    return found

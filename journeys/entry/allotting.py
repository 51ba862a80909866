"""To whom does a step speak by the channel that its budget pays for, and to whom by the next one?

Owns the drawing of the best: of everybody who enters together and comes to a step that says so, who may be spoken to by
its first channel is ranked by expected contribution, and the best get it until its price, with set-up and volume tiers,
has used up the budget. It is decided once, with the drawing of the audience, kept with each one's place, and never
spends more than the budget over all versions of a journey.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Connection, Table, func, select, type_coerce
from sqlalchemy.orm import Session

from campaigns.costs import Price
from campaigns.house import house
from campaigns.problems import Problem
from core.bulk import bulk_insert, chunks, reserve_ids
from customers.models import Customer
from delivery.preference import choose_channels
from journeys.entry.ranking import Ranking, ranked
from journeys.entry.units import drawn_units
from journeys.graphs.graph import BestFirst, Change, Give, Graph, Jump, Leave, Send, Split, Step, Wait, Webhook, ways_of
from journeys.graphs.plans import Plan
from journeys.graphs.steps import arms
from journeys.models import Allotment, Enrolment

_ALLOTMENTS: Table = Allotment.__table__  # type: ignore[assignment]
_AT_ONCE = 5_000
_FORESEEN = (Send, Wait, Split, Give, Change, Webhook, Jump)
"""Steps at whose other side everybody can be known at the entry."""


def best_first_steps(graph: Graph) -> dict[str, BestFirst]:
    """The steps that speak to the best first, by key."""
    return {key: step.best_first for key, step in graph.steps.items()
            if isinstance(step, Send) and step.best_first is not None}


def best_first_problems(graph: Graph) -> list[Problem]:
    """What keeps the best from being known when everybody enters."""
    found = []
    for key in best_first_steps(graph):
        place = f"steps.{key}.channel"
        if not graph.draws:
            found.append(Problem(place, "The best are chosen once, of a segment's members at the start.",
                                 'Let people enter by their segment, without "on", "event" and "schedule".'))
        unknown = [name for name in _before(graph, key) if not isinstance(graph.steps[name], _FORESEEN)]
        if unknown:
            found.append(Problem(place, f"Who comes here is known only after “{unknown[0]}”, and the best are chosen "
                                        "at the start.", "Let only splits, waits and messages stand before this step."))
    return found


def _before(graph: Graph, key: str) -> list[str]:
    """The steps from which a way leads to this one, the start's side first."""
    into: dict[str, list[str]] = {}
    for name, step in graph.steps.items():
        for target in ways_of(step).values():
            into.setdefault(target, []).append(name)
    found: list[str] = []
    ahead = list(into.get(key, []))
    while ahead:
        here = ahead.pop(0)
        if here not in found and here != key:
            found.append(here)
            ahead += into.get(here, [])
    return found[::-1]


def comes_to(graph: Graph, journey_key: str, units: Sequence[str], key: str) -> list[int]:
    """The places of those who come to this step from the start, as the splits will draw them."""
    at: dict[str, list[int]] = {graph.start: list(range(len(units)))}
    for _step in graph.steps:  # who runs in a circle is not followed for longer
        onward: dict[str, list[int]] = {}
        for here, places in at.items():
            step = graph.steps.get(here)
            if here == key or step is None or isinstance(step, Leave):
                onward.setdefault(here, []).extend(places)
                continue
            for place, target in zip(places, _targets(step, journey_key, [units[place] for place in places]),
                                     strict=True):
                if target is not None:
                    onward.setdefault(target, []).append(place)
        at = onward
    return sorted(at.get(key, []))


def _targets(step: Step, journey_key: str, units: Sequence[str]) -> list[str | None]:
    """Where each goes from here; None: that is not known yet."""
    if isinstance(step, Split):
        return [None if arm is None else step.next[arm] for arm in arms(step, journey_key, units)]
    return [step.next if isinstance(step, _FORESEEN) and isinstance(step.next, str) else None] * len(units)


def best_of(
    connection: Connection, customer_ids: Sequence[int], wanted: BestFirst, ranking: Ranking, price: Price, *,
    spoken_for: int = 0, as_of: datetime, now: datetime, secret_key: str,
) -> list[int]:
    """Those of these people who get the first channel, the best first: who may be spoken to by it, as many as the
    budget pays for beside the `spoken_for` who have their place already."""
    may = [customer for part in chunks(customer_ids, _AT_ONCE) for customer, choice in zip(
        part, choose_channels(connection, part, wish=wanted.channel, allowed=(wanted.channel,), now=now,
                              secret_key=secret_key), strict=True) if choice.channel is not None]
    count = price.affordable(wanted.budget_cents, len(may) + spoken_for) - spoken_for
    return ranked(connection, may, ranking, as_of=as_of)[:count] if count > 0 else []


def allot(session: Session, plan: Plan, *, as_of: datetime, now: datetime, secret_key: str) -> int:
    """Give the places of a drawn version; returns how many. Once per person and step, however often it is called."""
    given = 0
    for key, wanted in best_first_steps(plan.graph).items():
        given += _allot_step(session, plan, key, wanted, as_of=as_of, now=now, secret_key=secret_key)
    return given


def _allot_step(
    session: Session, plan: Plan, key: str, wanted: BestFirst, *, as_of: datetime, now: datetime, secret_key: str
) -> int:
    connection = session.connection()
    rows = connection.execute(
        select(Enrolment.id, Enrolment.customer_id, Customer.external_id, Customer.household,
               type_coerce(Enrolment.entered_at, BigInteger).label("entered_us"))
        .join(Customer, Customer.id == Enrolment.customer_id)
        .outerjoin(Allotment, (Allotment.enrolment_id == Enrolment.id) & (Allotment.step == key))
        .where(Enrolment.version_id == plan.version_id, Enrolment.state == "active", Enrolment.held_out.is_(False),
               Allotment.id.is_(None)).order_by(Enrolment.customer_id)).all()
    externals = [row.external_id for row in rows]
    units = drawn_units(connection, plan.graph.unit, [row.customer_id for row in rows], externals,
                        [row.household for row in rows], [row.entered_us for row in rows])
    coming = {rows[place].customer_id: rows[place].id for place in comes_to(plan.graph, plan.journey_key, units, key)}
    taken = given_places(connection, plan.journey_id, key)
    if not coming or plan.ranking is None:
        return 0
    best = best_of(connection, list(coming), wanted, plan.ranking, house(session).prices[wanted.channel],
                   spoken_for=taken, as_of=as_of, now=now, secret_key=secret_key)
    count = len(best)
    bulk_insert(connection, _ALLOTMENTS, {
        "id": reserve_ids(connection, _ALLOTMENTS, count), "enrolment_id": [coming[customer] for customer in best],
        "journey_id": [plan.journey_id] * count, "customer_id": best, "step": [key] * count,
        "place": list(range(taken + 1, taken + count + 1))})
    return count


@dataclass(frozen=True)
class Standing:
    """Where somebody stands at a step that speaks to the best first: their place, None without one, among `given`."""

    channel: str
    place: int | None
    given: int


def standing_of(session: Session, graph: Graph, enrolment: Enrolment) -> list[Standing]:
    """How this person fared at each step that speaks to the best first, in the order of the steps."""
    mine: dict[str, int] = dict(session.execute(
        select(Allotment.step, Allotment.place).where(Allotment.enrolment_id == enrolment.id)).all())
    return [Standing(wanted.channel, mine.get(key), given_places(session.connection(), enrolment.journey_id, key))
            for key, wanted in best_first_steps(graph).items()]


def given_places(connection: Connection, journey_id: int, key: str) -> int:
    """How many people have a place at this step of a journey."""
    return connection.scalar(select(func.count()).select_from(Allotment).where(
        Allotment.journey_id == journey_id, Allotment.step == key)) or 0

"""Who bought lately and often, what are they worth, and can they be written to?

Owns the grid of recency x frequency: the stored fifths (1 to 5) of customers/scores/rfm.py with people, amount and
reach per cell, and the rule that finds the people of some cells. The promise: a cell holds exactly the people whom its
rule finds, and amounts and labels are those of the instant the scores were computed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, cast, func, not_, select

from core.errors import Invalid
from core.types import to_us
from customers.scores.keeping import known_scores
from customers.scores.rfm import FIFTHS
from segments.compiling.facts import CUSTOMERS
from segments.compiling.scored import SCORES
from segments.compiling.sources import ORDERS
from segments.dialects.portable import InLongList, NumberList
from segments.engines.questions import Questions
from segments.proposals.reached import Reach, reach_by_group
from segments.proposals.spending import MOMENT, here, main_currency, seen, spending

_DAY_US = timedelta(days=1) // timedelta(microseconds=1)

Place = tuple[int, int]
"""A cell by recency and frequency, 1 to 5 each; 5 is the latest and the most often."""
PLACES: tuple[Place, ...] = tuple((r, f) for r in range(1, FIFTHS + 1) for f in range(1, FIFTHS + 1))


@dataclass(frozen=True)
class Cell:
    """The people of one cell and what they spent so far, in cents of the grid's currency."""

    people: int
    cents: int


@dataclass(frozen=True)
class Span:
    """The least and most days since the last order, or orders, among the people of one fifth."""

    low: int
    high: int


@dataclass(frozen=True)
class RfmGrid:
    """All 25 cells as of `computed_at`; spans only for fifths that hold somebody.

    `told`: the scores come from the shop, so days and orders need not line up with them.
    """

    cells: Mapping[Place, Cell]
    recency_days: Mapping[int, Span]
    frequency_orders: Mapping[int, Span]
    reach: Mapping[Place, Reach]
    currency: str | None
    mixed: bool
    computed_at: datetime
    told: bool
    facts_at: datetime

    @property
    def people(self) -> int:
        """Everybody in a cell."""
        return sum(cell.people for cell in self.cells.values())


def rfm_grid(questions: Questions, *, now: datetime, secret_key: str) -> RfmGrid | None:
    """The grid of the stored scores; None when they have not been computed.

    Raises NotReady when a large base has no mirror yet, TooSlow when it takes too long.
    """
    with questions.database.reading() as session:
        known = known_scores(session)
    if "recency" not in known or "frequency" not in known:
        return None
    at = min(known["recency"].computed_at, known["frequency"].computed_at)
    values = {"seen": to_us(at)}
    currency = main_currency(questions, now=now, as_of=at)
    answer = questions.read(_counted(currency.code), now=now, values=values)
    cells = dict.fromkeys(PLACES, Cell(0, 0))
    days: dict[int, Span] = {}
    orders: dict[int, Span] = {}
    for recency, frequency, people, cents, first_us, last_us, least, most in answer.value:
        place = int(recency), int(frequency)
        cells[place] = Cell(int(people), int(cents or 0))
        if last_us is not None:
            _widen(days, place[0], (to_us(at) - int(last_us)) // _DAY_US, (to_us(at) - int(first_us)) // _DAY_US)
            _widen(orders, place[1], int(least), int(most))
    reach = reach_by_group(questions, _placed(), people=sum(cell.people for cell in cells.values()), now=now,
                           secret_key=secret_key, values={})
    told = known["recency"].told or known["frequency"].told
    return RfmGrid(cells, days, orders, {(place // 10, place % 10): found for place, found in reach.items()},
                   currency.code, currency.mixed, at, told, answer.facts_at)


def cells_rule(places: Iterable[Place]) -> dict[str, Any]:
    """The rule whose people stand in these cells: one rectangle, or any of several. Raises Invalid for none."""
    rules = [{"all": [_limits("recency", first, last), _limits("frequency", low, high)]}
             for first, last, low, high in rectangles(places)]
    return rules[0] if len(rules) == 1 else {"any": rules}


def rectangles(places: Iterable[Place]) -> list[tuple[int, int, int, int]]:
    """The cells as few disjoint rectangles: first and last recency, first and last frequency, all included.

    Raises Invalid for no cells, or for one outside the grid.
    """
    chosen = sorted(set(places))
    if not chosen or not set(chosen) <= set(PLACES):
        raise Invalid("Choose at least one cell of the grid.", place="cell")
    found: list[tuple[int, int, int, int]] = []
    for recency in range(1, FIFTHS + 1):
        for low, high in _runs([f for r, f in chosen if r == recency]):
            above = next((each for each in found if each[1:] == (recency - 1, low, high)), None)
            if above is not None:
                found.remove(above)
            found.append((above[0] if above else recency, recency, low, high))
    return sorted(found)


def standing(questions: Questions, customer_ids: Iterable[int], *, at: datetime, now: datetime) -> dict[int, Place]:
    """In which cell these people stood at an earlier instant, by the orders before it; without orders in none."""
    rows = questions.read(_stood(), now=now, values={"seen": to_us(at), "who": sorted(set(customer_ids))}).value
    return {int(who): (int(later) * FIFTHS // int(all_) + 1, int(oftener) * FIFTHS // int(all_) + 1)
            for who, later, oftener, all_ in rows}


def _widen(spans: dict[int, Span], key: int, low: int, high: int) -> None:
    held = spans.get(key, Span(low, high))
    spans[key] = Span(min(held.low, low), max(held.high, high))


def _limits(name: str, low: int, high: int) -> dict[str, Any]:
    if low == high:
        return {"score": name, "equals": low}
    if high == FIFTHS:
        return {"score": name, "at_least": low}
    return {"score": name, "at_most": high} if low == 1 else {"score": name, "between": [low, high]}


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


def _scored() -> Any:
    """Everybody with both fifths: customer_id, recency, frequency."""
    recency, frequency = SCORES.alias("recency"), SCORES.alias("frequency")
    return (
        select(CUSTOMERS.c.id.label("customer_id"), cast(recency.c.value, BigInteger()).label("recency"),
               cast(frequency.c.value, BigInteger()).label("frequency"))
        .select_from(CUSTOMERS.join(recency, recency.c.customer_id == CUSTOMERS.c.id)
                     .join(frequency, frequency.c.customer_id == CUSTOMERS.c.id))
        .where(here(), recency.c.name == "recency", frequency.c.name == "frequency",
               *(score.c.value.in_([float(fifth) for fifth in range(1, FIFTHS + 1)])
                 for score in (recency, frequency)))
        .subquery()
    )


def _counted(currency: str | None) -> Select[Any]:
    scored, spent = _scored(), spending(currency)
    return (
        select(scored.c.recency, scored.c.frequency, func.count(), func.sum(spent.c.cents),
               func.min(spent.c.last_us), func.max(spent.c.last_us), func.min(spent.c.orders),
               func.max(spent.c.orders))
        .select_from(scored.outerjoin(spent, spent.c.customer_id == scored.c.customer_id))
        .group_by(scored.c.recency, scored.c.frequency)
    )


def _placed() -> Select[Any]:
    scored = _scored()
    return select(scored.c.customer_id, (scored.c.recency * 10 + scored.c.frequency).label("place"))


def _stood() -> Select[Any]:
    """customer_id, how many people ordered last before them, how many ordered less often, how many there were."""
    spent = (
        select(ORDERS.c.customer_id.label("customer_id"), func.max(MOMENT).label("last_us"),
               func.count().label("orders"))
        .join(CUSTOMERS, CUSTOMERS.c.id == ORDERS.c.customer_id)
        .where(here(), not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < seen()).group_by(ORDERS.c.customer_id)
        .subquery()
    )
    ranked = select(
        spent.c.customer_id, (func.rank().over(order_by=spent.c.last_us) - 1).label("later"),
        (func.rank().over(order_by=spent.c.orders) - 1).label("oftener"), func.count().over().label("people"),
    ).subquery()
    return select(ranked).where(InLongList(ranked.c.customer_id, bindparam("who", type_=NumberList())))

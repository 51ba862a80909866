"""Whose usual time between orders has gone by, and how far?

Owns the people with at least three orders by how late they are against their own rhythm: time since the last order
over their average time between orders, the measure `overdue` of rules. The promise: the bands hold everybody with a
rhythm once, and each band holds exactly the people whom its rule finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Double, Select, and_, case, func, literal, select

from core.types import to_us
from segments.compiling.amounts import real
from segments.compiling.facts import CUSTOMERS
from segments.engines.questions import Questions
from segments.proposals.reached import Reach, reach_by_group
from segments.proposals.spending import here, main_currency, seen, spending

EDGES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Where a band ends and the next begins, in usual intervals."""
LATE = 1.5
FEWEST_ORDERS = 3


@dataclass(frozen=True)
class LateBand:
    """People from `low` up to, but not including, `high` usual intervals since their last order.

    `cents` is what they spent so far, `usual_days` their average time between orders (None for nobody).
    """

    low: float
    high: float | None
    people: int
    cents: int
    usual_days: float | None
    reach: Reach

    @property
    def rule(self) -> dict[str, Any]:
        """The rule that finds the people of the band."""
        return late_rule(self.low, self.high)


@dataclass(frozen=True)
class Lateness:
    """All bands; `without` are people who ordered, but too few times (or all at once) to have a rhythm."""

    bands: tuple[LateBand, ...]
    without: int
    currency: str | None
    mixed: bool
    facts_at: datetime

    @property
    def people(self) -> int:
        """Everybody with a rhythm."""
        return sum(band.people for band in self.bands)


def late_rule(low: float, high: float | None = None) -> dict[str, Any]:
    """The rule of people with a rhythm who are from `low` up to, not including, `high` usual intervals late."""
    limits: list[dict[str, Any]] = [{"orders": "overdue", "at_least": _plain(low)}]
    if high is not None:
        limits.append({"orders": "overdue", "less_than": _plain(high)})
    return {"all": [{"orders": "count", "at_least": FEWEST_ORDERS}, *limits]}


def lateness(questions: Questions, *, now: datetime, secret_key: str) -> Lateness:
    """Everybody with at least three orders by how late they are, with value and reach per band.

    Raises NotReady when a large base has no mirror yet, TooSlow when it takes too long.
    """
    values = {"seen": to_us(now)}
    currency = main_currency(questions, now=now, as_of=now)
    answer = questions.read(_counted(currency.code), now=now, values=values)
    counted: Mapping[int, tuple[Any, ...]] = {int(row[0]): row[1:] for row in answer.value}
    without = int(counted[_NONE][0]) if _NONE in counted else 0
    reach = reach_by_group(questions, _placed(), people=sum(int(row[0]) for row in counted.values()) - without, now=now,
                           secret_key=secret_key, values=values)
    bands = []
    for number, (low, high) in enumerate(zip((0.0, *EDGES), (*EDGES, None), strict=True)):
        people, cents, days = counted.get(number, (0, 0, None))
        bands.append(LateBand(low, high, int(people), int(cents or 0), None if days is None else float(days),
                              reach.get(number, Reach(0, 0))))
    return Lateness(tuple(bands), without, currency.code, currency.mixed, answer.facts_at)


_NONE = -1


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _banded(spent: Any) -> Any:
    """The number of the band; `_NONE` without a rhythm. Nothing divides, as in segments/compiling/rhythm.py."""
    waited = real(seen() - spent.c.last_us) * real(spent.c.orders - 1)
    span = real(spent.c.last_us - spent.c.first_us)
    has_rhythm = and_(spent.c.orders >= FEWEST_ORDERS, spent.c.last_us > spent.c.first_us)
    return case((~has_rhythm, _NONE),
                *((waited < span * literal(edge, Double()), number) for number, edge in enumerate(EDGES)),
                else_=len(EDGES))


def _counted(currency: str | None) -> Select[Any]:
    spent = spending(currency)
    band = _banded(spent).label("band")
    days = (real(spent.c.last_us - spent.c.first_us)
            / (real(case((spent.c.orders > 1, spent.c.orders - 1), else_=1)) * literal(86_400e6, Double())))
    each = (select(band, spent.c.cents, days.label("days"))
            .select_from(spent.join(CUSTOMERS, CUSTOMERS.c.id == spent.c.customer_id)).where(here()).subquery())
    return select(each.c.band, func.count(), func.sum(each.c.cents), func.avg(each.c.days)).group_by(each.c.band)


def _placed() -> Select[Any]:
    spent = spending(None)
    each = (select(spent.c.customer_id, _banded(spent).label("place"))
            .select_from(spent.join(CUSTOMERS, CUSTOMERS.c.id == spent.c.customer_id)).where(here()).subquery())
    return select(each.c.customer_id, each.c.place).where(each.c.place >= 0)

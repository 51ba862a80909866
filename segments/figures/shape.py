"""How much have these people spent and when did they last order, beside everybody?

Owns the two histograms of a draft: what people spent in all, and how long ago their last order lies, each counted for
the rule's people and for all customers in one pass. The promise: every bar carries the rule that finds its people, and
the bars of a histogram add up to everybody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, case, func, literal, not_, select
from sqlalchemy import type_coerce as seen_as

from core.types import to_us
from segments.compiling.facts import CUSTOMERS
from segments.compiling.sources import ORDERS
from segments.engines.members import Prepared
from segments.engines.questions import Questions
from segments.language.conditions import All, Measured, Rule, Test, Where
from segments.language.windows import Window

VALUE_EDGES = tuple(factor * 10**power for power in range(2, 10) for factor in (1, 2, 5))
"""Where a band of spending may begin, in cents: 1, 2, 5, 10, 20, 50 and so on."""
DAYS = (30, 90, 180, 365, 730)
"""Where a band of days since the last order ends."""
MOST_BANDS = 8
_NEVER = _NOTHING = -1
Pair = tuple[int, int]
"""People of the rule, and everybody."""


@dataclass(frozen=True)
class Band:
    """One bar: [`low`, `high`) in cents or days, None for an open end or for none at all; `people` are the rule's,
    `everybody` all customers; `rule` finds all customers of the band."""

    low: int | None
    high: int | None
    people: int
    everybody: int
    rule: Rule


@dataclass(frozen=True)
class Shape:
    """`value` in cents of `currency` (None without orders), `recency` in days; `mixed`: other currencies are there,
    and are left out of `value`."""

    value: tuple[Band, ...]
    recency: tuple[Band, ...]
    currency: str | None
    mixed: bool
    people: int
    everybody: int


def shape_of(questions: Questions, rule: Rule, *, as_of: datetime, fresh: bool = False) -> Shape:
    """Spending and recency of the rule's people and of everybody, as things stood at `as_of`.

    With `fresh=False` the newest generation of the mirror answers as it is. Raises as `Questions.count` does.
    """
    used = questions.table(All(()), _currencies, as_of=as_of, values={"seen": to_us(as_of)}, fresh=fresh).value
    currency = used[0][0] if used else None
    cuts = {f"days_{days}": to_us(as_of - timedelta(days=days)) for days in DAYS}
    rows = questions.table(rule, _Banded(currency or ""), as_of=as_of, fresh=fresh,
                           values={"seen": to_us(as_of), **cuts}).value
    by_value: dict[int, Pair] = defaultdict(lambda: (0, 0))
    by_age: dict[int, Pair] = defaultdict(lambda: (0, 0))
    for value, age, everybody, people in rows:
        for counted, band in ((by_value, value), (by_age, age)):
            counted[band] = counted[band][0] + people, counted[band][1] + everybody
    mixed = len(used) > 1
    people, everybody = _sum(by_age.values())
    return Shape(_value_bands(by_value, currency if mixed else None), _age_bands(by_age), currency, mixed, people,
                 everybody)


def _sum(pairs: Iterable[Pair]) -> Pair:
    found = list(pairs)
    return sum(pair[0] for pair in found), sum(pair[1] for pair in found)


def _currencies(_prepared: Prepared) -> Select[Any]:
    """The currencies of the orders that count, the most frequent first."""
    number = func.count()
    return (select(ORDERS.c.currency, number).where(not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < _bound("seen"))
            .group_by(ORDERS.c.currency).order_by(number.desc(), ORDERS.c.currency))


def _bound(name: str) -> ColumnElement[Any]:
    return bindparam(name, None, type_=BigInteger(), required=False)


@dataclass(frozen=True)
class _Banded:
    """The select of (band of value, band of age, everybody, people of the rule)."""

    currency: str

    def __call__(self, prepared: Prepared) -> Select[Any]:
        cents = func.sum(case((ORDERS.c.currency == literal(self.currency), ORDERS.c.total_cents), else_=0))
        spent = (
            select(ORDERS.c.customer_id.label("customer_id"), cents.label("cents"),
                   func.max(seen_as(ORDERS.c.ordered_at, BigInteger())).label("last_at"))
            .where(not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < _bound("seen"))
            .group_by(ORDERS.c.customer_id).subquery()
        )
        members = prepared.statement.subquery()
        value = _numbered(spent.c.cents, VALUE_EDGES)
        age = case(
            *((spent.c.last_at >= _bound(f"days_{days}"), number) for number, days in enumerate(DAYS)),
            (spent.c.last_at.is_(None), _NEVER), else_=len(DAYS))
        return (
            select(value.label("value"), age.label("age"), func.count(), func.count(members.c.id))
            .select_from(CUSTOMERS.outerjoin(spent, spent.c.customer_id == CUSTOMERS.c.id)
                         .outerjoin(members, members.c.id == CUSTOMERS.c.id))
            .where(CUSTOMERS.c.forgotten_at.is_(None)).group_by(value, age)
        )


def _numbered(cents: ColumnElement[Any], edges: Sequence[int]) -> ColumnElement[int]:
    """0 below the first edge, 1 from it on, and so on; `_NOTHING` for nothing spent."""
    return case((func.coalesce(cents, 0) <= 0, _NOTHING),
                *((cents < edge, number) for number, edge in enumerate(edges)), else_=len(edges))


def _value_bands(counted: dict[int, Pair], currency: str | None) -> tuple[Band, ...]:
    where = Where((("currency", (currency,)),)) if currency else Where()
    none, nothing = counted.pop(_NOTHING, (0, 0))
    bands = [Band(None, None, none, nothing, _revenue(where, None, None))]
    for first, last in _joined({number: pair[1] for number, pair in counted.items()}):
        people, everybody = _sum(pair for number, pair in counted.items() if first <= number <= last)
        low = VALUE_EDGES[first - 1] if first else 1
        high = VALUE_EDGES[last] if last < len(VALUE_EDGES) else None
        bands.append(Band(low, high, people, everybody, _revenue(where, low, high)))
    return tuple(bands)


def _joined(everybody: dict[int, int]) -> list[tuple[int, int]]:
    """Neighbouring bands put together, those with the fewest people first, until few enough are left."""
    if not everybody:
        return []
    spans = [[number, number] for number in range(min(everybody), max(everybody) + 1)]
    while len(spans) > MOST_BANDS:
        sizes = [sum(everybody.get(number, 0) for number in range(first, last + 1)) for first, last in spans]
        place = min(range(len(spans) - 1), key=lambda at: sizes[at] + sizes[at + 1])
        spans[place:place + 2] = [[spans[place][0], spans[place + 1][1]]]
    return [(first, last) for first, last in spans]


def _revenue(where: Where, low: int | None, high: int | None) -> Rule:
    if low is None:
        test = Test("at_most", 0)
    else:
        test = Test("at_least", low) if high is None else Test("between", (low, high - 1))
    return Measured("orders", "revenue", test, where)


def _age_bands(counted: dict[int, Pair]) -> tuple[Band, ...]:
    bands = []
    for number in range(len(DAYS) + 1):
        low, high = DAYS[number - 1] if number else 0, DAYS[number] if number < len(DAYS) else None
        people, everybody = counted.get(number, (0, 0))
        bands.append(Band(low, high, people, everybody, _last_order(low, high)))
    people, everybody = counted.get(_NEVER, (0, 0))
    return (*bands, Band(None, None, people, everybody, Measured("orders", "count", Test("equals", 0))))


def _last_order(low: int, high: int | None) -> Rule:
    """Ordered in the `high` days before, but not in the `low` days before."""
    some = Measured("orders", "count", Test("at_least", 1), window=Window("last_days", high) if high else None)
    if not low:
        return some
    return All((some, Measured("orders", "count", Test("equals", 0), window=Window("last_days", low))))

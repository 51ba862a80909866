"""Who buys X also buys Y: for which pairs is that more than chance?

Owns the counts of people per pair of categories (or brands) over the whole history, and the pairs bought together more
often than each by itself would explain. The promises: people are counted once however often they bought, pairs of too
few are left out, and the ranges are as wide as the number of pairs looked at demands (Bonferroni), so that at 95 % all
of them hold at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Select, case, func, literal, not_, select

from core.statistics.estimates import Interval
from core.statistics.proportions import Count, rate
from core.types import to_us
from segments.compiling.facts import CUSTOMERS
from segments.compiling.sources import LINES
from segments.dialects.portable import in_words
from segments.engines.questions import Questions
from segments.proposals.spending import here, seen

FEWEST_PEOPLE = 40
"""A category or brand that fewer people bought is left out."""
MOST_THINGS = 60
"""No more than fit into the bits of one number."""
MOST_PAIRS = 20
Word = Literal["category", "brand"]


@dataclass(frozen=True)
class Pair:
    """Of the `bought` people who bought `x`, `both` bought `y` too; `others` of all `buyers` bought `y`.

    `share` is both of bought with its range; `lift` how many times as often that is as among all buyers: the share over
    others / buyers, which is taken as known. 1 is chance.
    """

    x: str
    y: str
    both: int
    bought: int
    others: int
    buyers: int
    share: Interval

    @property
    def support(self) -> float:
        """Who bought both, of all buyers; 0..1."""
        return self.both / self.buyers

    @property
    def lift(self) -> Interval:
        """The share over the share of all buyers, with its range."""
        usual = self.others / self.buyers
        return Interval(self.share.estimate / usual, self.share.low / usual, self.share.high / usual, self.bought,
                        self.share.method, self.share.confidence)

    @property
    def missing(self) -> int:
        """Who bought `x` but not yet `y`."""
        return self.bought - self.both

    def rule(self, word: Word) -> dict[str, Any]:
        """The rule of those who bought `x` but not yet `y`."""
        return {"all": [{"orders": "count", "where": {word: [self.x]}, "at_least": 1},
                        {"orders": "count", "where": {word: [self.y]}, "equals": 0}]}


@dataclass(frozen=True)
class Associations:
    """Pairs whose whole range lies above chance, the strongest lower end first; at most `MOST_PAIRS`.

    `looked_at` counts every pair with people enough, `above` those above chance; `things` is how many categories or
    brands were paired, `unpaired` how many had too few people or came after the first `MOST_THINGS`.
    """

    pairs: tuple[Pair, ...]
    above: int
    looked_at: int
    things: int
    unpaired: int
    buyers: int
    facts_at: datetime


def associations(questions: Questions, *, now: datetime, word: Word = "category") -> Associations:
    """The pairs of categories or brands that are bought by the same people.

    Raises NotReady when a large base has no mirror yet, TooSlow when it takes too long.
    """
    values = {"seen": to_us(now)}
    column: ColumnElement[str] = LINES.c[word]
    answer = questions.read(_sizes(column), now=now, values=values)
    sizes = {str(name): int(people) for name, people in answer.value if int(people) >= FEWEST_PEOPLE}
    buyers = int(questions.read(_buyers(), now=now, values=values).value[0][0])
    chosen = dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MOST_THINGS])
    both: dict[tuple[str, str], int] = {}
    if len(chosen) > 1:
        baskets = questions.read(_baskets(column, list(chosen)), now=now, values=values).value
        both = _together(((int(things), int(people)) for things, people in baskets), list(chosen))
    looked_at = len(both)
    confidence = 1 - 0.05 / max(looked_at, 1)
    found = []
    for (x, y), people in both.items():
        if people * buyers <= chosen[x] * chosen[y]:
            continue  # not even the estimate is above chance
        pair = Pair(x, y, people, chosen[x], chosen[y], buyers, rate(Count(people, chosen[x]), confidence=confidence))
        if pair.lift.low > 1:
            found.append(pair)
    found.sort(key=lambda pair: (-pair.lift.low, -pair.missing, pair.x, pair.y))
    return Associations(tuple(pair for pair in found if pair.missing)[:MOST_PAIRS], len(found), looked_at, len(chosen),
                        len(answer.value) - len(chosen), buyers, answer.facts_at)


def _holds(*more: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return not_(LINES.c.cancelled), LINES.c.ordered_at < seen(), here(), *more


def _lines() -> Any:
    return LINES.join(CUSTOMERS, CUSTOMERS.c.id == LINES.c.customer_id)


def _sizes(column: ColumnElement[str]) -> Select[Any]:
    people: ColumnElement[Any] = func.count(LINES.c.customer_id.distinct())
    chosen: ColumnElement[Any] = column
    return (select(chosen, people).select_from(_lines())
            .where(*_holds(column.is_not(None), column != literal(""))).group_by(column))


def _buyers() -> Select[Any]:
    return select(func.count(LINES.c.customer_id.distinct())).select_from(_lines()).where(*_holds())


def _baskets(column: ColumnElement[str], names: Sequence[str]) -> Select[Any]:
    """How many people bought exactly which of these things, one bit each: one pass, however many pairs."""
    bit = case({name: literal(1 << place, BigInteger()) for place, name in enumerate(names)}, value=column)
    each = (select(func.sum(bit.distinct()).label("things")).select_from(_lines())
            .where(*_holds(in_words(column, names))).group_by(LINES.c.customer_id).subquery())
    return select(each.c.things, func.count()).group_by(each.c.things)


def _together(baskets: Iterable[tuple[int, int]], names: Sequence[str]) -> dict[tuple[str, str], int]:
    """The people who bought both, for each pair in both directions."""
    found = np.array(list(baskets), dtype=np.int64).reshape(-1, 2)
    owned = (found[:, :1] >> np.arange(len(names)) & 1).astype(np.float64)
    both = (owned.T * found[:, 1]) @ owned
    return {(x, y): int(both[row, column]) for row, x in enumerate(names) for column, y in enumerate(names) if x != y}

"""Who bought this and then that, or then not that?

Owns the SQL of sequences. What follows is strictly later, so one order never follows itself, and at most so many days
after. `then_not` holds when an order's days have passed before `as_of` without the other one: who may still come is not
counted yet.
"""

from typing import Any

from sqlalchemy import BigInteger, Select, and_, exists, literal, not_, select, type_coerce

from core.types import to_us
from segments.compiling.rhythm import DAY_US
from segments.compiling.sources import rows_of
from segments.dialects.halves import HalfJoin
from segments.dialects.instants import Cuts
from segments.language.conditions import Followed, Where
from segments.language.windows import Window


def followed(rule: Followed, cuts: Cuts, people: Select[Any] | None, *, halves: bool) -> Select[Any]:
    """Whoever the sequence holds for, perhaps more than once, of those in `people`; `halves` is for DuckDB."""
    first = _orders(rule.bought, rule.window, cuts, people).subquery()
    then = _orders(rule.then, None, cuts, people)
    # Several lines of one order are one here, or a wholesaler's orders would pair line with line. One side will do;
    # half a join pairs nothing.
    second = (then if halves else then.distinct()).subquery()
    within = literal(rule.within_days * DAY_US, BigInteger())
    after = (second.c.person == first.c.person, second.c.at > first.c.at, second.c.at <= first.c.at + within)
    found = select(first.c.person)
    if rule.never:
        found = found.where(first.c.at < cuts(lambda as_of: to_us(as_of) - rule.within_days * DAY_US, BigInteger()))
    if halves:
        found = found.select_from(HalfJoin(first, second, and_(*after), having=not rule.never))
    elif rule.never:
        found = found.where(not_(exists().where(*after).correlate(first)))
    else:
        found = found.where(*after)
    return found.correlate(None)


def _orders(where: Where, window: Window | None, cuts: Cuts, people: Select[Any] | None) -> Select[Any]:
    """Person and time of each matching line's order."""
    rows = rows_of("orders", ["count"], where, window, cuts)
    found = select(rows.person.label("person"), type_coerce(rows.at, BigInteger()).label("at")).select_from(
        rows.origin).where(*rows.holds)
    if people is not None:
        found = found.where(rows.person.in_(people))
    return found.correlate(None)

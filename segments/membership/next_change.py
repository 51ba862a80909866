"""When will time alone next change who is in a segment?

Owns the instant up to which members stay right while no fact changes: the earliest at which a row of somebody undecided
crosses an edge of a window. Undecided is whom the rest of the rule neither keeps in nor keeps out. It may be too early,
never too late. Calendar windows move when their period begins, days (birthdays and the like) just after midnight UTC.
What moves all the time (inferred channel, overdue, orders per year, what is unknown here) is looked at in an hour.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, func, literal, select, type_coerce, union_all

from core.errors import NotReady, TooSlow
from core.types import from_us, to_us
from segments.compiling.compile import build
from segments.compiling.facts import CONSENTS, CUSTOMERS
from segments.compiling.sources import LINES, ORDERS, RELATIONS, rows_of
from segments.dialects.instants import Fixed
from segments.engines.mirrored import answerable
from segments.engines.questions import Questions
from segments.language.conditions import (
    All,
    Any_,
    ConsentIs,
    CustomerIs,
    Followed,
    Listed,
    Measured,
    Near,
    Not,
    Rule,
    Sampled,
    Scored,
    Where,
)
from segments.language.fields import field_of
from segments.language.order_measures import ORDER_MEASURES
from segments.language.windows import Window
from segments.saving.saved import resolved

UNSURE = timedelta(hours=1)
MOST_EDGES = 40
"""A rule with more edges than this is looked at every hour rather than worked out."""

ALWAYS_MOVING = frozenset({"overdue", "per_year", "days_since_delivery"})
"""Measures of orders that move with every moment."""
KNOWN = {
    "orders": frozenset(ORDER_MEASURES) - ALWAYS_MOVING, "contacts": {"count"},
    "messages": {"sent", "opened", "clicked", "bounced"}, "coupons": {"issued", "redeemed"},
}
"""Measures that change only when one of their rows crosses an edge of the window, or another instant of its own."""
_OWN_INSTANTS = {"open": LINES.c.delivered_at, "net_revenue": LINES.c.returned_at, "margin": LINES.c.returned_at,
                 "returned_share": LINES.c.returned_at}

_MONTHS = {"last_months": 1, "last_quarters": 3, "last_years": 12}
_LATER = datetime(9000, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)

After = Callable[[datetime], datetime]


@dataclass(frozen=True)
class Edge:
    """Rows at or after `start` cross this edge one day; `crosses` says when a row of a given instant does."""

    origin: FromClause
    person: ColumnElement[Any]
    at: ColumnElement[Any]
    holds: tuple[ColumnElement[bool], ...]
    start: datetime
    crosses: After


def next_change_at(questions: Questions, rule: Rule, *, as_of: datetime) -> datetime | None:
    """The instant before which nobody comes in or leaves by time alone; None when nobody ever does."""
    with questions.database.reading() as session:
        whole = resolved(session.connection(), rule)
    moving = [leaf for leaf in whole.walk() if not leaf.children() and not isinstance(leaf, All | Any_) and moves(leaf)]
    instants = [at for leaf in moving if (at := _planned(leaf, as_of)) is not None]
    edges = [edge for leaf in moving for edge in _edges(leaf, as_of)]
    if len(edges) > MOST_EDGES:
        return min([as_of + UNSURE, *instants])
    if edges:
        statement = _earliest(edges, _undecided(whole), as_of)
        try:
            found = questions.read(statement, now=as_of, mirrored=answerable(statement)).value
        except (NotReady, TooSlow):
            return min([as_of + UNSURE, *instants])
        instants += [edges[number].crosses(from_us(at_us)) + _TICK for number, at_us in found if at_us is not None]
    return min(instants, default=None)


def moves(leaf: Rule) -> bool:
    """Whether time alone can change the answer of this condition."""
    if isinstance(leaf, Listed | Sampled | Scored | Near):
        return False
    if isinstance(leaf, CustomerIs):
        return leaf.test.operator == "within_days" or field_of(leaf.field).kind == "instant"
    return True


def _known(leaf: Measured) -> bool:
    return leaf.source in ("events", "relations") or leaf.measure in KNOWN.get(leaf.source, ())


def _planned(leaf: Rule, as_of: datetime) -> datetime | None:
    """The instant at which a condition moves whatever the facts are; None when only facts decide."""
    midnight = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) + _TICK
    midnight += timedelta(days=as_of >= midnight)
    if isinstance(leaf, CustomerIs):
        return None if field_of(leaf.field).kind == "instant" else midnight
    if isinstance(leaf, Measured) and _known(leaf):
        return _period_ends(leaf.window, as_of)
    if isinstance(leaf, Followed):
        return _period_ends(leaf.window, as_of)
    return None if isinstance(leaf, ConsentIs) else as_of + UNSURE


def _period_ends(window: Window | None, as_of: datetime) -> datetime | None:
    if window is None or window.kind not in _MONTHS or not window.whole:
        return None
    return months_after(window.end(as_of), _MONTHS[window.kind])


def _edges(leaf: Rule, as_of: datetime) -> Iterator[Edge]:
    here = (as_of, lambda at: at)
    if isinstance(leaf, ConsentIs):
        mine = CONSENTS.c.channel == leaf.channel
        # A statement counts from its own instant on, a row of a window from just after it.
        yield Edge(CONSENTS, CONSENTS.c.customer_id, CONSENTS.c.at, (mine,), as_of + _TICK, lambda at: at - _TICK)
    elif isinstance(leaf, CustomerIs) and field_of(leaf.field).kind == "instant":
        column = CUSTOMERS.c[field_of(leaf.field).column]
        for start, crosses in (here, *_within(leaf.test.operator, leaf.test.value, as_of)):
            yield Edge(CUSTOMERS, CUSTOMERS.c.id, column, (), start, crosses)
    elif isinstance(leaf, Measured) and leaf.source == "relations":
        for column in (RELATIONS.c.since_at, RELATIONS.c.until_at):
            yield Edge(RELATIONS, RELATIONS.c.customer_id, column, (), as_of + _TICK, lambda at: at - _TICK)
    elif isinstance(leaf, Measured) and _known(leaf):
        # Which order is somebody's second depends on all of them, so with `nth` every one may matter.
        where = leaf.where if leaf.nth is None else Where(())
        rows = rows_of(leaf.source, [leaf.measure], where, None, Fixed(_LATER))
        within = [*_within(leaf.test.operator, leaf.test.value, as_of), *_days_since(leaf, as_of)]
        for start, crosses in (*_window_edges(leaf.window, as_of), *within):
            yield Edge(rows.origin, rows.person, rows.at, rows.holds, start, crosses)
        if leaf.measure in _OWN_INSTANTS:
            yield Edge(rows.origin, rows.person, _OWN_INSTANTS[leaf.measure], rows.holds, *here)
    elif isinstance(leaf, Followed):
        passed = _within("within_days", leaf.within_days, as_of) if leaf.never else ()
        for start, crosses in (here, *_window_edges(leaf.window, as_of), *passed):
            yield Edge(ORDERS, ORDERS.c.customer_id, ORDERS.c.ordered_at, (), start, crosses)


def _later(by: timedelta) -> After:
    return lambda at: at + by


def _within(operator: str, value: Any, as_of: datetime) -> Iterator[tuple[datetime, After]]:
    if operator == "within_days":
        yield as_of - timedelta(days=value), _later(timedelta(days=value))


def _days_since(leaf: Measured, as_of: datetime) -> Iterator[tuple[datetime, After]]:
    """Whole days grow by one each day after an order, at its own time of day: those at a bound of the test count."""
    if not leaf.measure.startswith("days_since") or leaf.test.operator in ("is_set", "is_not_set"):
        return
    value: Any = leaf.test.value
    bounds = value if isinstance(value, tuple) else (value,)
    for days in sorted({math.floor(bound) + more for bound in bounds for more in (0, 1)}):
        if 0 <= days < 100_000:
            yield as_of - timedelta(days=days) + _TICK, _later(timedelta(days=days) - _TICK)


def _window_edges(window: Window | None, as_of: datetime) -> Iterator[tuple[datetime, After]]:
    if window is None or window.kind == "dates":
        if window is None or window.until_at is None or window.until_at > as_of:
            yield as_of, lambda at: at
        return
    if window.kind in _MONTHS and window.whole:
        return
    days = {"last_days": [window.count, 0], "between_days_ago": list(window.days_ago)}.get(window.kind, [0])
    for count in days:
        yield as_of - timedelta(days=count), _later(timedelta(days=count))
    if window.kind in _MONTHS:
        months = window.count * _MONTHS[window.kind]
        yield window.start(as_of) or as_of, lambda at: months_after(at, months)


def months_after(at: datetime, months: int) -> datetime:
    """The instant up to which a window of so many months still holds `at`."""
    index = at.year * 12 + at.month - 1 + months
    try:
        return at.replace(year=index // 12, month=index % 12 + 1)
    except ValueError:  # no such day in that month: the window lets go when the next one begins
        index += 1
        return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC) - _TICK


def _undecided(rule: Rule) -> Rule:
    """Whom the conditions that do not move leave open."""
    return All((_bound(rule, True), Not(_bound(rule, False))))


def _bound(rule: Rule, widest: bool) -> Rule:
    """The rule with every moving condition taken as it makes the audience widest, or narrowest."""
    if isinstance(rule, Not):
        return Not(_bound(rule.rule, not widest))
    if isinstance(rule, All):
        return All(tuple(_bound(child, widest) for child in rule.rules))
    if isinstance(rule, Any_):
        return Any_(tuple(_bound(child, widest) for child in rule.rules))
    if moves(rule):
        return All(()) if widest else Any_(())
    return rule


def _earliest(edges: list[Edge], undecided: Rule, as_of: datetime) -> Select[Any]:
    people = build(undecided, Fixed(as_of)).cte("undecided")
    parts = [
        select(literal(number, BigInteger()).label("edge"),
               func.min(type_coerce(edge.at, BigInteger())).label("at_us")).select_from(edge.origin)
        .where(*edge.holds, edge.at >= to_us(edge.start), edge.person.in_(select(people.c.id)))
        for number, edge in enumerate(edges)
    ]
    found = union_all(*parts).subquery()
    return select(found.c.edge, found.c.at_us)

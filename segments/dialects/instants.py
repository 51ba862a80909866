"""How does a rule's statement stay the same while `as_of` moves?

Owns the cut-offs of a statement: bound parameters whose values are worked out from `as_of` in Python. Either they are
bound at once (`Fixed`), or they get names and are filled in for each question (`Moving`), so that a statement is
compiled once and kept.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import BigInteger, BindParameter, Date, String, bindparam
from sqlalchemy.types import TypeEngine

from core.types import to_us

At = Callable[[datetime], Any]


class Cuts(Protocol):
    """Makes a bound parameter of a function of `as_of`."""

    def __call__(self, value: At, kind: TypeEngine[Any]) -> BindParameter[Any]: ...


class Fixed:
    """Cut-offs bound at once, for one `as_of`."""

    def __init__(self, as_of: datetime) -> None:
        self.as_of = as_of

    def __call__(self, value: At, kind: TypeEngine[Any]) -> BindParameter[Any]:
        return bindparam(None, value(self.as_of), type_=kind, unique=True)


class Moving:
    """Cut-offs with names, whose values `values` works out for each `as_of`."""

    def __init__(self) -> None:
        self.made: dict[str, At] = {}

    def __call__(self, value: At, kind: TypeEngine[Any]) -> BindParameter[Any]:
        name = f"cut_{len(self.made)}"
        self.made[name] = value
        return bindparam(name, None, type_=kind, required=False)

    def values(self, as_of: datetime) -> dict[str, Any]:
        return {name: value(as_of) for name, value in self.made.items()}


def instant(cuts: Cuts, at: Callable[[datetime], datetime]) -> BindParameter[Any]:
    """An instant that moves with `as_of`, in microseconds."""
    return cuts(lambda as_of: to_us(at(as_of)), BigInteger())


def last_days_us(cuts: Cuts, days: int) -> tuple[Any, Any]:
    """First and last microsecond of the `days` before `as_of`, both in."""
    return (cuts(lambda as_of: to_us(as_of - timedelta(days=days)), BigInteger()),
            cuts(lambda as_of: to_us(as_of) - 1, BigInteger()))


def last_days_on(cuts: Cuts, days: int, *, text: bool = False) -> tuple[Any, Any]:
    """First and last day whose midnight lies in the `days` before `as_of`, both in; as ISO text for attributes."""
    kind: TypeEngine[Any] = String() if text else Date()
    shown = date.isoformat if text else lambda day: day
    return (cuts(lambda as_of: shown(first_day_from(as_of - timedelta(days=days))), kind),
            cuts(lambda as_of: shown((as_of - timedelta(microseconds=1)).date()), kind))


def first_day_from(at: datetime) -> date:
    """The first day whose midnight (UTC) is at or after `at`."""
    day = at.date()
    return day if at == datetime(day.year, day.month, day.day, tzinfo=at.tzinfo) else day + timedelta(days=1)

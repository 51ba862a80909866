"""When does a schedule of five fields ring?

Owns reading `minute hour day month weekday` and finding the instants around a given one. The promise: it rings by the
wall clock of its time zone, once per reading, also on the two nights a year when the clock jumps: a reading that comes
twice rings the first time, one that does not come rings at the jump.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.wall_clock import local_instant

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
_NAMES = {
    "month": {name: number for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)},
    "day of the week": {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}
_FARTHEST_DAYS = 366 * 8 + 2
"""A 29 February may be eight years away."""


@dataclass(frozen=True)
class Cron:
    """A schedule that was read. As is usual, two narrowed kinds of days mean either."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def rings_on(self, day: date) -> bool:
        """Whether it rings at all on this date."""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((in_month or in_week) if self.either else (in_month and in_week))


def read_cron(text: str) -> Cron:
    """Read `minute hour day month weekday`, such as `0 9 * * 1`; Sunday is 0 or 7. Raises Invalid."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise Invalid("A schedule has five fields: minute, hour, day of the month, month, day of the week. "
                      'Write "0 9 * * 1" for Mondays at nine.')
    minutes, hours, days, months, weekdays = (
        _numbers(field.lower(), *meaning) for field, meaning in zip(fields, _FIELDS, strict=True))
    cron = Cron(tuple(sorted(minutes)), tuple(sorted(hours)), frozenset(days), frozenset(months),
                frozenset(number % 7 for number in weekdays), not fields[2].startswith("*")
                and not fields[4].startswith("*"))
    start = date(2024, 1, 1)
    if not any(cron.rings_on(start + timedelta(days=ahead)) for ahead in range(_FARTHEST_DAYS)):
        raise Invalid("This schedule never rings: there is no such day.")
    return cron


def last_ring(cron: Cron, zone: str, *, now: datetime) -> datetime | None:
    """The latest instant at or before `now` at which it rang; None when it did not within eight years."""
    place = ZoneInfo(zone)
    day = now.astimezone(place).date() + timedelta(days=1)  # a reading of tomorrow may lie before a jump
    for back in range(_FARTHEST_DAYS):
        found = [instant for instant in _rings(cron, day - timedelta(days=back), place) if instant <= now]
        if found:
            return max(found)
    return None


def next_ring(cron: Cron, zone: str, *, after: datetime) -> datetime | None:
    """The first instant after `after` at which it rings; None when it does not within eight years."""
    place = ZoneInfo(zone)
    day = after.astimezone(place).date() - timedelta(days=1)
    for ahead in range(_FARTHEST_DAYS):
        found = [instant for instant in _rings(cron, day + timedelta(days=ahead), place) if instant > after]
        if found:
            return min(found)
    return None


def _rings(cron: Cron, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    if cron.rings_on(day):
        for hour in cron.hours:
            for minute in cron.minutes:
                yield local_instant(datetime.combine(day, time(hour, minute)), zone)


def _numbers(field: str, what: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            begins, ends = lowest, highest
        else:
            begins = _number(first, what, lowest, highest)
            ends = _number(last, what, lowest, highest) if last else highest if step else begins
        width = _number(step, what, 1, highest) if step else 1
        if ends < begins:
            raise Invalid(f"In the schedule, the {what} runs from {begins} back to {ends}. Turn it round.")
        found |= set(range(begins, ends + 1, width))
    return found


def _number(text: str, what: str, lowest: int, highest: int) -> int:
    named = _NAMES.get(what, {}).get(text)
    if named is not None:
        return named
    if text.isascii() and text.isdigit() and len(text) < 5 and lowest <= int(text) <= highest:
        return int(text)
    raise Invalid(f"In the schedule, {text[:20] or 'nothing'} is no {what}: use {lowest} to {highest}.")

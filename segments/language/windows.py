"""Which stretch of time does a window mean, seen from `as_of`?

Owns the windows of the rule language and their bounds. Every window is half-open (the start is in, the end is not),
is computed here in UTC and never reaches past `as_of`.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_MONTHS = {"last_months": 1, "last_quarters": 3, "last_years": 12}


@dataclass(frozen=True)
class Window:
    """`kind` is last_days, last_months, last_quarters, last_years (with `whole` calendar periods), between or dates."""

    kind: str
    count: int = 0
    whole: bool = False
    days_ago: tuple[int, int] = (0, 0)
    from_at: datetime | None = None
    until_at: datetime | None = None

    def start(self, as_of: datetime) -> datetime | None:
        """The first instant inside; None: from the beginning."""
        if self.kind == "last_days":
            return as_of - timedelta(days=self.count)
        if self.kind in _MONTHS:
            months = _MONTHS[self.kind]
            return months_before(_period_start(as_of, months) if self.whole else as_of, self.count * months)
        if self.kind == "between_days_ago":
            return as_of - timedelta(days=self.days_ago[1])
        return self.from_at

    def end(self, as_of: datetime) -> datetime:
        """The first instant after it; never later than `as_of`."""
        if self.kind in _MONTHS and self.whole:
            return _period_start(as_of, _MONTHS[self.kind])
        if self.kind == "between_days_ago":
            return as_of - timedelta(days=self.days_ago[0])
        return min(self.until_at, as_of) if self.until_at else as_of

    def to_json(self) -> Mapping[str, Any]:
        """The window as the rule language writes it."""
        if self.kind == "between_days_ago":
            return {"between_days_ago": list(self.days_ago)}
        if self.kind == "dates":
            bounds = {"from": self.from_at, "until": self.until_at}
            return {name: written_instant(at) for name, at in bounds.items() if at is not None}
        return {self.kind: self.count} | ({"calendar": True} if self.whole else {})


def written_instant(at: datetime) -> str:
    """A date when it is midnight UTC, else an ISO instant; `parse` reads both back."""
    at = at.astimezone(UTC)
    if (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0):
        return at.date().isoformat()
    return at.isoformat().replace("+00:00", "Z")


def months_before(at: datetime, months: int) -> datetime:
    """The same day and time so many months earlier; the last day of a shorter month stands in for a missing one."""
    index = at.year * 12 + at.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))


def _period_start(at: datetime, months: int) -> datetime:
    """Midnight UTC on the first day of the calendar month, quarter or year that holds `at`."""
    month = (at.month - 1) // months * months + 1
    return at.astimezone(UTC).replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0)

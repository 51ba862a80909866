"""Which counters does one use of an offer touch?

Owns an offer's limits as a value and the rows of `limit_uses` that they ask for: one per customer (ever, or in the
period the offer says) and one per day, week and month for everybody. Periods are calendar periods in the offer's zone.
Pure: an instant and the limits in, rows out, in the one order in which they are locked.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from coupons.models import Offer

PERIODS = ("day", "week", "month")


@dataclass(frozen=True)
class LimitRow:
    """One row of `limit_uses` and what it allows: `uses` and `cents`, None: as many as there are."""

    who: str
    period: str
    uses: int | None
    cents: int | None

    @property
    def place(self) -> tuple[bool, str, str]:
        """Rows are locked by this: a customer's before everybody's, the hottest last."""
        return self.who == "", self.who, self.period


@dataclass(frozen=True)
class Limits:
    """The limits of an offer beside those of its codes."""

    total: int | None
    budget_cents: int | None
    per_customer: int | None
    customer_period: str | None
    customer_is: str
    per_period: tuple[tuple[str, int | None, int | None], ...]
    zone: str
    currency: str

    @property
    def on_offer(self) -> bool:
        """Whether the offer's own row is counted on."""
        return self.total is not None or self.budget_cents is not None

    @property
    def by_period(self) -> bool:
        """Whether anything is counted per day, week or month."""
        return bool(self.per_period) or (self.per_customer is not None and self.customer_period is not None)

    @property
    def count_money(self) -> bool:
        """Whether a budget is set, so that currencies must agree."""
        return self.budget_cents is not None or any(cents is not None for _period, _uses, cents in self.per_period)

    def rows(self, who: str | None, at: datetime) -> tuple[LimitRow, ...]:
        """The rows that a use by `who` at `at` is counted on, in the order in which they are locked."""
        today = at.astimezone(ZoneInfo(self.zone)).date() if self.by_period else None
        found = []
        if self.per_customer is not None and who is not None:
            period = _first_day(self.customer_period, today)
            found.append(LimitRow(who, period, self.per_customer, None))
        for name, uses, cents in self.per_period:
            found.append(LimitRow("", _first_day(name, today), uses, cents))
        return tuple(sorted(found, key=lambda row: row.place))


def limits_of(offer: Offer | Row[*tuple[Any, ...]]) -> Limits:
    """The limits of a stored offer."""
    per_period = tuple(
        (name, uses, cents)
        for name, uses, cents in (
            ("day", offer.limit_per_day, offer.budget_per_day_cents),
            ("week", offer.limit_per_week, offer.budget_per_week_cents),
            ("month", offer.limit_per_month, offer.budget_per_month_cents),
        )
        if uses is not None or cents is not None
    )
    return Limits(offer.limit_total, offer.budget_cents, offer.limit_per_customer, offer.customer_period,
                  offer.customer_is, per_period, offer.zone or "UTC", offer.currency)


def _first_day(period: str | None, today: date | None) -> str:
    """The period that a day lies in, by its letter and first day; weeks begin on Monday."""
    if period is None or today is None:
        return ""
    if period == "week":
        today -= timedelta(days=today.weekday())
    elif period == "month":
        today = today.replace(day=1)
    return f"{period[0]}{today.isoformat()}"

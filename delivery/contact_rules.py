"""How often, and at which hours, may customers hear from us, whatever campaign it is?

Owns the house's rules: per channel the hours and days of rest and how many messages in how many days, and how many on
all channels together. They hold for advertising; hours of rest may hold for service messages, too. What customers did
something for (transactional) is never held back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from delivery.models import ContactRules
from delivery.policy import CHANNELS

ONLY = 1
MOST_DAYS = 365


@dataclass(frozen=True)
class Most:
    """At most `count` messages within `days` days."""

    count: int
    days: int


@dataclass(frozen=True)
class ChannelRules:
    """Hours of rest (a clock reading to another, also across midnight), days of rest (0 is Monday), and a cap."""

    rest_from: time | None = None
    rest_until: time | None = None
    rest_days: tuple[int, ...] = ()
    most: Most | None = None


@dataclass(frozen=True)
class Rules:
    """The rules of the house. `zone` is meant where a customer's own is not known."""

    zone: str = "UTC"
    channels: Mapping[str, ChannelRules] = field(default_factory=dict)
    together: Most | None = None
    rest_for_service: bool = False

    @property
    def idle(self) -> bool:
        """Whether nothing is ever held back."""
        return self.together is None and all(each == ChannelRules() for each in self.channels.values())


def contact_rules(connection: Connection) -> Rules:
    """The rules as they hold now; none are kept until somebody saves some."""
    row = connection.execute(select(ContactRules.rules).where(ContactRules.id == ONLY)).scalar()
    return Rules() if row is None else read_rules(row)


def save_contact_rules(session: Session, rules: Mapping[str, Any], *, author: str | None, now: datetime) -> Rules:
    """Check and store the rules; they hold for every message claimed from then on. Raises Invalid with the place."""
    read = read_rules(rules)
    found = session.get(ContactRules, ONLY, with_for_update=True)
    if found is None:
        found = ContactRules(id=ONLY)
        session.add(found)
    found.rules, found.author, found.changed_at = rules_body(read), author, now
    session.flush()
    return read


def rules_body(rules: Rules) -> dict[str, Any]:
    """The rules as JSON."""
    def most(each: Most | None) -> dict[str, int] | None:
        return None if each is None else {"count": each.count, "days": each.days}

    return {"zone": rules.zone, "together": most(rules.together), "rest_for_service": rules.rest_for_service,
            "channels": {channel: {
                "rest": None if each.rest_from is None or each.rest_until is None else {
                    "from": f"{each.rest_from:%H:%M}", "until": f"{each.rest_until:%H:%M}"},
                "rest_days": list(each.rest_days), "most": most(each.most),
            } for channel, each in rules.channels.items()}}


def read_rules(value: Mapping[str, Any]) -> Rules:
    """Rules from JSON. Raises Invalid with the place of what is wrong."""
    _known(value, ("zone", "together", "rest_for_service", "channels"), "")
    zone = value.get("zone", "UTC")
    try:
        ZoneInfo(zone)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise Invalid("This is no time zone. Use one such as Europe/Berlin.", place="zone") from error
    for_service = value.get("rest_for_service", False)
    if not isinstance(for_service, bool):
        raise Invalid("Use true or false.", place="rest_for_service")
    channels = value.get("channels") or {}
    if not isinstance(channels, Mapping):
        raise Invalid("Write an object with the channels.", place="channels")
    _known(channels, CHANNELS, "channels.")
    return Rules(zone, {channel: _channel(each, f"channels.{channel}") for channel, each in channels.items()},
                 _most(value.get("together"), "together"), for_service)


def _channel(value: object, place: str) -> ChannelRules:
    if not isinstance(value, Mapping):
        raise Invalid("Write an object.", place=place)
    _known(value, ("rest", "rest_days", "most"), f"{place}.")
    rest_from, rest_until = read_rest(value.get("rest"), f"{place}.rest") or (None, None)
    days = value.get("rest_days") or []
    if not isinstance(days, list | tuple) or len(set(map(str, days))) != len(days) or len(days) > 6 or not all(
            isinstance(day, int) and not isinstance(day, bool) and 0 <= day <= 6 for day in days):
        raise Invalid("Name at most six different days: 0 is Monday, 6 is Sunday.", place=f"{place}.rest_days")
    return ChannelRules(rest_from, rest_until, tuple(sorted(days)), _most(value.get("most"), f"{place}.most"))


def read_rest(value: object, place: str) -> tuple[time, time] | None:
    """Hours of rest from JSON; None when left out. Raises Invalid."""
    if value is None:
        return None
    if isinstance(value, Mapping) and set(value) == {"from", "until"}:
        try:
            ends = [time.fromisoformat(value[name]) for name in ("from", "until")]
            if all(len(value[name]) == 5 for name in value) and ends[0] != ends[1]:
                return ends[0], ends[1]
        except (TypeError, ValueError):
            pass
    raise Invalid('Write {"from": "21:00", "until": "08:00"}, two different times.', place=place)


def _most(value: object, place: str) -> Most | None:
    if value is None:
        return None
    if isinstance(value, Mapping) and set(value) == {"count", "days"}:
        count, days = value["count"], value["days"]
        if all(isinstance(each, int) and not isinstance(each, bool) for each in (count, days)) and (
                1 <= count <= 1000 and 1 <= days <= MOST_DAYS):
            return Most(count, days)
    raise Invalid(f"Use a number of messages from 1 to 1000 and of days from 1 to {MOST_DAYS}.", place=place)


def _known(value: Mapping[str, Any], names: tuple[str, ...], place: str) -> None:
    for name in value:
        if name not in names:
            raise Invalid(f"Nothing is called {str(name)[:60]} here. Known are {', '.join(names)}.",
                          place=f"{place}{str(name)[:60]}")

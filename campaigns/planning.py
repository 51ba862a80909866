"""How does a plan come into being, change, start and end?

Owns creating and editing campaigns with every check at once, and the verbs that start, pause and end them. The promise:
two tabs cannot overwrite each other (`expected_version`), a running campaign keeps the fields its results rest on, and
a campaign of the past cannot be edited into something it was not.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.problems import Problem, insist
from campaigns.standing import list_standing
from campaigns.states import MOVES, move
from core.errors import Conflict, NotFound
from core.money import is_currency
from core.storable import is_storable
from segments.models import Segment

KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
HIGHEST_HOLDOUT_PERCENT = 50
LARGEST_CENTS = 10**15

FROZEN_WHILE_RUNNING = ("goal_categories", "holdout_percent", "currency", "timezone", "starts_at", "segment")
"""Fields that results already rest on once people are inside."""

_ZONES = available_timezones()


def campaign_by_key(session: Session, key: str) -> Campaign:
    """The campaign of this key; raises NotFound."""
    found = session.execute(select(Campaign).where(Campaign.key == key)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no campaign called {key}.")
    return found


def list_campaigns(session: Session, *, kind: str | None = None) -> list[Campaign]:
    """Campaigns, newest first; `kind` is "journey" for those run here, None for all."""
    query = select(Campaign).order_by(Campaign.created_at.desc(), Campaign.id.desc())
    return list(session.scalars(query if kind is None else query.where(Campaign.kind == kind)))


def check_campaign(session: Session, fields: Mapping[str, object]) -> list[Problem]:
    """Everything wrong with these fields of a campaign; empty when they can be saved."""
    return _read(session, fields)[1]


def save_campaign(
    session: Session, key: str, *, fields: Mapping[str, object], expected_version: int | None = None, now: datetime
) -> Campaign:
    """Create the campaign, or change the given fields of an existing one.

    `fields` may hold name, objective, starts_at, ends_at (aware instants or ISO 8601 text, without offset UTC),
    timezone, goal_categories, segment (a key), not_to (keys of segments), standing_off (keys of standing exclusions),
    holdout_percent 0..50, budget_cents, currency, planned_people, owner, settings. Raises Invalid with every problem,
    Conflict when `expected_version` is not the stored one.
    """
    campaign = session.execute(select(Campaign).where(Campaign.key == key).with_for_update()).scalar_one_or_none()
    values, problems = _read(session, fields)
    if not KEY.fullmatch(key):
        problems.insert(0, Problem("key", f"{key!r} cannot be a key.", "Use lower-case letters, digits, - and _."))
    if campaign is None:
        if "name" not in fields:
            problems.append(Problem("name", "The campaign has no name.", "Give it one."))
        insist(problems + _window_problems(values.get("starts_at"), values.get("ends_at")))
        if expected_version not in (None, 0):
            raise Conflict(f"The campaign {key} does not exist any more.")
        campaign = Campaign(key=key, state="draft", created_at=now, updated_at=now, **values)
        session.add(campaign)
    else:
        problems += _frozen_problems(campaign, values)
        problems += _window_problems(*(values.get(name, getattr(campaign, name)) for name in ("starts_at", "ends_at")))
        insist(problems)
        if expected_version is not None and expected_version != campaign.version:
            raise Conflict(f"The campaign {campaign.name} was changed in another tab. Load it again.")
        for name, value in values.items():
            setattr(campaign, name, value)
        campaign.version += 1
        campaign.updated_at = now
    session.flush()
    return campaign


def start(session: Session, key: str, *, now: datetime) -> Campaign:
    """Let a draft or paused campaign run; its window opens now if no start was planned. Raises Conflict."""
    campaign = campaign_by_key(session, key)
    if "running" in MOVES[campaign.state] and campaign.ends_at is not None and campaign.ends_at <= now:
        raise Conflict(f"The window of {campaign.name} is over. Move its end before starting it.")
    move(session, campaign, "running", now=now)
    if campaign.starts_at is None:
        campaign.starts_at = now
        session.flush()
    return campaign


def pause(session: Session, key: str, *, now: datetime) -> Campaign:
    """Freeze a running campaign. Raises Conflict."""
    campaign = campaign_by_key(session, key)
    move(session, campaign, "paused", now=now)
    return campaign


def end(session: Session, key: str, *, now: datetime) -> Campaign:
    """End a campaign; orders and redemptions count until now, or until its planned end if that is earlier."""
    campaign = campaign_by_key(session, key)
    move(session, campaign, "ended", now=now)
    if campaign.ends_at is None or campaign.ends_at > now:
        campaign.ends_at = now
        session.flush()
    return campaign


def read_instant(value: object) -> datetime:
    """An aware UTC instant from a datetime or ISO 8601 text (without offset: UTC); raises ValueError
    for anything else, and for years outside 1900 to 2999."""
    moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError("not an instant")
    if not 1900 <= moment.year < 3000:
        # A typing mistake; and at the ends of the calendar the same instant has no reading in other time zones.
        raise ValueError("not an instant of our time")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(longest: int, *, empty: bool = True) -> Callable[[object], str | None]:
    def read(value: object) -> str | None:
        if value is None and empty:
            return None
        if not (isinstance(value, str) and len(value) <= longest and is_storable(value) and (value.strip() or empty)):
            raise ValueError(f"Use text of at most {longest} characters.")
        return value.strip() or None

    return read


def _zone(value: object) -> str:
    if not isinstance(value, str) or value not in _ZONES:
        raise ValueError("Use a name such as Europe/Berlin.")
    return ZoneInfo(value).key


def _instant(value: object) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        return read_instant(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("Use a date and time such as 2026-03-01T09:00+01:00.") from error


def _categories(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError('Use a list of category names, for example ["furniture"]; an empty one means any.')
    return list(dict.fromkeys(item.strip() for item in value))


def _keys(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value) or len(value) > 20:
        raise ValueError('Use a list of at most 20 keys, for example ["vip"].')
    return list(dict.fromkeys(value))


def _percent(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= HIGHEST_HOLDOUT_PERCENT:
        raise ValueError(f"Use a number from 0 to {HIGHEST_HOLDOUT_PERCENT}; 10 is a good start.")
    return float(value)


def _whole(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_CENTS:
        raise ValueError("Use a whole number above 0, or leave it empty.")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("Use three capital letters such as EUR.")
    if not is_currency(value):
        raise ValueError(f"{value} is not a currency. Use the three letters of one, such as EUR or CHF.")
    return value


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Use an object.")
    return value


_READERS: Mapping[str, Callable[[object], Any]] = {
    "name": _text(200, empty=False), "objective": _text(10_000), "starts_at": _instant, "ends_at": _instant,
    "not_to": _keys, "standing_off": _keys,
    "timezone": _zone, "goal_categories": _categories, "holdout_percent": _percent, "budget_cents": _whole,
    "currency": _currency, "planned_people": _whole, "owner": _text(200), "settings": _settings,
}

_WRONG: Mapping[str, str] = {
    "name": "The name cannot be used.",
    "starts_at": "The start is not an instant.", "ends_at": "The end is not an instant.",
    "timezone": "There is no such time zone.", "goal_categories": "The goal's categories cannot be read.",
    "holdout_percent": "The share left alone is out of range.", "budget_cents": "The budget is not an amount in cents.",
    "currency": "The currency is not known.", "planned_people": "The planned number of people cannot be read.",
    "not_to": "Whom it is not sent to cannot be read.",
    "standing_off": "What does not hold here cannot be read.",
}


def _read(session: Session, fields: Mapping[str, object]) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in fields.items():
        if name == "segment":
            _read_segment(session, value, values, problems)
        elif name not in _READERS:
            known = ", ".join(sorted([*_READERS, "segment"]))
            problems.append(Problem(name, "A campaign has no such field.", f"Known are {known}."))
        else:
            try:
                values[name] = _READERS[name](value)
            except ValueError as error:
                problems.append(Problem(name, _WRONG.get(name, "The value cannot be used."), str(error)))
    spared = values.get("not_to", ())
    there: set[str] = set(session.scalars(select(Segment.key).where(Segment.key.in_(spared)))) if spared else set()
    problems += [Problem("not_to", f"There is no segment called {each}.", "Save it first, or leave it out.")
                 for each in spared if each not in there]
    if values.get("standing_off"):
        house = {each.key for each in list_standing(session)}
        problems += [Problem("standing_off", f"There is no standing exclusion {key}.",
                             f"Known are {', '.join(sorted(house))}.")
                     for key in values["standing_off"] if key not in house]
    return values, problems


def _read_segment(session: Session, value: object, values: dict[str, Any], problems: list[Problem]) -> None:
    if value in (None, ""):
        values["segment_id"] = None
        return
    found = session.execute(select(Segment.id).where(Segment.key == str(value))).scalar_one_or_none()
    if found is None:
        problems.append(Problem("segment", f"There is no segment called {value}.", "Save it first, or choose another."))
    else:
        values["segment_id"] = found


def _window_problems(starts_at: datetime | None, ends_at: datetime | None) -> list[Problem]:
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        return [Problem("ends_at", "The window ends before it begins.", "Choose an end after the start.")]
    return []


def _frozen_problems(campaign: Campaign, values: Mapping[str, Any]) -> list[Problem]:
    if campaign.state in ("ended", "history"):
        blocked = [name for name in values if name not in ("name", "objective", "owner")]
        words = "It is over" if campaign.state == "ended" else "It was imported from the past"
    elif campaign.state == "draft":
        return []
    else:
        blocked = [name for name in values if name.removesuffix("_id") in FROZEN_WHILE_RUNNING]
        words = "People are inside already and its results rest on it"
    return [
        Problem(name.removesuffix("_id"), "This can no longer be changed.", f"{words}. Plan a new campaign instead.")
        for name in blocked if getattr(campaign, name) != values[name]
    ]

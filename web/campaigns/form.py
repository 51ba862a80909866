"""What did the marketer type about a campaign, and what does it mean?

Owns the fields of the campaign form: stored values as text, typed text as values, problems beside their fields. The
promise: what was typed stays in the form whatever happens to it, and a day is a whole day in the campaign's time zone.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from werkzeug.datastructures import MultiDict

from campaigns.models import Campaign
from campaigns.problems import Problem
from core.errors import Invalid
from core.wall_clock import local_instant
from web.wording.amounts import read_cents, read_decimal, read_whole, written_cents

CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "DKK", "NOK", "PLN", "CZK")
ZONES = tuple(sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"))
_TEXTS = ("name", "objective", "segment", "timezone", "first_day", "last_day", "holdout", "budget", "currency",
          "planned_people", "owner", "other_categories")
_FIELD_OF_PLACE = {
    "starts_at": "first_day", "ends_at": "last_day", "holdout_percent": "holdout", "budget_cents": "budget",
    "goal_categories": "categories", "key": "name",
}


@dataclass
class CampaignForm:
    """The form: `texts` by field, chosen categories, segments it is not sent to, standing exclusions switched off, the
    version the person has seen, and problems by field."""

    texts: dict[str, str]
    categories: list[str] = field(default_factory=list)
    not_to: list[str] = field(default_factory=list)
    standing_off: list[str] = field(default_factory=list)
    version: int = 0
    errors: dict[str, str] = field(default_factory=dict)

    def take_problems(self, problems: Iterable[Problem]) -> None:
        """Put problems of the verbs beside the fields they are about."""
        for problem in problems:
            name = _FIELD_OF_PLACE.get(problem.place, problem.place)
            self.errors.setdefault(name, f"{problem.message} {problem.fix}".strip())


def empty_form(*, owner: str, timezone: str = "Europe/Berlin", segment: str = "") -> CampaignForm:
    """The form of a new campaign: one in ten left alone, no window yet."""
    texts = dict.fromkeys(_TEXTS, "") | {
        "holdout": "10", "currency": "EUR", "timezone": timezone, "owner": owner, "segment": segment}
    return CampaignForm(texts)


def form_of(campaign: Campaign, *, segment: str | None, known: Iterable[str]) -> CampaignForm:
    """The form of a stored campaign; categories that were never bought from stand in the free field."""
    known = set(known)
    first, last = _days(campaign)
    return CampaignForm(
        texts={
            "name": campaign.name, "objective": campaign.objective or "", "segment": segment or "",
            "timezone": campaign.timezone, "first_day": first, "last_day": last,
            "holdout": f"{campaign.holdout_percent:g}", "currency": campaign.currency,
            "budget": written_cents(campaign.budget_cents, currency=campaign.currency),
            "planned_people": "" if campaign.planned_people is None else str(campaign.planned_people),
            "owner": campaign.owner or "",
            "other_categories": ", ".join(name for name in campaign.goal_categories if name not in known),
        },
        categories=[name for name in campaign.goal_categories if name in known], not_to=list(campaign.not_to),
        standing_off=list(campaign.standing_off),
        version=campaign.version)


def following_form(
    campaign: Campaign, *, segment: str | None, known: Iterable[str], offer: str, owner: str
) -> CampaignForm:
    """The form of the campaign after this one: what was decided once is filled in, its days are to be chosen anew.

    `offer` is the name of the offer that did best, for the objective; empty when none did.
    """
    form = form_of(campaign, segment=segment, known=known)
    form.texts |= {"name": f"{campaign.name}, next"[:200], "first_day": "", "last_day": "", "owner": owner}
    if offer:
        form.texts["objective"] = f"{form.texts['objective']} Last time {offer} did best.".strip()
    form.version = 0
    return form


def typed_form(form: MultiDict[str, str]) -> CampaignForm:
    """The form as it was sent."""
    version = form.get("version", "0")
    return CampaignForm(
        texts={name: form.get(name, "")[:20_000].strip() for name in _TEXTS},
        categories=[name[:200] for name in form.getlist("category") if name.strip()][:500],
        standing_off=[key[:40] for key in form.getlist("standing_off") if key][:40],
        not_to=[key[:100] for key in form.getlist("not_to") if key][:20],
        version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0)


def fields_of(form: CampaignForm, *, stored: Campaign | None) -> dict[str, Any]:
    """The values for `save_campaign`; what cannot be read is told in `form.errors` and left out.

    Days that were not touched keep their exact instants; of a campaign that was imported or is over only the words
    can change.
    """
    texts = form.texts
    fields: dict[str, Any] = {"name": texts["name"], "objective": texts["objective"] or None,
                              "owner": texts["owner"] or None}
    if stored is not None and stored.state in ("ended", "history"):
        return fields
    fields |= {"segment": texts["segment"] or None, "timezone": texts["timezone"], "currency": texts["currency"]}
    fields |= {"goal_categories": _categories(form), "not_to": form.not_to, "standing_off": form.standing_off}
    readers: Mapping[str, tuple[str, Callable[[str], Any]]] = {
        "holdout_percent": ("holdout", lambda text: float(read_decimal(text))),
        "budget_cents": ("budget", lambda text: read_cents(text, currency=_currency(texts["currency"]))),
        "planned_people": ("planned_people", read_whole),
    }
    for target, (name, read) in readers.items():
        try:
            fields[target] = read(texts[name]) if texts[name] or name == "holdout" else None
        except Invalid as error:
            form.errors[name] = error.message
    return fields | _window(form, stored)


def key_from(name: str, *, taken: Callable[[str], bool]) -> str:
    """A key for a new thing of this name: small letters, digits and hyphens; numbered when it is taken."""
    german = name.casefold().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    plain = unicodedata.normalize("NFKD", german).encode("ascii", "ignore").decode()
    key = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "campaign"
    if not taken(key):
        return key
    number = 2
    while taken(f"{key}-{number}"):
        number += 1
    return f"{key}-{number}"


def last_day_of(ends_at: datetime, zone: str) -> date:
    """The last day that counts, wholly or in part, before an exclusive end."""
    return (ends_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def _days(campaign: Campaign) -> tuple[str, str]:
    first = campaign.starts_at and campaign.starts_at.astimezone(ZoneInfo(campaign.timezone)).date().isoformat()
    last = campaign.ends_at and last_day_of(campaign.ends_at, campaign.timezone).isoformat()
    return first or "", last or ""


def _categories(form: CampaignForm) -> list[str]:
    others = [part.strip() for part in form.texts["other_categories"].split(",")]
    return list(dict.fromkeys([*form.categories, *(part for part in others if part)]))


def _currency(text: str) -> str:
    return text if re.fullmatch(r"[A-Z]{3}", text) else "EUR"


def _window(form: CampaignForm, stored: Campaign | None) -> dict[str, Any]:
    zone_name = form.texts["timezone"]
    if zone_name not in available_timezones():
        return {}  # the time zone itself is told by the verb
    zone = ZoneInfo(zone_name)
    before = _days(stored) if stored is not None and stored.timezone == zone_name else (None, None)
    fields: dict[str, Any] = {}
    for place, (target, name, later) in enumerate((("starts_at", "first_day", 0), ("ends_at", "last_day", 1))):
        text = form.texts[name]
        if stored is not None and text == before[place]:
            fields[target] = getattr(stored, target)
            continue
        if not text:
            fields[target] = None
            continue
        try:
            day = date.fromisoformat(text)
            if not 2000 <= day.year <= 2200:
                raise ValueError
            fields[target] = local_instant(datetime.combine(day + timedelta(days=later), time()), zone)
        except ValueError:
            form.errors[name] = "Choose a day such as 2026-12-18, between the years 2000 and 2200."
    return fields

"""What stands in the side bar?

Owns the order, words, icons and keys of the entries. An entry appears as soon as its page exists; its number comes from
the page's own `nav_count`. The promise: a number that cannot be had is left out, never the page.
"""

import logging
from dataclasses import dataclass

from flask import current_app, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from web.registry import registry
from web.requests.transactions import reading, request_now
from web.security.access import person

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """One entry as it is written down: blueprint, words, icon, and the letter after `g`."""

    blueprint: str
    label: str
    icon: str
    key: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One entry as it is drawn."""

    label: str
    icon: str
    href: str
    key: str
    is_here: bool
    count: int | None


GROUPS: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("", (Place("home", "Home", "home", "h"),)),
    ("Plan", (
        Place("campaigns", "Campaigns", "speakerphone", "c"),
        Place("journeys", "Journeys", "route", "j"),
        Place("segments", "Segments", "users-group", "s"),
        Place("proposals", "Proposals", "target", "b"),
        Place("offers", "Offers and codes", "ticket", "o"),
        Place("contents", "Contents", "file-text", "t"),
    )),
    ("People", (
        Place("customers", "Customers", "user-search", "u"),
        Place("calls", "Call desk", "headset", "d"),
        Place("prints", "Print runs", "printer", "p"),
    )),
    ("Prove", (
        Place("reports", "Reports", "chart-dots", "r"),
        Place("redemptions", "Redemptions", "receipt", "n"),
        Place("holdouts", "Hold-outs", "scale", ""),
    )),
    ("House", (
        Place("imports", "Imports", "file-import", "i"),
        Place("shops", "Shops", "building-store", ""),
        Place("inbox", "Inbox", "webhook", ""),
        Place("leaks", "Leak watch", "flag", ""),
        Place("settings", "Settings", "settings", "e"),
    )),
)


def navigation() -> list[tuple[str, list[Entry]]]:
    """The side bar for this request: groups with at least one page that exists."""
    who = person()
    counts = _counts()
    groups = []
    for title, places in GROUPS:
        entries = [
            Entry(p.label, p.icon, url_for(f"{p.blueprint}.index"), p.key, request.blueprint == p.blueprint,
                  counts.get(p.blueprint))
            for p in places
            if f"{p.blueprint}.index" in current_app.view_functions
            and (not p.roles or (who is not None and who.role in p.roles))
        ]
        if entries:
            groups.append((title, entries))
    return groups


def _counts() -> dict[str, int]:
    counters = registry().counters
    if not counters or person() is None:
        return {}
    found: dict[str, int] = {}
    now = request_now()
    for name, counter in counters.items():
        try:
            with reading() as session:
                found[name] = counter(session, now)
        except SQLAlchemyError:
            log.exception("the number beside %s could not be counted", name)
    return found

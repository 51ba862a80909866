"""What are the parts that all of a journey's JSON is made of?

Owns reading names, rules, instants, spans of time and ways. Reading never stops at the first mistake: every unknown
key, wrong value and missing field is a `Problem` with its path.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from difflib import get_close_matches
from typing import Any

from campaigns.planning import read_instant
from campaigns.problems import Problem
from core.errors import Invalid
from segments.language.conditions import Measured, Rule
from segments.language.rules import parse_rule

_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class PartReader:
    """Reads parts and collects problems; what it returns counts only when there are none."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, place: str, message: str, fix: str) -> None:
        """Note what is wrong, where, and the way out."""
        self.problems.append(Problem(place, message, fix))

    def span(self, item: dict[str, Any], place: str) -> tuple[int, float, time | None]:
        """Days, hours and the time of day at which people go on."""
        days, hours = item.get("days", 0), item.get("hours", 0)
        if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= 3650:
            self.add(f"{place}.days", "This is not a number of days.", "Use a whole number from 0 to 3650.")
            days = 0
        if not is_number(hours) or not 0 <= hours <= 87600:
            self.add(f"{place}.hours", "This is not a number of hours.", "Use a number from 0 to 87600.")
            hours = 0
        at = item.get("at_local_time")
        if at is not None and not (isinstance(at, str) and _LOCAL_TIME.fullmatch(at)):
            self.add(f"{place}.at_local_time", "This is not a time of day.", 'Use a time such as "09:00".')
            at = None
        return days, hours, None if at is None else time.fromisoformat(at)

    def named(self, item: Mapping[str, Any], name: str, place: str, missing: tuple[str, str]) -> str:
        """The key of a content, an offer or the like; empty, with the problem noted, when there is none."""
        value = item.get(name)
        if isinstance(value, str) and value:
            return value
        self.add(f"{place}.{name}", *missing)
        return ""

    def ways(self, item: dict[str, Any], names: tuple[str, ...], place: str) -> dict[str, str]:
        """Way -> the step it leads to."""
        value = item.get("next")
        if not isinstance(value, dict):
            self.add(f"{place}.next", "The step does not say where each way leads.",
                     "Write an object with " + " and ".join(f'"{name}"' for name in names) + ".")
            return dict.fromkeys(names, "")
        self.known_keys(value, names, f"{place}.next")
        ways = {}
        for name in names:
            target = value.get(name)
            if not isinstance(target, str) or not target:
                self.add(f"{place}.next.{name}", "This way leads nowhere.", "Name the next step.")
            ways[name] = target if isinstance(target, str) else ""
        return ways

    def next(self, item: dict[str, Any], place: str) -> str:
        """The step people go to from here."""
        target = item.get("next")
        if not isinstance(target, str) or not target:
            self.add(f"{place}.next", "The step leads nowhere.", "Name the next step; a step of kind leave ends it.")
            return ""
        return target

    def rule(self, value: object, place: str) -> Rule | None:
        """A rule, as in a segment."""
        try:
            return parse_rule(value)
        except Invalid as error:
            self.add(f"{place}.{error.place}" if error.place else place, error.message, "")
            return None

    def happening(
        self, item: Mapping[str, Any], place: str
    ) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """The name of an event, and which properties it must have: property -> texts."""
        asked: dict[str, Any] = {"events": item.get("event"), "at_least": 1}
        try:
            rule = parse_rule(asked | ({"where": item["where"]} if "where" in item else {}))
        except Invalid as error:
            wrong = error.place or ""
            self.add(f"{place}.{'where' if '.where' in wrong else 'event'}", error.message, "")
            return None
        assert isinstance(rule, Measured)
        return rule.measure, rule.where.words

    def text(self, item: Mapping[str, Any], name: str, place: str, *, longest: int, default: str) -> str:
        """A text of at most `longest` characters; the default when it is none."""
        value = item.get(name, default)
        if not isinstance(value, str) or len(value) > longest:
            self.add(place, "This is not a text that can be used.", f"Use at most {longest} characters.")
            return default
        return value

    def known_keys(self, item: Mapping[str, Any], known: Sequence[str], place: str) -> None:
        """Note every key that means nothing here."""
        for name in item:
            if name not in known:
                self.unknown(f"{place}.{name}" if place else str(name), str(name), known)

    def unknown(self, place: str, name: str, known: Sequence[str]) -> None:
        """Note a key that means nothing, with the one that may be meant."""
        self.add(place, f"Nothing is called {name} here.", suggestion(name, known))

    def instant(self, value: object, place: str) -> datetime | None:
        """An instant; None when left out, or when it cannot be read."""
        if value is None:
            return None
        try:
            return read_instant(value)
        except (ValueError, OverflowError):
            self.add(place, "This is not an instant.", "Use a date and time such as 2026-03-01T09:00+01:00.")
            return None


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def suggestion(name: object, known: Sequence[str]) -> str:
    """What may have been meant, in words."""
    near = get_close_matches(str(name), known, n=1) if name else []
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}." if known else "Leave it out."

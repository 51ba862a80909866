"""What does one step of a journey's JSON say?

Owns reading the kinds of steps and the parts that all of a journey's JSON is made of. Reading never stops at the first
mistake: every unknown key, wrong value and missing field is a `Problem` with its path.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from difflib import get_close_matches
from typing import Any

from campaigns.planning import read_instant
from campaigns.problems import Problem
from core.errors import Invalid
from journeys.graph import CHANNELS, Branch, Leave, Send, Split, Step, Wait
from segments.language.conditions import Rule
from segments.language.rules import parse_rule

LATER_KINDS = ("wait_for", "best_arm", "give", "change", "call", "webhook", "jump")
"""Step kinds that the language knows and this version cannot walk yet."""

_STEP_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class StepReader:
    """Reads steps and collects problems; what it returns counts only when there are none."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, place: str, message: str, fix: str) -> None:
        """Note what is wrong, where, and the way out."""
        self.problems.append(Problem(place, message, fix))

    def step(self, key: str, item: object) -> Step | None:
        """One step; None when it could not be read."""
        place = f"steps.{key}"
        if not _STEP_KEY.fullmatch(key):
            self.add(place, "A step cannot have this name.", "Use letters, digits, - and _, at most 60.")
        if not isinstance(item, dict):
            self.add(place, "This is not a step.", 'Write an object with a "kind".')
            return None
        kind = item.get("kind")
        if kind in LATER_KINDS:
            self.add(f"{place}.kind", f"Steps of this kind are not available yet: {kind}.",
                         f"Use {', '.join(_STEP_KEYS)}.")
            return None
        if not isinstance(kind, str) or kind not in _STEP_KEYS:
            self.add(f"{place}.kind", "There is no such kind of step." if kind else "The step has no kind.",
                     _suggestion(kind, tuple(_STEP_KEYS)))
            return None
        self.known_keys(item, ("kind", "name", *_STEP_KEYS[kind]), place)
        read: Callable[[str, dict[str, Any], str], Step | None] = getattr(self, f"_{kind}")
        return read(key, item, place)

    def _send(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        content = item.get("content")
        if not isinstance(content, str) or not content:
            self.add(f"{place}.content", "The step does not say what to send.", "Name a content.")
            content = ""
        channel = item.get("channel", "preferred")
        if channel not in CHANNELS:
            self.add(f"{place}.channel", f"There is no channel {channel}.", f"Use {', '.join(CHANNELS)}.")
        code = item.get("code", "same")
        if code not in ("same", "new"):
            self.add(f"{place}.code", "This says neither the same code nor a new one.", 'Use "same" or "new".')
        fallback = item.get("fallback", False)
        if not isinstance(fallback, bool):
            self.add(f"{place}.fallback", "This is neither true nor false.", "Use true or false.")
        offer = item.get("offer")
        if offer is not None and (not isinstance(offer, str) or not offer):
            self.add(f"{place}.offer", "This is not the key of an offer.", "Name an offer, or leave it out.")
        if "code" in item and offer is None:
            self.add(f"{place}.code", "There is no code without an offer.", "Name an offer, or leave the code out.")
        return Send(key, content, self._next(item, place), offer if isinstance(offer, str) else None, channel,
                    fallback is True, code == "new")

    def _wait(self, key: str, item: dict[str, Any], place: str) -> Step | None:
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
        until, code_ends, minus_days = self._until(item.get("until"), f"{place}.until")
        if "until" in item:
            if item["until"] is None:
                self.add(f"{place}.until", "This is not an instant.", "Name one, or leave it out.")
            for name in ("days", "hours", *(("at_local_time",) if until is not None else ())):
                if name in item:
                    self.add(f"{place}.{name}", 'This cannot stand beside "until".', "Keep one of the two.")
        elif not days and not hours and "at_local_time" not in item:
            self.add(place, "The step does not say how long to wait.",
                     'Use "days", "hours", "at_local_time" or "until".')
        return Wait(key, self._next(item, place), days, hours, until, code_ends, minus_days,
                    None if at is None else time.fromisoformat(at))

    def _until(self, value: object, place: str) -> tuple[datetime | None, str | None, int]:
        if not isinstance(value, dict):
            return self.instant(value, place), None, 0
        self.known_keys(value, ("code_ends", "minus_days"), place)
        offer, minus = value.get("code_ends"), value.get("minus_days", 0)
        if not isinstance(offer, str) or not offer:
            self.add(f"{place}.code_ends", "This is not the key of an offer.", "Name the offer whose code is meant.")
            offer = None
        if isinstance(minus, bool) or not isinstance(minus, int) or not 0 <= minus <= 3650:
            self.add(f"{place}.minus_days", "This is not a number of days.", "Use a whole number from 0 to 3650.")
            minus = 0
        return None, offer, minus

    def _branch(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        if "if" not in item:
            self.add(f"{place}.if", "The step does not say what to ask.", "Write a rule, as in a segment.")
        rule = self.rule(item["if"], f"{place}.if") if "if" in item else None
        ways = self._ways(item, ("yes", "no"), place)
        return None if rule is None else Branch(key, rule, ways["yes"], ways["no"])

    def _split(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        arms = item.get("arms")
        if not isinstance(arms, dict) or len(arms) < 2:
            self.add(f"{place}.arms", "A split needs at least two arms.", 'Write {"A": 50, "B": 50}.')
            return None
        for name, weight in arms.items():
            if not isinstance(name, str) or not 0 < len(name) <= 60:
                self.add(f"{place}.arms", "An arm has no usable name.", "Use 1 to 60 characters.")
            if not is_number(weight) or not 0 < weight <= 100:
                self.add(f"{place}.arms.{name}", "This is not a share.", "Use a number above 0, at most 100.")
        weights = [float(weight) for weight in arms.values() if is_number(weight)]
        if len(weights) == len(arms) and abs(sum(weights) - 100) > 0.05:
            self.add(f"{place}.arms", f"The shares add up to {sum(weights):g}, not to 100.",
                     "Change them to add up to 100.")
        ways = self._ways(item, tuple(arms), place)
        return Split(key, tuple(zip(map(str, arms), weights, strict=False)), ways)

    def _leave(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        return Leave(key)

    def _ways(self, item: dict[str, Any], names: tuple[str, ...], place: str) -> dict[str, str]:
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

    def _next(self, item: dict[str, Any], place: str) -> str:
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
        self.add(place, f"Nothing is called {name} here.", _suggestion(name, known))

    def instant(self, value: object, place: str) -> datetime | None:
        """An instant; None when left out, or when it cannot be read."""
        if value is None:
            return None
        try:
            return read_instant(value)
        except (ValueError, OverflowError):
            self.add(place, "This is not an instant.", "Use a date and time such as 2026-03-01T09:00+01:00.")
            return None


_STEP_KEYS: Mapping[str, tuple[str, ...]] = {
    "send": ("content", "offer", "channel", "fallback", "code", "next"),
    "wait": ("days", "hours", "until", "at_local_time", "next"),
    "branch": ("if", "next"),
    "split": ("arms", "next"),
    "leave": (),
}


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _suggestion(name: object, known: Sequence[str]) -> str:
    near = get_close_matches(str(name), known, n=1) if name else []
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}." if known else "Leave it out."

"""What does a journey's JSON say, as values the runner can walk on?

Owns the frozen form of a graph and the reader that makes it. Reading never stops at the first mistake: every unknown
key, wrong value and missing field is a `Problem` with its path. What the steps mean together (dangling, unreachable,
looping) is judged in `checking`; both are asked at once through `check_graph`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from difflib import get_close_matches
from typing import Any

from campaigns.planning import HIGHEST_HOLDOUT_PERCENT, read_instant
from campaigns.problems import Problem, insist
from core.errors import Invalid
from segments.language.rules import Rule, parse_rule

CHANNELS = ("preferred", "email", "letter", "phone")
LATER_KINDS = ("wait_for", "best_arm", "give", "change", "call", "webhook", "jump")
"""Step kinds that the language knows and this version cannot walk yet."""

MOST_STEPS = 200
_STEP_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True)
class Send:
    """Say something: one message per person and visit, with a code when it names an offer."""

    key: str
    content: str
    next: str
    offer: str | None = None
    channel: str = "preferred"
    fallback: bool = False
    new_code: bool = False


@dataclass(frozen=True)
class Wait:
    """Stand still: for a while, until an instant, or until some days before the person's code ends."""

    key: str
    next: str
    days: int = 0
    hours: float = 0
    until: datetime | None = None
    code_ends: str | None = None
    minus_days: int = 0
    at_local_time: time | None = None


@dataclass(frozen=True)
class Branch:
    """Go one of two ways, by a rule asked on the row store."""

    key: str
    rule: Rule
    yes: str
    no: str


@dataclass(frozen=True)
class Split:
    """Draw an arm, once and for good: the same person always gets the same one."""

    key: str
    arms: tuple[tuple[str, float], ...]
    next: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Leave:
    """The journey is over for this person."""

    key: str


Step = Send | Wait | Branch | Split | Leave


@dataclass(frozen=True)
class ExitWhen:
    """Who is left in peace: who redeemed, who ordered in the campaign's goal, who fits one of the rules."""

    redeemed: bool = True
    ordered: bool = True
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A whole journey. `holdout_percent`, `starts_at` and `ends_at` are None where the campaign's own hold."""

    name: str
    segment: str
    start: str
    steps: Mapping[str, Step]
    holdout_percent: float | None = None
    exit_when: ExitWhen = ExitWhen()
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def parse_graph(value: object) -> Graph:
    """The graph a JSON value describes; raises Invalid with every problem of its form."""
    reading = read_graph(value)
    insist(reading.problems)
    assert reading.graph is not None
    return reading.graph


@dataclass(frozen=True)
class Reading:
    """What could be read of a graph, every problem of its form, and the names of the steps that could not be read."""

    graph: Graph | None
    problems: list[Problem]
    unread: frozenset[str]


def read_graph(value: object) -> Reading:
    """Read as much of a graph as can be read; it is whole when there are no problems."""
    reader = _Reader()
    graph = reader.graph(value)
    return Reading(graph, reader.problems, frozenset(reader.unread))


class _Reader:
    """Walks a JSON value and collects problems; what it returns counts only when there are none."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unread: set[str] = set()

    def add(self, place: str, message: str, fix: str) -> None:
        self.problems.append(Problem(place, message, fix))

    def graph(self, value: object) -> Graph | None:
        if not isinstance(value, dict):
            self.add("journey", "This is not a journey.", 'Write an object with "entry", "start" and "steps".')
            return None
        self._known_keys(value, _GRAPH_KEYS, "")
        starts_at, ends_at = self._window(value.get("window"))
        self._not_yet(value)
        steps = self._steps(value.get("steps"))
        start = value.get("start")
        if not isinstance(start, str) or not start:
            self.add("start", "The journey has no start.", "Name the step people come to first.")
            start = ""
        return Graph(
            name=self._text(value, "name", "name", longest=200, default=""),
            segment=self._entry(value.get("entry")),
            start=start,
            steps=steps,
            holdout_percent=self._holdout(value.get("holdout_percent")),
            exit_when=self._exit_when(value.get("exit_when")),
            starts_at=starts_at,
            ends_at=ends_at,
        )

    # -- the journey's own fields --------------------------------------------------------------------------------

    def _entry(self, value: object) -> str:
        if not isinstance(value, dict) or not value:
            self.add("entry", "Nobody can enter.", 'Write {"segment": "key-of-a-segment"}.')
            return ""
        for name in value:
            if name in ("event", "schedule", "api"):
                self.add(f"entry.{name}", f"Entry by {name} is not available yet.", 'Enter from a segment instead.')
            elif name != "segment":
                self._unknown(f"entry.{name}", name, ("segment",))
        segment = value.get("segment")
        if "segment" in value and (not isinstance(segment, str) or not segment):
            self.add("entry.segment", "This is not the key of a segment.", "Use a short name such as lapsed-furniture.")
        return segment if isinstance(segment, str) else ""

    def _window(self, value: object) -> tuple[datetime | None, datetime | None]:
        if value is None:
            return None, None
        if not isinstance(value, dict):
            self.add("window", "This is not a window.", 'Write {"from": instant, "until": instant}.')
            return None, None
        self._known_keys(value, ("from", "until"), "window")
        ends = [self._instant(value.get(name), f"window.{name}") for name in ("from", "until")]
        if ends[0] is not None and ends[1] is not None and ends[1] <= ends[0]:
            self.add("window.until", "The window ends before it begins.", "Choose an end after the start.")
        return ends[0], ends[1]

    def _instant(self, value: object, place: str) -> datetime | None:
        if value is None:
            return None
        try:
            return read_instant(value)
        except (ValueError, OverflowError):
            self.add(place, "This is not an instant.", "Use a date and time such as 2026-03-01T09:00+01:00.")
            return None

    def _holdout(self, value: object) -> float | None:
        if value is None:
            return None
        if _is_number(value) and 0 <= float(value) <= HIGHEST_HOLDOUT_PERCENT:  # type: ignore[arg-type]
            return float(value)  # type: ignore[arg-type]
        self.add("holdout_percent", "The share left alone is out of range.",
                 f"Use a number from 0 to {HIGHEST_HOLDOUT_PERCENT}.")
        return None

    def _exit_when(self, value: object) -> ExitWhen:
        if value is None:
            return ExitWhen()
        if not isinstance(value, list):
            self.add("exit_when", "This is not a list of conditions.", 'Write [{"redeemed": true}] or a list of rules.')
            return ExitWhen()
        flags = {"redeemed": False, "ordered": False}
        rules: list[Rule] = []
        for number, item in enumerate(value):
            place = f"exit_when[{number}]"
            name = next(iter(item)) if isinstance(item, dict) and len(item) == 1 else None
            if name in flags:
                if item[name] is not True:
                    self.add(f"{place}.{name}", "Only true is possible here.", "Else leave the line out.")
                flags[name] = True
            else:
                rule = self._rule(item, place)
                rules += [] if rule is None else [rule]
        return ExitWhen(flags["redeemed"], flags["ordered"], tuple(rules))

    def _not_yet(self, value: Mapping[str, Any]) -> None:
        if value.get("exclude") not in (None, []):
            self.add("exclude", "Standing exclusions are not available yet.",
                     "Put the conditions into the segment's rule and leave this out.")
        if value.get("unit", "customer") != "customer":
            self.add("unit", f"Drawing by {value['unit']} is not available yet.", 'Use "customer".')
        if value.get("reentry", "never") != "never":
            self.add("reentry", "Coming back into a journey is not available yet.", 'Use "never".')
        if value.get("quiet_hours") is not None:
            self.add("quiet_hours", "Quiet hours are not available yet.",
                     'Leave this out; a wait may use "at_local_time".')

    # -- steps ---------------------------------------------------------------------------------------------------

    def _steps(self, value: object) -> dict[str, Step]:
        if not isinstance(value, dict) or not value:
            self.add("steps", "The journey has no steps.", "Add at least a send and a leave.")
            return {}
        if len(value) > MOST_STEPS:
            self.add("steps", f"The journey has {len(value)} steps.", f"At most {MOST_STEPS} are possible.")
            return {}
        steps: dict[str, Step] = {}
        for key, item in value.items():
            step = self._step(str(key), item)
            if step is None:
                self.unread.add(str(key))
            else:
                steps[str(key)] = step
        return steps

    def _step(self, key: str, item: object) -> Step | None:
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
        self._known_keys(item, ("kind", "name", *_STEP_KEYS[kind]), place)
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
        if not _is_number(hours) or not 0 <= hours <= 87600:
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
            return self._instant(value, place), None, 0
        self._known_keys(value, ("code_ends", "minus_days"), place)
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
        rule = self._rule(item["if"], f"{place}.if") if "if" in item else None
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
            if not _is_number(weight) or not 0 < weight <= 100:
                self.add(f"{place}.arms.{name}", "This is not a share.", "Use a number above 0, at most 100.")
        weights = [float(weight) for weight in arms.values() if _is_number(weight)]
        if len(weights) == len(arms) and abs(sum(weights) - 100) > 0.05:
            self.add(f"{place}.arms", f"The shares add up to {sum(weights):g}, not to 100.",
                     "Change them to add up to 100.")
        ways = self._ways(item, tuple(arms), place)
        return Split(key, tuple(zip(map(str, arms), weights, strict=False)), ways)

    def _leave(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        return Leave(key)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _ways(self, item: dict[str, Any], names: tuple[str, ...], place: str) -> dict[str, str]:
        value = item.get("next")
        if not isinstance(value, dict):
            self.add(f"{place}.next", "The step does not say where each way leads.",
                     "Write an object with " + " and ".join(f'"{name}"' for name in names) + ".")
            return dict.fromkeys(names, "")
        self._known_keys(value, names, f"{place}.next")
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

    def _rule(self, value: object, place: str) -> Rule | None:
        try:
            return parse_rule(value)
        except Invalid as error:
            self.add(f"{place}.{error.place}" if error.place else place, error.message, "")
            return None

    def _text(self, item: Mapping[str, Any], name: str, place: str, *, longest: int, default: str) -> str:
        value = item.get(name, default)
        if not isinstance(value, str) or len(value) > longest:
            self.add(place, "This is not a text that can be used.", f"Use at most {longest} characters.")
            return default
        return value

    def _known_keys(self, item: Mapping[str, Any], known: Sequence[str], place: str) -> None:
        for name in item:
            if name not in known:
                self._unknown(f"{place}.{name}" if place else str(name), str(name), known)

    def _unknown(self, place: str, name: str, known: Sequence[str]) -> None:
        self.add(place, f"Nothing is called {name} here.", _suggestion(name, known))


_GRAPH_KEYS = ("name", "entry", "exclude", "unit", "reentry", "window", "holdout_percent", "exit_when", "quiet_hours",
               "start", "steps")
_STEP_KEYS: Mapping[str, tuple[str, ...]] = {
    "send": ("content", "offer", "channel", "fallback", "code", "next"),
    "wait": ("days", "hours", "until", "at_local_time", "next"),
    "branch": ("if", "next"),
    "split": ("arms", "next"),
    "leave": (),
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _suggestion(name: object, known: Sequence[str]) -> str:
    near = get_close_matches(str(name), known, n=1) if name else []
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}." if known else "Leave it out."

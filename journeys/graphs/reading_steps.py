"""What does one step of a journey's JSON say?

Owns reading the kinds of steps, each from its own keys. Like all reading it never stops at the first mistake.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from journeys.graphs.graph import (
    CALL_WAYS,
    CHANNELS,
    MEASURES,
    BestArm,
    BestFirst,
    Branch,
    Call,
    Change,
    Give,
    Jump,
    Leave,
    Rest,
    Send,
    Split,
    Step,
    Wait,
    WaitFor,
    Webhook,
)
from journeys.graphs.reading_parts import PartReader, is_number, suggestion
from segments.language.conditions import Rule

WAITED_FOR = ("event", "ordered", "redeemed", "if")
"""What a wait_for step may wait for."""
ELSE = "else"
"""The way of a branch with cases that is taken when none fits."""
MOST_CASES = 20

MOST_ARMS = 10
LARGEST_BUDGET_CENTS = 10**12

_STEP_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_EVENT = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class StepReader(PartReader):
    """Reads steps and collects problems; what it returns counts only when there are none."""

    def step(self, key: str, item: object) -> Step | None:
        """One step; None when it could not be read."""
        place = f"steps.{key}"
        if not _STEP_KEY.fullmatch(key):
            self.add(place, "A step cannot have this name.", "Use letters, digits, - and _, at most 60.")
        if not isinstance(item, dict):
            self.add(place, "This is not a step.", 'Write an object with a "kind".')
            return None
        kind = item.get("kind")
        if not isinstance(kind, str) or kind not in _STEP_KEYS:
            self.add(f"{place}.kind", "There is no such kind of step." if kind else "The step has no kind.",
                     suggestion(kind, tuple(_STEP_KEYS)))
            return None
        self.known_keys(item, ("kind", "name", *_STEP_KEYS[kind]), place)
        read: Callable[[str, dict[str, Any], str], Step | None] = getattr(self, f"_{kind}")
        return read(key, item, place)

    def _send(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        content = self.named(item, "content", place, ("The step does not say what to send.", "Name a content."))
        channel, best_first = self._channel(item.get("channel", "preferred"), f"{place}.channel")
        new_code = self._new_code(item, place)
        fallback = item.get("fallback", False)
        if not isinstance(fallback, bool):
            self.add(f"{place}.fallback", "This is neither true nor false.", "Use true or false.")
        offer = item.get("offer")
        if offer is not None and (not isinstance(offer, str) or not offer):
            self.add(f"{place}.offer", "This is not the key of an offer.", "Name an offer, or leave it out.")
        if "code" in item and offer is None:
            self.add(f"{place}.code", "There is no code without an offer.", "Name an offer, or leave the code out.")
        return Send(key, content, self.next(item, place), offer if isinstance(offer, str) else None, channel,
                    fallback is True, new_code, best_first)

    def _channel(self, value: object, place: str) -> tuple[str, BestFirst | None]:
        """The channel, and who gets another one first."""
        if not isinstance(value, dict):
            if not isinstance(value, str) or value not in CHANNELS:
                self.add(place, f"There is no channel {value}.", f"Use {', '.join(CHANNELS)}.")
            return str(value), None
        self.known_keys(value, ("best_first", "budget_cents", "rest"), place)
        first, rest, cents = value.get("best_first"), value.get("rest", "preferred"), value.get("budget_cents")
        if first not in CHANNELS[1:]:
            self.add(f"{place}.best_first", f"There is no channel {first}.", f"Use {', '.join(CHANNELS[1:])}.")
        if rest not in CHANNELS:
            self.add(f"{place}.rest", f"There is no channel {rest}.", f"Use {', '.join(CHANNELS)}.")
        elif rest == first:
            self.add(f"{place}.rest", "The rest would get the same channel.", "Name another one, or \"preferred\".")
        if isinstance(cents, bool) or not isinstance(cents, int) or not 0 < cents <= LARGEST_BUDGET_CENTS:
            self.add(f"{place}.budget_cents", "This is not an amount in cents.", "Use a whole number above 0.")
            return "preferred", None
        return str(rest), BestFirst(str(first), cents)

    def _wait(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        days, hours, at = self.span(item, place)
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
        return Wait(key, self.next(item, place), days, hours, until, code_ends, minus_days, at)

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

    def _wait_for(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        days, hours, at = self.span(item, place)
        if not days and not hours and "at_local_time" not in item:
            self.add(place, "The step does not say how long to wait at most.",
                     'Use "days", "hours" or "at_local_time".')
        ways = self.ways(item, ("yes", "timeout"), place)
        asked = [name for name in WAITED_FOR if name in item]
        if len(asked) != 1:
            self.add(place, "The step does not say what to wait for." if not asked else "Only one thing can be waited "
                     "for.", f"Use one of {', '.join(WAITED_FOR)}.")
            return None
        step = WaitFor(key, ways, Wait(key, ways["timeout"], days, hours, at_local_time=at))
        if "where" in item and asked != ["event"]:
            self.add(f"{place}.where", "This belongs to an event.", "Leave it out.")
        if asked == ["event"]:
            found = self.happening(item, place)
            return None if found is None else replace(step, event=found[0], where=found[1])
        if asked == ["if"]:
            rule = self.rule(item["if"], f"{place}.if")
            return None if rule is None else replace(step, rule=rule)
        if asked == ["ordered"]:
            return replace(step, ordered=True, categories=self._categories(item["ordered"], f"{place}.ordered"))
        if item["redeemed"] is not True:
            self.add(f"{place}.redeemed", "Only true is possible here.", "Else leave the line out.")
        return replace(step, redeemed=True)

    def _categories(self, value: object, place: str) -> tuple[str, ...]:
        if value is True:
            return ()
        named = value.get("category") if isinstance(value, dict) and set(value) == {"category"} else None
        if isinstance(named, list) and named and all(isinstance(each, str) and each for each in named):
            return tuple(named)
        self.add(place, "This does not say which order is meant.", 'Use true, or {"category": ["furniture"]}.')
        return ()

    def _branch(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        if ("if" in item) == ("cases" in item):
            self.add(f"{place}.if", "The step does not say what to ask." if "if" not in item else
                     'One question and several "cases" cannot stand side by side.',
                     'Write a rule, as in a segment, or a list of "cases".')
            return None
        if "if" in item:
            rule = self.rule(item["if"], f"{place}.if")
            ways = self.ways(item, ("yes", "no"), place)
            return None if rule is None else Branch(key, (("yes", rule),), ways)
        cases = self._cases(item["cases"], f"{place}.cases")
        ways = self.ways(item, (*(name for name, _rule in cases or ()), ELSE), place)
        return None if cases is None else Branch(key, cases, ways, ELSE)

    def _cases(self, value: object, place: str) -> tuple[tuple[str, Rule], ...] | None:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_CASES:
            self.add(place, "This is not a list of cases.",
                     f'Write 1 to {MOST_CASES} of {{"name": "vip", "if": rule}}; the first that fits is taken.')
            return None
        cases: list[tuple[str, Rule]] = []
        whole = True
        for number, case in enumerate(value):
            here = f"{place}[{number}]"
            name = case.get("name") if isinstance(case, dict) else None
            if not isinstance(name, str) or not 0 < len(name) <= 60 or name == ELSE or name in dict(cases):
                self.add(f"{here}.name", "A case needs a name of its own.", f'Use 1 to 60 characters, not "{ELSE}".')
                whole = False
                continue
            self.known_keys(case, ("name", "if"), here)
            rule = self.rule(case.get("if"), f"{here}.if")
            if rule is None:
                whole = False
            else:
                cases.append((name, rule))
        return tuple(cases) if whole else None

    def _give(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        offer = self.named(item, "offer", place, ("The step does not say which code to give.", "Name an offer."))
        return Give(key, offer, self.next(item, place), self._new_code(item, place))

    def _call(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        content = self.named(item, "content", place, ("The step does not say what the agent says.", "Name a content."))
        offer = None
        if "offer" in item:
            offer = self.named(item, "offer", place, ("This is not the key of an offer.",
                                                      "Name an offer, or leave it out."))
        days = item.get("days", 5)
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 90:
            self.add(f"{place}.days", "This is not a number of days.", "Use a whole number from 1 to 90.")
            days = 5
        if "code" in item and offer is None:
            self.add(f"{place}.code", "There is no code without an offer.", "Name an offer, or leave the code out.")
        return Call(key, content, self.ways(item, CALL_WAYS, place), offer, self._new_code(item, place), days)

    def _change(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        if not any(name in item for name in ("set", "tag", "list")):
            self.add(place, "The step does not say what to change.", 'Use "set", "tag" or "list".')
        values = {**self._values(item.get("set", {}), f"{place}.set"), **self._tag(item.get("tag"), f"{place}.tag")}
        lists = item.get("list", {})
        if not isinstance(lists, dict) or ("list" in item and not lists):
            self.add(f"{place}.list", "This does not name a list.", 'Write {"add": "key-of-a-list"}, or "remove".')
            lists = {}
        self.known_keys(lists, ("add", "remove"), f"{place}.list")
        add, remove = (self.named(lists, name, f"{place}.list", ("This is not the key of a list.", "Name a list."))
                       if name in lists else None for name in ("add", "remove"))
        return Change(key, self.next(item, place), tuple(sorted(values.items())), add, remove)

    def _values(self, value: object, place: str) -> dict[str, str | bool | int | float | None]:
        if not isinstance(value, dict):
            self.add(place, "These are no attributes.", 'Write {"tier": "gold"}; null takes an attribute away.')
            return {}
        found: dict[str, str | bool | int | float | None] = {}
        for name, each in value.items():
            fits = each is None or isinstance(each, bool) or (is_number(each) and abs(each) <= 1e15) or (
                isinstance(each, str) and 0 < len(each) <= 1000)
            if not 0 < len(name) <= 100 or '"' in name or not fits:
                self.add(f"{place}.{name}", "This is no value for an attribute.",
                         "Use a text, a number, true, false or null.")
            else:
                found[name] = each
        return found

    def _tag(self, value: object, place: str) -> dict[str, str | bool | int | float | None]:
        if value is None:
            return {}
        if not isinstance(value, dict) or not value or not set(value) <= {"add", "remove"} or not all(
                isinstance(each, str) and _STEP_KEY.fullmatch(each) for each in value.values()):
            self.add(place, "This is no tag.", 'Write {"add": "vip"}, or "remove": letters, digits, - and _.')
            return {}
        # A tag is an attribute that is true, so that rules can ask for it: attributes.tag_vip.
        found: dict[str, str | bool | int | float | None] = {}
        if "remove" in value:
            found[f"tag_{value['remove']}"] = None
        if "add" in value:
            found[f"tag_{value['add']}"] = True
        return found

    def _new_code(self, item: Mapping[str, Any], place: str) -> bool:
        code = item.get("code", "same")
        if code not in ("same", "new"):
            self.add(f"{place}.code", "This says neither the same code nor a new one.", 'Use "same" or "new".')
        return bool(code == "new")

    def _jump(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        return Jump(key, self.next(item, place))

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
        rest = self._rest(item["rest"], f"{place}.rest") if "rest" in item else None
        weights = [float(weight) for weight in arms.values() if is_number(weight)]
        total = sum(weights) + (rest.percent if rest else 0)
        if len(weights) == len(arms) and abs(total - 100) > 0.05:
            self.add(f"{place}.arms", f"The shares{' and the rest' if rest else ''} add up to {total:g}, not to 100.",
                     "Change them to add up to 100.")
        ways = self.ways(item, tuple(arms), place)
        return Split(key, tuple(zip(map(str, arms), weights, strict=False)), ways, rest)

    def _rest(self, value: object, place: str) -> Rest | None:
        if not isinstance(value, dict):
            self.add(place, "This does not say who waits for the winner.",
                     'Write {"percent": 80, "by": "redemptions"}.')
            return None
        self.known_keys(value, ("percent", "by", "days"), place)
        percent = value.get("percent")
        if not is_number(percent) or not 0 < percent < 100:  # type: ignore[operator]
            self.add(f"{place}.percent", "This is not a share.", "Use a number above 0 and below 100.")
            return None
        by, days = self._judged(value, place)
        return Rest(float(percent), by, days)  # type: ignore[arg-type]

    def _judged(self, item: Mapping[str, Any], place: str) -> tuple[str, int]:
        """By what arms are judged, and within how many days of the drawing."""
        by, days = item.get("by", "redemptions"), item.get("days", 7)
        if by not in MEASURES:
            self.add(f"{place}.by", "Arms are not judged by this.",
                     f"Use {' or '.join(MEASURES)}; machines open mails.")
            by = "redemptions"
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 90:
            self.add(f"{place}.days", "This is not a number of days.", "Use a whole number from 1 to 90.")
            days = 7
        return by, days

    def _best_arm(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        arms = item.get("arms")
        if not isinstance(arms, list) or not 2 <= len(arms) <= MOST_ARMS or len(set(map(str, arms))) < len(arms) or (
                not all(isinstance(name, str) and 0 < len(name) <= 60 for name in arms)):
            self.add(f"{place}.arms", "These are no arms to choose from.",
                     f'Write 2 to {MOST_ARMS} different names: ["A", "B"].')
            return None
        by, days = self._judged(item, place)
        floor = item.get("floor_percent", 5)
        if not is_number(floor) or not 1 <= floor <= 100 / len(arms):
            self.add(f"{place}.floor_percent", "This is not a share that every arm can keep.",
                     f"Use a number from 1 to {100 / len(arms):g}; 5 is usual.")
            floor = 5
        return BestArm(key, tuple(arms), self.ways(item, tuple(arms), place), by, days, float(floor))

    def _webhook(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        receiver = self.named(item, "receiver", place, ("The step does not say whom to tell.", "Name a receiver."))
        event = item.get("event", "journey.step")
        if not isinstance(event, str) or not _EVENT.fullmatch(event):
            self.add(f"{place}.event", "This is not the name of an event.",
                     'Use letters, digits, dots, - and _, at most 100: "winback.letter_due".')
            event = "journey.step"
        data = self._values(item.get("data", {}), f"{place}.data")
        return Webhook(key, receiver, self.next(item, place), event, tuple(sorted(data.items())))

    def _leave(self, key: str, item: dict[str, Any], place: str) -> Step | None:
        return Leave(key)


_STEP_KEYS: Mapping[str, tuple[str, ...]] = {
    "send": ("content", "offer", "channel", "fallback", "code", "next"),
    "wait": ("days", "hours", "until", "at_local_time", "next"),
    "wait_for": ("event", "where", "ordered", "redeemed", "if", "days", "hours", "at_local_time", "next"),
    "branch": ("if", "cases", "next"),
    "split": ("arms", "rest", "next"),
    "best_arm": ("arms", "by", "days", "floor_percent", "next"),
    "give": ("offer", "code", "next"),
    "call": ("content", "offer", "code", "days", "next"),
    "change": ("set", "tag", "list", "next"),
    "webhook": ("receiver", "event", "data", "next"),
    "jump": ("next",),
    "leave": (),
}

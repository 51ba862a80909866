"""What does a journey's JSON say, and what of it cannot be read?

Owns the reader that makes a graph: the journey's own fields here, its steps in `reading_steps`. Form alone is judged;
`checking` asks for form and meaning at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from campaigns.excluding import STANDING
from campaigns.planning import HIGHEST_HOLDOUT_PERCENT
from campaigns.problems import Problem, insist
from core.errors import Invalid
from delivery.contact_rules import read_rest
from journeys.graphs.graph import UNITS, BestArm, ExitWhen, Graph, Split, Step
from journeys.graphs.reading_entry import EntryReader
from journeys.graphs.reading_parts import is_number
from journeys.graphs.reading_steps import StepReader
from segments.language.conditions import Rule

MOST_STEPS = 200


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


class _Reader(StepReader):
    """Walks a JSON value and collects problems; what it returns counts only when there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: set[str] = set()

    def graph(self, value: object) -> Graph | None:
        if not isinstance(value, dict):
            self.add("journey", "This is not a journey.", 'Write an object with "entry", "start" and "steps".')
            return None
        self.known_keys(value, _GRAPH_KEYS, "")
        starts_at, ends_at = self._window(value.get("window"))
        segment, on, entry = EntryReader(self).entry(value.get("entry"))
        steps = self._steps(value.get("steps"))
        unit = self._unit(value.get("unit", UNITS[0]), steps)
        start = value.get("start")
        if not isinstance(start, str) or not start:
            self.add("start", "The journey has no start.", "Name the step people come to first.")
            start = ""
        return Graph(
            name=self.text(value, "name", "name", longest=200, default=""),
            segment=segment,
            on=on,
            start=start,
            steps=steps,
            holdout_percent=self._holdout(value.get("holdout_percent")),
            exit_when=self._exit_when(value.get("exit_when")),
            starts_at=starts_at,
            ends_at=ends_at,
            standing=self._standing(value.get("exclude")),
            entry=entry,
            group=self._group(value),
            priority=self._priority(value),
            unit=unit,
            quiet_hours=self._quiet_hours(value.get("quiet_hours")),
            reentry_days=self._reentry(value.get("reentry", "never")),
        )

    def _group(self, value: Mapping[str, Any]) -> str | None:
        group = value.get("group")
        if group is None or (isinstance(group, str) and 0 < len(group) <= 60):
            return group
        self.add("group", "This is not the name of a group.", 'Use a word such as "win-back", at most 60 characters.')
        return None

    def _priority(self, value: Mapping[str, Any]) -> int:
        priority = value.get("priority", 0)
        if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= 100:
            self.add("priority", "This is not a priority.", "Use a whole number from 0 to 100; the higher one wins.")
            return 0
        if "priority" in value and value.get("group") is None:
            self.add("priority", "There is no group in which it would count.", 'Name the "group" beside it.')
        return priority

    def _reentry(self, value: object) -> int | None:
        if value in ("never", "always"):
            return 0 if value == "always" else None
        days = value.get("after_days") if isinstance(value, dict) and set(value) == {"after_days"} else None
        if isinstance(days, int) and not isinstance(days, bool) and 0 < days <= 3650:
            return days
        self.add("reentry", "This does not say whether people may come again.",
                 'Use "never", "always" or {"after_days": 90}.')
        return None

    def _window(self, value: object) -> tuple[datetime | None, datetime | None]:
        if value is None:
            return None, None
        if not isinstance(value, dict):
            self.add("window", "This is not a window.", 'Write {"from": instant, "until": instant}.')
            return None, None
        self.known_keys(value, ("from", "until"), "window")
        ends = [self.instant(value.get(name), f"window.{name}") for name in ("from", "until")]
        if ends[0] is not None and ends[1] is not None and ends[1] <= ends[0]:
            self.add("window.until", "The window ends before it begins.", "Choose an end after the start.")
        return ends[0], ends[1]

    def _holdout(self, value: object) -> float | None:
        if value is None:
            return None
        if is_number(value) and 0 <= float(value) <= HIGHEST_HOLDOUT_PERCENT:  # type: ignore[arg-type]
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
        flags = dict.fromkeys(EXIT_FLAGS, False)
        rules: dict[int, Rule] = {}
        for number, item in enumerate(value):
            place = f"exit_when[{number}]"
            name = next(iter(item)) if isinstance(item, dict) and len(item) == 1 else None
            if name in flags:
                if item[name] is not True:
                    self.add(f"{place}.{name}", "Only true is possible here.", "Else leave the line out.")
                flags[name] = True
            else:
                rule = self.rule(item, place)
                rules |= {} if rule is None else {number: rule}
        return ExitWhen(**flags, rules=tuple(rules.values()), written_at=tuple(rules))

    def _standing(self, value: object) -> bool:
        if value is None or (isinstance(value, list) and all(item == STANDING for item in value)):
            return bool(value)
        self.add("exclude", "This does not say who is left out.",
                 'Write ["standing"] for the house\'s list, or []. Segments a campaign is not sent to stand with it.')
        return False

    def _unit(self, unit: object, steps: Mapping[str, Step]) -> str:
        if unit not in UNITS:
            self.add("unit", "This is nothing that can be drawn for.", 'Use "customer", "household" or "organisation".')
            return UNITS[0]
        for key, step in steps.items() if unit == "organisation" else ():
            # What they go by are people one by one; colleagues answer alike, so they would be sure too soon.
            if isinstance(step, BestArm) or (isinstance(step, Split) and step.rest is not None):
                self.add(f"steps.{key}", "Where organisations are drawn, arms are not chosen while people still come.",
                         'Use a split without a rest, or "unit": "customer".')
        return str(unit)

    def _quiet_hours(self, value: object) -> tuple[time, time] | None:
        try:
            return read_rest(value, "quiet_hours")
        except Invalid as error:
            self.add("quiet_hours", "These are no quiet hours.", error.message)
            return None

    def _steps(self, value: object) -> dict[str, Step]:
        if not isinstance(value, dict) or not value:
            self.add("steps", "The journey has no steps.", "Add at least a send and a leave.")
            return {}
        if len(value) > MOST_STEPS:
            self.add("steps", f"The journey has {len(value)} steps.", f"At most {MOST_STEPS} are possible.")
            return {}
        steps: dict[str, Step] = {}
        for key, item in value.items():
            step = self.step(str(key), item)
            if step is None:
                self.unread.add(str(key))
            else:
                steps[str(key)] = step
        return steps


EXIT_FLAGS = ("redeemed", "ordered", "unsubscribed", "complained")
"""What may end a journey early besides rules."""
_GRAPH_KEYS = ("name", "entry", "exclude", "unit", "reentry", "window", "holdout_percent", "exit_when", "quiet_hours",
               "group", "priority", "start", "steps")

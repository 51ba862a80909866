"""What does a journey's JSON say, and what of it cannot be read?

Owns the reader that makes a graph: the journey's own fields here, its steps in `reading_steps`. Form alone is judged;
`checking` asks for form and meaning at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.excluding import STANDING
from campaigns.planning import HIGHEST_HOLDOUT_PERCENT
from campaigns.problems import Problem, insist
from journeys.graph import MOVES, ExitWhen, Graph, Step
from journeys.reading_steps import StepReader, is_number
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
        self._not_yet(value)
        segment, on = self._entry(value.get("entry"))
        steps = self._steps(value.get("steps"))
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
        )

    def _entry(self, value: object) -> tuple[str, str | None]:
        if not isinstance(value, dict) or not value:
            self.add("entry", "Nobody can enter.", 'Write {"segment": "key-of-a-segment"}.')
            return "", None
        for name in value:
            if name in ("event", "schedule", "api"):
                self.add(f"entry.{name}", f"Entry by {name} is not available yet.", 'Enter from a segment instead.')
            elif name not in _ENTRY_KEYS:
                self.unknown(f"entry.{name}", name, _ENTRY_KEYS)
        segment = value.get("segment")
        if "segment" in value and (not isinstance(segment, str) or not segment):
            self.add("entry.segment", "This is not the key of a segment.", "Use a short name such as lapsed-furniture.")
        elif "on" in value and "segment" not in value:
            self.add("entry.on", "This does not say whose coming and leaving is meant.", "Name the segment beside it.")
        on = value.get("on")
        if on is not None and on not in MOVES:
            self.add("entry.on", "This is not something that people start on.",
                     'Use "entering" or "leaving"; left out, who is in the segment at the start enters.')
        return segment if isinstance(segment, str) else "", on if on in MOVES else None

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
        flags = {"redeemed": False, "ordered": False}
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
        return ExitWhen(flags["redeemed"], flags["ordered"], tuple(rules.values()), tuple(rules))

    def _standing(self, value: object) -> bool:
        if value is None or (isinstance(value, list) and all(item == STANDING for item in value)):
            return bool(value)
        self.add("exclude", "This does not say who is left out.",
                 'Write ["standing"] for the house\'s list, or []. Segments a campaign is not sent to stand with it.')
        return False

    def _not_yet(self, value: Mapping[str, Any]) -> None:
        if value.get("unit", "customer") != "customer":
            self.add("unit", f"Drawing by {value['unit']} is not available yet.", 'Use "customer".')
        if value.get("reentry", "never") != "never":
            self.add("reentry", "Coming back into a journey is not available yet.", 'Use "never".')
        if value.get("quiet_hours") is not None:
            self.add("quiet_hours", "Quiet hours are not available yet.",
                     'Leave this out; a wait may use "at_local_time".')

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


_ENTRY_KEYS = ("segment", "on")
_GRAPH_KEYS = ("name", "entry", "exclude", "unit", "reentry", "window", "holdout_percent", "exit_when", "quiet_hours",
               "start", "steps")

"""What is different between two versions of a journey, in words?

Owns saying a comparison: one line per step that is new, gone or different, and one per thing of the journey itself.
Pure: graphs and names in, lines out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from journeys.graphs.comparing import Comparison
from journeys.graphs.graph import Entry, ExitWhen, Graph, ways_of
from segments.telling.words import sentence
from web.journeys.words import Names, entry_line, step_name, step_words


@dataclass(frozen=True)
class Difference:
    """One difference: what it is about (the key of a step, or a part of the journey itself), `was` and `now` in words
    (None: there was, or is, none), and what a step is called."""

    what: str
    was: str | None
    now: str | None
    name: str = ""


_FRAME: Mapping[str, str] = {
    "name": "Its name", "segment": "Whose people enter", "on": "When they enter", "entry": "What lets people in",
    "start": "The first step", "holdout_percent": "Share left alone", "exit_when": "Who is left in peace",
    "starts_at": "The start", "ends_at": "The end", "reentry_days": "Coming again", "group": "The group",
    "priority": "The priority", "unit": "Whom arms are drawn for", "standing": "Left out by the house's list",
    "quiet_hours": "Quiet hours",
}


def differences(
    comparison: Comparison, before: tuple[Graph, Mapping[str, Any]], after: tuple[Graph, Mapping[str, Any]],
    names: Names, *, zone: str,
) -> list[Difference]:
    """The lines of a comparison, the journey's own first; a graph comes with its JSON, which names the steps."""
    return [*_of_frame(comparison, before[0], after[0], names),
            *_of_steps(comparison, before, after, names, zone)]


def _of_frame(comparison: Comparison, before: Graph, after: Graph, names: Names) -> Iterator[Difference]:
    for name in comparison.frame:
        was, now = getattr(before, name), getattr(after, name)
        said = _said(was, name, names), _said(now, name, names)
        if said[0] == said[1]:  # what differs is finer than the words
            said = None, "is different now"
        yield Difference(_FRAME.get(name, name.replace("_", " ").capitalize()), *said)


def _said(value: object, name: str, names: Names) -> str | None:
    if isinstance(value, ExitWhen):
        return _leaving(value)
    if isinstance(value, Entry):
        told = entry_line(value, "")
        return "the segment" if told is None else told[1]
    if name == "standing":
        return "yes" if value else "nobody"
    if name == "quiet_hours" and isinstance(value, tuple):
        return f"{value[0]:%H:%M} to {value[1]:%H:%M}"
    if name == "segment":
        return names.segments.get(str(value), str(value)) or "nobody's"
    if value is None or value == "":
        return {"on": "at the start", "reentry_days": "never", "holdout_percent": "the campaign's"}.get(name, "none")
    if name == "reentry_days":
        return "always" if value == 0 else f"{value} days after entering"
    return f"{value:g} %" if isinstance(value, float) else str(value)


def _leaving(when: ExitWhen) -> str:
    """Who leaves early, in words."""
    said = [words for flag, words in _LEAVING.items() if getattr(when, flag)]
    return "; ".join([*said, *(sentence(rule) for rule in when.rules)]) or "nobody"


_LEAVING: Mapping[str, str] = {"redeemed": "who redeems", "ordered": "who orders in the goal",
                               "unsubscribed": "who says no to a channel", "complained": "who complains"}


def _of_steps(
    comparison: Comparison, before: tuple[Graph, Mapping[str, Any]], after: tuple[Graph, Mapping[str, Any]],
    names: Names, zone: str,
) -> Iterator[Difference]:
    for key, change in comparison.steps.items():
        was = None if change == "added" else _words(key, *before, names, zone)
        now = None if change == "gone" else _words(key, *after, names, zone)
        yield Difference(key, was, now, _called(key, (before if change == "gone" else after)[1], names))


def _words(key: str, graph: Graph, raw: Mapping[str, Any], names: Names, zone: str) -> str:
    steps = raw.get("steps")
    own = steps.get(key) if isinstance(steps, dict) else None
    step = graph.steps[key]
    words = step_words(step, own if isinstance(own, dict) else {}, names, zone=zone)
    ways = ", ".join(f"{path.removeprefix('next').removeprefix('.')} to “{_called(to, raw, names)}” ({to})".strip()
                     for path, to in ways_of(step).items())
    return f"{words.whole.rstrip('.')}; {ways}." if ways else words.whole


def _called(key: str, raw: Mapping[str, Any], names: Names) -> str:
    """What the drawing calls a step."""
    steps = raw.get("steps")
    own = steps.get(key) if isinstance(steps, dict) else None
    content = own.get("content") if isinstance(own, dict) and not own.get("name") else None
    return names.contents.get(str(content)) or step_name(raw, key)

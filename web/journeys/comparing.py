"""What is different between two versions of a journey, in words?

Owns saying a comparison: one line per step that is new, gone or different, and one per thing of the journey itself.
Pure: graphs and names in, lines out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from journeys.graphs.comparing import Comparison
from journeys.graphs.graph import Graph, ways_of
from web.journeys.words import Names, step_words


@dataclass(frozen=True)
class Difference:
    """One difference: what it is about, `was` and `now` in words (None: there was, or is, none)."""

    what: str
    was: str | None
    now: str | None


_FRAME: Mapping[str, str] = {
    "name": "Its name", "segment": "Whose people enter", "on": "When they enter", "entry": "What lets people in",
    "start": "The first step", "holdout_percent": "Share left alone", "exit_when": "Who is left in peace",
    "starts_at": "The start", "ends_at": "The end", "reentry_days": "Coming again", "group": "The group",
    "priority": "The priority",
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
        if name in ("exit_when", "entry"):
            yield Difference(_FRAME[name], None, "is different now")
        elif name in _FRAME:
            yield Difference(_FRAME[name], _said(was, name, names), _said(now, name, names))
        else:
            yield Difference(name.replace("_", " ").capitalize(), None, "is different now")


def _said(value: object, name: str, names: Names) -> str:
    if name == "segment":
        return names.segments.get(str(value), str(value)) or "nobody's"
    if value is None or value == "":
        return {"on": "at the start", "reentry_days": "never", "holdout_percent": "the campaign's"}.get(name, "none")
    if name == "reentry_days":
        return "always" if value == 0 else f"{value} days after entering"
    return f"{value:g} %" if isinstance(value, float) else str(value)


def _of_steps(
    comparison: Comparison, before: tuple[Graph, Mapping[str, Any]], after: tuple[Graph, Mapping[str, Any]],
    names: Names, zone: str,
) -> Iterator[Difference]:
    for key, change in comparison.steps.items():
        was = None if change == "added" else _words(key, *before, names, zone)
        now = None if change == "gone" else _words(key, *after, names, zone)
        yield Difference(key, was, now)


def _words(key: str, graph: Graph, raw: Mapping[str, Any], names: Names, zone: str) -> str:
    steps = raw.get("steps")
    own = steps.get(key) if isinstance(steps, dict) else None
    step = graph.steps[key]
    words = step_words(step, own if isinstance(own, dict) else {}, names, zone=zone)
    ways = ", ".join(f"{path.removeprefix('next').removeprefix('.')} to {target}".strip()
                     for path, target in ways_of(step).items())
    return f"{words.whole.rstrip('.')}; {ways}." if ways else words.whole

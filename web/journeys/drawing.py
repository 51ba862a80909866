"""What is on the drawing of a journey?

Owns putting a graph, its words and its numbers together: cards, ways with the people who went them, people standing at
steps, the hold-out dashed; and the same as a complete list. The drawing and the list come from one value, so neither
says more than the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from campaigns.problems import Problem
from journeys.graphs.graph import Change, Give, Graph, Jump, Send, Step, Wait, Webhook, ways_of
from journeys.telling.showing import Traffic
from web.journeys.layout import Layout, Line, lay_out
from web.journeys.words import LINE_PIXELS, NAME_PIXELS, Names, StepWords, cut, step_words
from web.wording.formatting import count

ENTRY, HELD_OUT = "\1entry", "\1held-out"
_PILL_LETTER, _PILL_EDGE = 6.6, 16


@dataclass(frozen=True)
class Pill:
    """A number on the drawing: words, middle and width in pixels."""

    text: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class WayOut:
    """One way out of a step for the list: its words, where it leads, how many went, and which outcomes count."""

    words: str
    target: str
    target_name: str
    people: int | None
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One step on the drawing and in the list. `kind` is a step kind, "entry" or "holdout"."""

    key: str
    kind: str
    words: StepWords
    name: str
    line: str
    x: float
    y: float
    here: int
    set_aside: int
    silent: int
    left: int
    ways: tuple[WayOut, ...]
    problems: tuple[Problem, ...]
    now_pill: Pill | None
    mark: str | None = None
    """How it differs from the version it is compared with: added or changed."""


@dataclass(frozen=True)
class Edge:
    """One way on the drawing."""

    line: Line
    pill: Pill | None
    dashed: bool


@dataclass(frozen=True)
class Drawing:
    """A journey drawn; cards in reading order."""

    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """What the graph does not say itself: the entry's words and the share left alone."""

    entry: StepWords
    holdout_percent: float


def draw(
    graph: Graph, raw: Mapping[str, Any], names: Names, frame: Frame, *, traffic: Traffic | None, zone: str,
    problems: Sequence[Problem] = (), marks: Mapping[str, str] | None = None,
) -> Drawing:
    """Draw a graph (or as much of it as could be read); `traffic` None: a draft nobody walks through.

    `marks`: step -> how it differs from what the graph is compared with.
    """
    raw_steps = raw.get("steps")
    raw_steps = raw_steps if isinstance(raw_steps, dict) else {}
    words = {key: step_words(step, raw_steps.get(key) or {}, names, zone=zone) for key, step in graph.steps.items()}
    holds_out = frame.holdout_percent > 0 or (traffic is not None and traffic.held_out > 0)
    keys = [ENTRY, *graph.steps, *([HELD_OUT] if holds_out else [])]
    ways = [(ENTRY, graph.start), *([(ENTRY, HELD_OUT)] if holds_out else [])]
    for key, step in graph.steps.items():
        ways += [(key, target) for target in ways_of(step).values()]
    layout = lay_out(keys, ways, start=ENTRY)
    outs = {key: _ways_out(key, step, words, traffic) for key, step in graph.steps.items()}
    outs[ENTRY] = _entry_ways(graph, words, traffic, holds_out)
    outs[HELD_OUT] = ()
    everything = {**words, ENTRY: frame.entry, HELD_OUT: _held_out(frame.holdout_percent)}
    boxes = {box.key: box for box in layout.boxes}
    cards = [_card(key, boxes[key].x, boxes[key].y, graph.steps.get(key), everything[key], outs[key], traffic, problems)
             for key in _reading_order(layout)]
    cards = [replace(card, mark=(marks or {}).get(card.key)) for card in cards]
    return Drawing(tuple(cards), tuple(_edge(line, outs[line.way[0]], traffic) for line in layout.lines),
                   layout.width, layout.height)


def _reading_order(layout: Layout) -> list[str]:
    return [box.key for box in sorted(layout.boxes, key=lambda box: (box.y, box.x))]


def _held_out(percent: float) -> StepWords:
    return StepWords("Left alone", "eye-off", "hold-out, followed to the end",
                     f"{percent:g} % are left alone for comparison and followed to the end of the window. "
                     "They get nothing and stand for what would have come anyway.")


def _entry_ways(
    graph: Graph, words: Mapping[str, StepWords], traffic: Traffic | None, holds_out: bool
) -> tuple[WayOut, ...]:
    start = words[graph.start].name if graph.start in words else graph.start
    walked = None if traffic is None else traffic.entered - traffic.held_out
    found = [WayOut("", graph.start, start, walked, ())]
    if holds_out:
        found.append(WayOut("", HELD_OUT, "Left alone", None if traffic is None else traffic.held_out, ()))
    return tuple(found)


def _ways_out(key: str, step: Step, words: Mapping[str, StepWords], traffic: Traffic | None) -> tuple[WayOut, ...]:
    """Ways out of one step; ways that lead to the same step are one."""
    by_target: dict[str, list[str]] = {}
    for path, target in ways_of(step).items():
        by_target.setdefault(target, []).append(path.removeprefix("next").removeprefix("."))
    found = []
    for target, ways in by_target.items():
        outcomes = _outcomes(step, ways)
        people = None if traffic is None else sum(traffic.ways.get((key, outcome), 0) for outcome in outcomes)
        label = ", ".join(way for way in ways if way)
        name = words[target].name if target in words else target
        found.append(WayOut(label, target, name, people, outcomes))
    return tuple(found)


def _outcomes(step: Step, ways: Sequence[str]) -> tuple[str, ...]:
    return _ONE_WAY.get(type(step), tuple(ways))


_ONE_WAY: dict[type, tuple[str, ...]] = {Send: ("queued", "suppressed"), Wait: ("waited",), Give: ("given", "without"),
                                         Jump: ("jumped",), Change: ("changed",), Webhook: ("told",)}
"""Kinds with one way out -> the outcomes of those who went it."""


def _card(
    key: str, x: float, y: float, step: Step | None, words: StepWords, ways: tuple[WayOut, ...],
    traffic: Traffic | None, problems: Sequence[Problem],
) -> Card:
    here = aside = silent = left = 0
    if traffic is not None and key == HELD_OUT:
        here = traffic.followed
    elif traffic is not None and step is not None:
        here, aside = traffic.here.get(key, 0), traffic.set_aside.get(key, 0)
        silent = sum(traffic.ways.get((key, outcome), 0) for outcome in ("suppressed", "without"))
        left = sum(traffic.ways.get((key, outcome), 0) for outcome in ("exited", "over"))
    place = f"steps.{key}"
    mine = tuple(p for p in problems if p.place == place or p.place.startswith((f"{place}.", f"{place}[")))
    if key == ENTRY:
        mine = tuple(p for p in problems if p.place.startswith("entry"))
    kind = "entry" if key == ENTRY else "holdout" if key == HELD_OUT else type(step).__name__.lower()
    pill = None
    if here:
        text = f"{count(here)} now"
        width = _width(text)
        pill = Pill(text, x + 196 - 8 - width / 2, y, width)
    name, line = cut(words.name, NAME_PIXELS, bold=True), cut(words.line, LINE_PIXELS)
    return Card(key, kind, words, name, line, x, y, here, aside,
                silent, left, ways, mine, pill)


def _edge(line: Line, ways: Sequence[WayOut], traffic: Traffic | None) -> Edge:
    way = next((way for way in ways if way.target == line.way[1]), None)
    words = way.words if way else ""
    if way is not None and way.people is not None:
        words = f"{words} {count(way.people)}".strip()
    pill = Pill(words, line.label_x, line.label_y, _width(words)) if words else None
    return Edge(line, pill, line.is_back or line.way[1] == HELD_OUT)


def _width(text: str) -> float:
    return round(len(text) * _PILL_LETTER + _PILL_EDGE, 1)

"""Where does each mark of a chart stand?

Owns the geometry of interval plots, waterfalls, meters and small lines: values in, percentages of the width out, ready
for SVG attributes (our content policy allows no style attributes). Pure. The promise: one shared axis per group,
effects always show 0, an interval that leaves the axis is drawn open (no cap), an undefined value draws no mark.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["response", "effect"]


@dataclass(frozen=True)
class Estimate:
    """One row to draw: a value with its interval, and the words that go with it.

    `value`, `low`, `high` share one unit. `value_text` and `range_text` are already formatted; `note` stands under the
    label (people, "final").
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    value_text: str
    range_text: str
    note: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Tick:
    """One line of the axis: `at` is a percentage of the width."""

    at: float
    label: str
    is_zero: bool


@dataclass(frozen=True)
class PlotRow:
    """One drawn row. `dot`, `left`, `right` are percentages or None; a capped end is the true end of the interval."""

    estimate: Estimate
    dot: float | None
    left: float | None
    right: float | None
    cap_left: bool
    cap_right: bool
    spoken: str


@dataclass(frozen=True)
class IntervalPlot:
    """A group of rows over one axis."""

    kind: Kind
    title: str
    rows: tuple[PlotRow, ...]
    ticks: tuple[Tick, ...]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def ticks_between(low: float, high: float) -> tuple[float, ...]:
    """Return 3 to 5 round values that cover `low` to `high`: the tightest cover, then the fewest values."""
    if not high > low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    power = 10.0 ** math.floor(math.log10((high - low) / 2))
    choices = []
    for step in (factor * power for factor in (0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        size = last - first + 1
        if 3 <= size <= 5:
            waste = (last - first) * step / (high - low) - 1
            choices.append((waste + 0.02 * size, tuple(round(index * step, 12) for index in range(first, last + 1))))
    return min(choices)[1] if choices else (low, (low + high) / 2, high)


def interval_plot(
    estimates: Sequence[Estimate],
    *,
    kind: Kind,
    title: str,
    tick: Callable[[float], str],
    low: float | None = None,
    high: float | None = None,
) -> IntervalPlot:
    """Lay out `estimates` on one axis. `tick` writes an axis value; `low` and `high` fix the axis instead of the data.

    An effect's axis always holds 0. A response's axis need not.
    """
    ends = [v for e in estimates for v in (e.value, e.low, e.high) if v is not None and math.isfinite(v)]
    if kind == "effect":
        ends.append(0.0)
    start = low if low is not None else min(ends, default=0.0)
    stop = high if high is not None else max(ends, default=1.0)
    values = ticks_between(start, stop)
    # 4 % air on both sides keeps caps and the labels of the outer ticks inside the drawing
    first, last = min(values[0], start), max(values[-1], stop)
    if low is not None or high is not None:
        first, last = start, stop
        values = tuple(v for v in values if start <= v <= stop)

    def place(value: float) -> float:
        return round(4 + 92 * (value - first) / (last - first), 2)

    ticks = tuple(Tick(place(v), tick(v), is_zero=kind == "effect" and v == 0) for v in values)
    return IntervalPlot(kind, title, tuple(_plot_row(e, first, last, place) for e in estimates), ticks)


def _plot_row(e: Estimate, first: float, last: float, place: Callable[[float], float]) -> PlotRow:
    if not _finite(e.value) or e.value is None:
        return PlotRow(e, None, None, None, False, False, f"{e.label}: no estimate")
    left_end = e.low if e.low is not None and not math.isnan(e.low) else -math.inf
    right_end = e.high if e.high is not None and not math.isnan(e.high) else math.inf
    return PlotRow(
        estimate=e,
        dot=place(e.value) if first <= e.value <= last else None,
        left=place(max(left_end, first)),
        right=place(min(right_end, last)),
        cap_left=left_end >= first,
        cap_right=right_end <= last,
        spoken=f"{e.label}: {e.value_text}, 95 % interval {e.range_text}",
    )


@dataclass(frozen=True)
class Exclusion:
    """People who leave the audience at this step and why; `href` opens them."""

    label: str
    people: int
    href: str | None = None


@dataclass(frozen=True)
class Channel:
    """How many of the reachable people one channel takes."""

    label: str
    people: int
    icon: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Bar:
    """One line of a waterfall: `left` and `width` are percentages of the bar column."""

    label: str
    people: int
    left: float
    width: float
    icon: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Waterfall:
    """Start, exclusions in their fixed order, what remains, channels. Steps are drawn `magnified` times larger."""

    start: Bar
    steps: tuple[Bar, ...]
    reachable: Bar
    channels: tuple[Bar, ...]
    magnified: int


def waterfall(
    start_label: str,
    start: int,
    *,
    exclusions: Sequence[Exclusion],
    channels: Sequence[Channel] = (),
    start_href: str | None = None,
    reachable_href: str | None = None,
) -> Waterfall:
    """Lay out a reach waterfall. Steps are magnified together until they would overflow, at most ten times."""
    removed = sum(step.people for step in exclusions)
    if removed > start:
        raise ValueError(f"{removed} people are left out of {start}")
    whole = start or 1
    magnified = max(1, min(10, int(whole // removed))) if removed else 1
    steps = []
    edge = 100.0
    for step in exclusions:
        width = 100 * step.people * magnified / whole
        edge -= width
        # a step of a few people still shows a hair line
        drawn = max(width, 0.6 if step.people else 0.0)
        steps.append(Bar(step.label, step.people, round(max(edge, 0.0), 2), round(drawn, 2), href=step.href))
    left_over = start - removed

    def from_zero(label: str, people: int, icon: str = "", href: str | None = None) -> Bar:
        return Bar(label, people, 0.0, round(100 * people / whole, 2), icon, href)

    return Waterfall(
        start=from_zero(start_label, start, href=start_href),
        steps=tuple(steps),
        reachable=from_zero("Reachable", left_over, href=reachable_href),
        channels=tuple(from_zero(c.label, c.people, c.icon, c.href) for c in channels),
        magnified=magnified,
    )


@dataclass(frozen=True)
class SmallLine:
    """A line of counts: `points` and `area` are SVG point lists in a box of 340 x `height`; `peak` is the largest."""

    points: str
    area: str
    height: int
    peak: float


def small_line(counts: Sequence[float], *, height: int = 78) -> SmallLine:
    """Lay out daily counts as a line over a filled area that starts at 0 (a filled area never starts elsewhere)."""
    if not counts:
        return SmallLine("", "", height, 0)
    peak = max(max(counts), 1)
    step = 340 / (len(counts) - 1) if len(counts) > 1 else 0.0
    # the top 6 units stay free, so that the stroke of the peak isn't cut
    spots = [(i * step, height - (height - 6) * value / peak) for i, value in enumerate(counts)]
    if len(spots) == 1:
        spots.append((340.0, spots[0][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return SmallLine(line, f"0,{height} {line} 340,{height}", height, max(counts))


def tint(low: float | None, *, steps: Sequence[float]) -> int:
    """Return the heat grid's tint 1 to 4 for the *lower end* of a cell's interval; `steps` are the three cut points."""
    if low is None or math.isnan(low):
        return 0
    return 1 + sum(low >= step for step in steps[:3])


def tint_steps(lows: Sequence[float | None]) -> tuple[float, ...]:
    """Return three evenly spaced cut points between the smallest and the largest lower end."""
    known = [v for v in lows if v is not None and math.isfinite(v)]
    if not known:
        return (0.0, 0.0, 0.0)
    low, high = min(known), max(known)
    return tuple(low + (high - low) * part / 4 for part in (1, 2, 3)) if high > low else (math.inf,) * 3

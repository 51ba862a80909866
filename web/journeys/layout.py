"""Where do the steps and ways of a graph stand when it is drawn?

Owns a small layered layout: ranks by the longest way from the start, few crossings, straight lines where possible, ways
with rounded corners. Pure: keys and ways in, coordinates in pixels out. The promise: the same graph is always drawn the
same way, every key that was given is placed once, no two boxes overlap, and a way back is drawn beside the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BOX_WIDTH, BOX_HEIGHT = 196, 58
GAP_ACROSS, GAP_DOWN = 44, 56
MARGIN = 16
_BEND_WIDTH = 28
_RADIUS = 8
_SWEEPS = 8

Way = tuple[str, str]


@dataclass(frozen=True)
class Box:
    """One key: its upper left corner."""

    key: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True)
class Line:
    """One way: its SVG path and the middle of its label. `is_back` leads up again."""

    way: Way
    path: str
    label_x: float
    label_y: float
    is_back: bool = False


@dataclass(frozen=True)
class Layout:
    """The whole drawing in pixels; boxes in the order of the keys given."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def lay_out(keys: Sequence[str], ways: Sequence[Way], *, start: str) -> Layout:
    """Place the keys and the ways between them; ways to unknown keys are left out, keys nobody reaches stand last."""
    known = set(keys)
    each = list(dict.fromkeys(way for way in ways if way[0] in known and way[1] in known and way[0] != way[1]))
    loops = [way for way in dict.fromkeys(ways) if way[0] == way[1] and way[0] in known]
    forward, back = _without_circles(keys, each, start)
    ranks = _ranks(keys, forward, start)
    rows, chains = _rows(keys, forward, ranks)
    _order(rows, chains)
    middles = _middles(rows, chains)
    left = min((middle - _width(key) / 2 for key, middle in middles.items()), default=0.0)
    middles = {key: round(middle - left + MARGIN, 1) for key, middle in middles.items()}
    boxes = {key: Box(key, middles[key] - BOX_WIDTH / 2, MARGIN + ranks[key] * (BOX_HEIGHT + GAP_DOWN))
             for key in keys}
    lines = [_line(way, chain, middles, boxes) for way, chain in chains.items()]
    right = max((box.x + BOX_WIDTH for box in boxes.values()), default=0.0)
    for number, way in enumerate([*back, *loops]):
        lines.append(_line_back(way, boxes, right + 24 + 22 * number))
    width = right + MARGIN + (24 + 22 * (len(back) + len(loops)) + 40 if back or loops else 0)
    width = max(width, *(middle + _BEND_WIDTH for middle in middles.values())) if middles else width
    height = max((box.y for box in boxes.values()), default=0.0) + BOX_HEIGHT + 2 * MARGIN
    return Layout(tuple(boxes[key] for key in keys), tuple(lines), int(width + 0.5), int(height + 0.5))


def _without_circles(keys: Sequence[str], ways: Sequence[Way], start: str) -> tuple[list[Way], list[Way]]:
    """Ways split into those that lead on and those that close a circle, seen from the start."""
    following: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in ways:
        following[source].append(target)
    done: set[str] = set()
    back: set[Way] = set()
    roots = [start, *keys] if start in following else list(keys)
    for root in roots:
        if root in done:
            continue
        # an explicit stack: a journey may have 200 steps in a row
        path, ahead = [root], [iter(following[root])]
        inside = {root}
        while path:
            target = next(ahead[-1], "")
            if not target:
                inside.discard(path[-1])
                done.add(path.pop())
                ahead.pop()
            elif target in inside:
                back.add((path[-1], target))
            elif target not in done:
                path.append(target)
                inside.add(target)
                ahead.append(iter(following[target]))
    return [way for way in ways if way not in back], [way for way in ways if way in back]


def _ranks(keys: Sequence[str], ways: Sequence[Way], start: str) -> dict[str, int]:
    """Key -> the length of the longest way to it; keys nobody leads to stand below everything else."""
    into: dict[str, int] = dict.fromkeys(keys, 0)
    for _source, target in ways:
        into[target] += 1
    ranks: dict[str, int] = {}
    ahead = [key for key in keys if into[key] == 0]
    for key in ahead:
        ranks[key] = 0
    for key in ahead:
        for source, target in ways:
            if source == key:
                ranks[target] = max(ranks.get(target, 0), ranks[key] + 1)
                into[target] -= 1
                if into[target] == 0:
                    ahead.append(target)
    reached = _reached(start, ways) if start in ranks else set(keys)
    lowest = max((ranks[key] for key in reached), default=-1) + 1
    return {key: ranks[key] if key in reached else lowest + ranks[key] for key in keys}


def _reached(start: str, ways: Sequence[Way]) -> set[str]:
    found, ahead = {start}, [start]
    for key in ahead:
        for source, target in ways:
            if source == key and target not in found:
                found.add(target)
                ahead.append(target)
    return found


def _rows(
    keys: Sequence[str], ways: Sequence[Way], ranks: dict[str, int]
) -> tuple[list[list[str]], dict[Way, list[str]]]:
    """The keys of each rank, and per way the chain of keys and bends it runs through."""
    rows: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for key in keys:
        rows[ranks[key]].append(key)
    chains: dict[Way, list[str]] = {}
    for source, target in ways:
        bends = []
        for rank in range(ranks[source] + 1, ranks[target]):
            bend = f"\0{source}\0{target}\0{rank}"
            bends.append(bend)
            rows[rank].append(bend)
        chains[source, target] = [source, *bends, target]
    return rows, chains


def _neighbours(chains: dict[Way, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(rows: list[list[str]], chains: dict[Way, list[str]]) -> None:
    """Sort each row by the mean place of its neighbours, down and up again, so that few ways cross."""
    above, below = _neighbours(chains)
    place = {key: index for row in rows for index, key in enumerate(row)}
    for sweep in range(_SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            means = {key: _mean([place[other] for other in near.get(key, ())], place[key]) for key in row}
            row.sort(key=lambda key: means[key])
            place |= {key: index for index, key in enumerate(row)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _width(key: str) -> float:
    return _BEND_WIDTH if key.startswith("\0") else BOX_WIDTH


def _middles(rows: list[list[str]], chains: dict[Way, list[str]]) -> dict[str, float]:
    """Key -> the x of its middle: as near to its neighbours as the width of the boxes allows."""
    above, below = _neighbours(chains)
    middles: dict[str, float] = {}
    for row in rows:
        _settle(row, [0.0] * len(row), middles)
    for sweep in range(2 * _SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = [_mean([middles[other] for other in near.get(key, ())], middles[key]) for key in row]
            _settle(row, wanted, middles)
    return middles


def _settle(row: list[str], wanted: Sequence[float], middles: dict[str, float]) -> None:
    """Put a row's middles as near to what is wanted as their distances allow (least squares, pooled neighbours)."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (_width(left) + _width(right)) / 2 + GAP_ACROSS)
    pools: list[tuple[float, int]] = []
    for index in range(len(row)):
        total, size = wanted[index] - offsets[index], 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            before, count = pools.pop()
            total, size = total + before, size + count
        pools.append((total, size))
    flat = [total / size for total, size in pools for _ in range(size)]
    for index, key in enumerate(row):
        middles[key] = flat[index] + offsets[index]


def _line(way: Way, chain: list[str], middles: dict[str, float], boxes: dict[str, Box]) -> Line:
    """Down from one box to the other; sideways half way between two ranks."""
    x, y = middles[chain[0]], boxes[way[0]].y + BOX_HEIGHT
    pieces = [f"M{x:g} {y:g}"]
    label: tuple[float, float] | None = None
    for number, key in enumerate(chain[1:]):
        to_x = middles[key]
        bottom = boxes[way[0]].y + (number + 1) * (BOX_HEIGHT + GAP_DOWN)
        turn = bottom - GAP_DOWN / 2
        if label is None:
            # half way along a long stretch; on a short one nearer to its end, where labels of neighbours part
            label = (x + (to_x - x) * (0.5 if abs(to_x - x) > 110 else 0.75), turn)
        pieces.append(_sideways(x, to_x, turn))
        x = to_x
        end = bottom if key == way[1] else bottom + BOX_HEIGHT
        pieces.append(f"V{end - (3 if key == way[1] else 0):g}")
    assert label is not None
    return Line(way, "".join(pieces), round(label[0], 1), round(label[1], 1))


def _sideways(x: float, to_x: float, turn: float) -> str:
    if abs(to_x - x) < 1:
        return ""
    radius = min(_RADIUS, abs(to_x - x) / 2)
    step = radius if to_x > x else -radius
    return (f"V{turn - radius:g}Q{x:g} {turn:g} {x + step:g} {turn:g}"
            f"H{to_x - step:g}Q{to_x:g} {turn:g} {to_x:g} {turn + radius:g}")


def _line_back(way: Way, boxes: dict[str, Box], x: float) -> Line:
    source, target = boxes[way[0]], boxes[way[1]]
    lower, upper = source.y + BOX_HEIGHT / 2 + 8, target.y + BOX_HEIGHT / 2 - 8
    path = f"M{source.x + BOX_WIDTH:g} {lower:g}H{x:g}V{upper:g}H{target.x + BOX_WIDTH + 3:g}"
    return Line(way, path, x, (lower + upper) / 2, is_back=True)

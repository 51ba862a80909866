"""How do proposals stand on their pages?

Owns the words, tints and addresses of the grid of recency and frequency: labels out of days and orders, one lens at a
time in the cells, the sentence of some cells together. The numbers were worked out below; here nothing is counted but
sums of cells. The tint follows the lower end of a range where there is one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from core.statistics.proportions import Count, rate
from reporting.past_response import Past
from segments.proposals.rfm_grid import Place, RfmGrid, Span, cells_rule, rectangles
from web.frame.plots import tint, tint_steps
from web.wording import formatting

LENSES = (("response", "Past response"), ("value", "Value"), ("people", "People"), ("reach", "Reach"))
_NOTES = {
    "response": "share who redeemed, 95 % range, people addressed; the stronger the tint, the higher the lower end",
    "value": "spent so far, per person, people; the stronger the tint, the more was spent",
    "people": "people, their share of everybody with an order",
    "reach": "share who can be written to by e-mail, letter or phone",
}
READY: tuple[tuple[str, str, tuple[Place, ...]], ...] = (
    ("Bought often, not lately", "they know the shop, and have gone quiet",
     tuple((r, f) for r in (1, 2) for f in (4, 5))),
    ("Buy often and lately", "the regulars: thank them, do not discount them",
     tuple((r, f) for r in (4, 5) for f in (4, 5))),
    ("New or nearly so", "ordered lately, and not often yet", ((5, 1), (5, 2))),
    ("Few orders, long ago", "the hardest to win back", ((1, 1), (1, 2))),
)
"""Name, in other words, cells."""


@dataclass(frozen=True)
class Group:
    """Some cells together: texts ready to be shown; `rate` is empty where too few were addressed."""

    name: str
    note: str
    people: int
    spent: str
    each: str
    reach: str
    reach_rest: str
    rate: str
    rate_range: str
    rate_rest: str
    others: str
    href: str


@dataclass(frozen=True)
class GridView:
    """The grid under one lens; rows by falling recency, columns by rising frequency, those without people left out."""

    lens: str
    note: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[dict[str, Any], ...], ...]
    ready: tuple[Group, ...]
    every: tuple[Group, ...]
    chosen: tuple[Place, ...]
    together: Group | None


def builder_href(rule: dict[str, Any], name: str) -> str:
    """The builder, filled with a proposal."""
    text = json.dumps(rule, ensure_ascii=False, separators=(",", ":"))
    return url_for("segments.new", rule=text, name=name[:200])


def grid_view(grid: RfmGrid, past: Past, lens: str, chosen: Sequence[Place]) -> GridView:
    """Lay out the grid with some cells chosen. Raises Invalid for a cell outside."""
    recencies = [r for r in range(5, 0, -1) if any(grid.cells[r, f].people for f in range(1, 6))]
    frequencies = [f for f in range(1, 6) if any(grid.cells[r, f].people for r in range(1, 6))]
    places = [(r, f) for r in recencies for f in frequencies]
    steps = tint_steps([_weight(grid, past, lens, place) for place in places])
    cells = tuple(tuple(_cell(grid, past, lens, (r, f), steps, (r, f) in chosen) for f in frequencies)
                  for r in recencies)
    ready = tuple(group_of(grid, past, of, name, note) for name, note, of in READY
                  if any(grid.cells[place].people for place in of))
    every = tuple(group_of(grid, past, [place]) for place in places if grid.cells[place].people)
    return GridView(lens, _NOTES[lens], tuple(recency_words(grid, r, r) for r in recencies),
                    tuple(frequency_words(grid, f, f) for f in frequencies), cells, ready, every, tuple(chosen),
                    group_of(grid, past, chosen) if chosen else None)


def group_of(grid: RfmGrid, past: Past, places: Iterable[Place], name: str = "", note: str = "") -> Group:
    """Some cells together, named by their limits unless a name is given. Raises Invalid for none or one outside."""
    chosen = tuple(sorted(set(places)))
    rule = cells_rule(chosen)
    words = cells_words(grid, chosen)
    people, cents = (sum(getattr(grid.cells[place], part) for place in chosen) for part in ("people", "cents"))
    share, exact, asked, reached = _reach(grid, chosen)
    shown = past.enough(chosen)
    inside, outside = past.pooled(chosen), past.others(chosen)
    others = ""
    if shown and outside.n >= 1:
        others = (f"everybody else {formatting.rate(outside.estimate)} "
                  f"({formatting.span(formatting.rate(outside.low), formatting.rate(outside.high))})")
    currency = grid.currency or "EUR"
    return Group(
        name or words, note or "", people, formatting.money_short(cents, currency=currency),
        formatting.money_short(cents / people, currency=currency) if people else "",
        formatting.count(reached) if exact else f"about {formatting.rate(share, decimals=0)}",
        "" if exact else f"of {formatting.count(asked)} asked",
        formatting.rate(inside.estimate) if shown else "",
        formatting.span(formatting.rate(inside.low), formatting.rate(inside.high)) if shown else "",
        f"{formatting.count(inside.n)} addressed" if inside.n else "nobody addressed", others,
        builder_href(rule, name or words))


def cells_words(grid: RfmGrid, places: Iterable[Place]) -> str:
    """Some cells by their limits: "Last order 358 to 892 days ago, 3 orders or more"."""
    parts = [f"{recency_words(grid, first, last)}, {frequency_words(grid, low, high)}"
             for first, last, low, high in rectangles(places)]
    words = " or ".join(parts)
    return words if grid.told else f"Last order {words}"


def recency_words(grid: RfmGrid, first: int, last: int) -> str:
    """The days since the last order of some fifths; the lowest fifth is the longest ago."""
    span = None if grid.told else _joined(grid.recency_days.get(fifth) for fifth in range(first, last + 1))
    if span is None:
        return f"Recency {first}" if first == last else f"Recency {first} to {last}"
    if last == max(grid.recency_days):
        return "any day" if first == min(grid.recency_days) else f"up to {formatting.count(span.high)} days ago"
    if first == min(grid.recency_days):
        return f"{formatting.count(span.low)} days ago or more"
    return f"{formatting.count(span.low)} to {formatting.count(span.high)} days ago"


def frequency_words(grid: RfmGrid, low: int, high: int) -> str:
    """The number of orders of some fifths."""
    span = None if grid.told else _joined(grid.frequency_orders.get(fifth) for fifth in range(low, high + 1))
    if span is None:
        return f"frequency {low}" if low == high else f"frequency {low} to {high}"
    if high >= max(grid.frequency_orders) and span.low > 1:
        return f"{span.low} orders or more"
    if span.low == span.high:
        return f"{span.low} {'order' if span.low == 1 else 'orders'}"
    return f"{span.low} to {span.high} orders"


def _joined(spans: Iterable[Span | None]) -> Span | None:
    known = [span for span in spans if span is not None]
    return Span(min(span.low for span in known), max(span.high for span in known)) if known else None


def _reach(grid: RfmGrid, places: Iterable[Place]) -> tuple[float, bool, int, int]:
    """Share that can be written to, whether everybody was asked, how many were, and how many of those can."""
    chosen = list(places)
    found = [grid.reach[place] for place in chosen if place in grid.reach]
    asked, reached = sum(each.asked for each in found), sum(each.reached for each in found)
    exact = asked == sum(grid.cells[place].people for place in chosen)
    return reached / asked if asked else 0.0, exact, asked, reached


def _weight(grid: RfmGrid, past: Past, lens: str, place: Place) -> float | None:
    """What the tint of a cell follows; None for none."""
    if not grid.cells[place].people:
        return None
    if lens == "response":
        return past.pooled([place]).low if past.enough([place]) else None
    if lens == "reach":
        share, _exact, asked, reached = _reach(grid, [place])
        return rate(Count(reached, asked)).low if asked else share
    return float(grid.cells[place].cents if lens == "value" else grid.cells[place].people)


def _cell(
    grid: RfmGrid, past: Past, lens: str, place: Place, steps: Sequence[float], chosen: bool
) -> dict[str, Any]:
    cell = grid.cells[place]
    if not cell.people:
        return {"none": True}
    group = group_of(grid, past, [place])
    people = f"{formatting.count(cell.people)} {'person' if cell.people == 1 else 'people'}"
    few = lens == "response" and not past.enough([place])
    big, small, number = {
        "response": ("too few" if few else group.rate, "" if few else group.rate_range, group.rate_rest),
        "value": (group.spent, f"{group.each} each", people),
        "people": (formatting.count(cell.people), formatting.rate(cell.people / grid.people), ""),
        "reach": (formatting.rate(_reach(grid, [place])[0]), group.reach_rest or f"{group.reach} of", people),
    }[lens]
    low = _weight(grid, past, lens, place)
    return {"value": f"{place[0]}:{place[1]}", "name": f"{group.name}: {big}, {small}, {number}, {people}",
            "big": big, "small": small, "n": number, "few": few, "chosen": chosen,
            "tint": 0 if few else tint(low, steps=steps)}

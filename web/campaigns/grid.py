"""How does the grid of who responds stand on its page?

Owns the texts and tints of its cells and the sentence of those chosen; the numbers were worked out in reporting/. The
tint follows the lower end of a cell's range, so a lucky small cell never shines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reporting.responders import Cell, Grid, Place
from reporting.selecting import selection
from web.frame.plots import tint, tint_steps
from web.wording.formatting import count, number, rate, span


@dataclass(frozen=True)
class GridView:
    """The grid for the heat grid macro, and the chosen cells as a sentence (None chosen: empty words)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: list[list[dict[str, Any]]]
    edges: tuple[int, ...]
    order_edges: tuple[int, ...]
    overall: str
    looked_at: int
    size: int
    chosen: tuple[Place, ...]
    chosen_words: str
    chosen_rate: str
    chosen_rest: str
    warning: str


def edges_of(grid: Grid) -> tuple[int, ...]:
    """The lower ends of the revenue columns, in cents, as `grid` takes them."""
    return tuple(band.low for band in grid.revenue[1:])


def order_edges_of(grid: Grid) -> tuple[int, ...]:
    """The lower ends of the rows, as `grid` takes them."""
    return tuple(band.low for band in grid.orders)


def grid_view(grid: Grid, places: Sequence[Place], campaign: str | None) -> GridView:
    """Lay out a grid with some cells chosen. Raises Invalid for a cell outside."""
    steps = tint_steps([cell.rate.low for cell in grid.cells if cell.enough])
    names = tuple(f"{band.label} {'order' if band.label == '1' else 'orders'}" if place == 0 else band.label
                  for place, band in enumerate(grid.orders))
    width = len(grid.revenue)
    cells = [[_cell(grid, grid.cells[row * width + column], names[row], steps, places) for column in range(width)]
             for row in range(len(grid.orders))]
    words = shown = rest = warning = ""
    if places:
        found = selection(grid, places)
        words, warning = found.words, found.warning
        shown = rate(found.rate.estimate)
        rest = (f"({span(rate(found.rate.low), rate(found.rate.high))}), {count(found.redeemers)} of "
                f"{count(found.people)} people.")
        if found.others:
            rest += (f" Everybody else {rate(found.other_rate.estimate)} "
                     f"({span(rate(found.other_rate.low), rate(found.other_rate.high))}).")
    return GridView(names, tuple(band.label for band in grid.revenue), cells, edges_of(grid), order_edges_of(grid),
                    rate(grid.rate.estimate), grid.looked_at, len(grid.cells), tuple(places), words, shown, rest,
                    warning)


def _cell(grid: Grid, cell: Cell, row: str, steps: Sequence[float], places: Sequence[Place]) -> dict[str, Any]:
    if not cell.enough:
        people = f"{count(cell.people)} {'person' if cell.people == 1 else 'people'}"
        return {"few": "too few" if cell.people else "none", "n": people}
    low, high = (number(end * 100) for end in (cell.rate.low, cell.rate.high))
    return {
        "value": f"{cell.row}:{cell.column}", "name": f"{row}, {grid.revenue[cell.column].label}",
        "rate": rate(cell.rate.estimate), "range": f"{low} to {high}", "n": count(cell.people),
        "tint": tint(cell.rate.low, steps=steps), "chosen": (cell.row, cell.column) in places,
    }

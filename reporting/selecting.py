"""What do some cells of the grid say together, and which rule picks such people?

Owns the reading of a selection against everybody else and the way from cells to a rule of the rule language: one
rectangle of cells becomes an ordinary rule, anything else any of several rectangles. The promise: the rule says what
the cells said, and the sentence says how many cells were looked at before these were picked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Invalid
from core.statistics.estimates import Comparison, Interval, finite_or_none
from core.statistics.proportions import Count, compare_rates, rate
from reporting.responders import Grid, Place, rate_json
from reporting.wording import amount, number, people, percent, span

Rectangle = tuple[int, int, int, int]
"""First and last row, first and last column, all included."""


@dataclass(frozen=True)
class Selection:
    """Some cells together against everybody else. The p value is not shown: the cells were picked after looking."""

    places: tuple[Place, ...]
    people: int
    redeemers: int
    rate: Interval
    others: int
    other_rate: Interval
    difference: Comparison
    looked_at: int
    words: str
    sentence: str
    warning: str

    def to_dict(self) -> dict[str, Any]:
        """The selection as JSON."""
        return {
            "cells": [list(place) for place in self.places], "people": self.people, "redeemers": self.redeemers,
            **rate_json(self.rate), "others": self.others,
            "other_rate": finite_or_none(self.other_rate.estimate),
            "other_rate_low": finite_or_none(self.other_rate.low),
            "other_rate_high": finite_or_none(self.other_rate.high),
            "difference": finite_or_none(self.difference.estimate), "looked_at": self.looked_at,
            "words": self.words, "sentence": self.sentence, "warning": self.warning,
        }


def selection(grid: Grid, cells: Iterable[Place]) -> Selection:
    """These cells together against everybody else. Raises Invalid for no cells or one outside the grid."""
    places = _places(grid, cells)
    chosen = [grid.cell(place) for place in places]
    here = Count(sum(cell.redeemers for cell in chosen), sum(cell.people for cell in chosen))
    others = Count(grid.redeemers - here.hits, grid.people - here.n)
    inside, outside = rate(here), rate(others)
    words = " or ".join(_rectangle_words(grid, rectangle) for rectangle in _rectangles(places))
    words = words[:1].upper() + words[1:]
    told = f"{percent(inside.estimate)} {span(percent(inside.low), percent(inside.high))}" if here.n else "nobody"
    sentence = f"{words}: {told}, {number(here.hits)} of {people(here.n)}."
    if others.n:
        limits = span(percent(outside.low), percent(outside.high))
        sentence += f" Everybody else {percent(outside.estimate)} {limits}."
    warning = f"Picked after looking at {grid.looked_at} cells: the next campaign will test it on fresh people."
    return Selection(places, here.n, here.hits, inside, others.n, outside,
                     compare_rates(here, against=others), grid.looked_at, words, sentence, warning)


def rule_for(grid: Grid, cells: Iterable[Place]) -> dict[str, Any]:
    """The rule whose people fit these cells: one rectangle, or any of several. Raises Invalid as `selection` does."""
    rules = [_rectangle_rule(grid, rectangle) for rectangle in _rectangles(_places(grid, cells))]
    return rules[0] if len(rules) == 1 else {"any": rules}


def _places(grid: Grid, cells: Iterable[Place]) -> tuple[Place, ...]:
    places = tuple(sorted({(int(row), int(column)) for row, column in cells}))
    if not places:
        raise Invalid("Choose at least one cell.", place="cells")
    for place in places:
        grid.cell(place)
    return places


def _rectangles(places: Sequence[Place]) -> list[Rectangle]:
    """The cells as few disjoint rectangles: runs in each row, joined downwards where they are equally wide."""
    runs: list[Rectangle] = []
    for row in sorted({row for row, _column in places}):
        columns = sorted(column for at, column in places if at == row)
        start = previous = columns[0]
        for column in [*columns[1:], None]:
            if column is not None and column == previous + 1:
                previous = column
                continue
            above = next((run for run in runs if run[1:] == (row - 1, start, previous)), None)
            if above is not None:
                runs.remove(above)
            runs.append((above[0] if above else row, row, start, previous))
            if column is not None:
                start = previous = column
    return sorted(runs)


def _rectangle_rule(grid: Grid, rectangle: Rectangle) -> dict[str, Any]:
    _first, last, left, right = rectangle
    revenue: dict[str, Any] = {"orders": "revenue"}
    if grid.mixed_currencies:
        revenue["where"] = {"currency": [grid.currency]}
    return {"all": [
        *_limits({"orders": "count"}, _least_orders(grid, rectangle), grid.orders[last].high),
        *_limits(revenue, grid.revenue[left].low, grid.revenue[right].high),
    ]}


def _limits(condition: dict[str, Any], low: int, high: int | None) -> list[dict[str, Any]]:
    """At most two conditions for [low, high); a low of 0 says nothing."""
    found = []
    if low:
        found.append({**condition, "at_least": low})
    if high is not None:
        upper = {"at_most": high - 1} if condition["orders"] == "count" else {"less_than": high}
        found.append({**condition, **upper})
    return found


def _least_orders(grid: Grid, rectangle: Rectangle) -> int:
    """The lower end of the orders. Who never ordered may stand in no cell: revenue keeps them out where it has a lower
    end of its own, else the count has to."""
    first, _last, left, _right = rectangle
    return grid.orders[first].low if first > 0 or left == 0 else 0


def _rectangle_words(grid: Grid, rectangle: Rectangle) -> str:
    first, last, left, right = rectangle
    low, high = _least_orders(grid, rectangle), grid.orders[last].high
    if high is None:
        orders = f"{low} or more orders" if low else ""
    elif high - 1 == grid.orders[first].low:
        orders = f"{high - 1} {'order' if high == 2 else 'orders'}"
    else:
        orders = f"{low} to {high - 1} orders" if low else f"at most {high - 1} orders"
    start, end = grid.revenue[left].low if left else None, grid.revenue[right].high
    if start is None and end is None:
        money = ""
    elif end is None:
        money = f"{amount(start or 0, grid.currency)} or more"
    elif start is None:
        money = f"less than {amount(end, grid.currency)}"
    else:
        money = f"{amount(start, grid.currency)} to {amount(end, grid.currency)}"
    return " and ".join(part for part in (orders, money) if part) or "everybody"

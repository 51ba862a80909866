"""Who responded to campaigns so far, by how much they had ordered before?

Owns the grid of orders x revenue over past campaigns. The promises: what counts about a person is only what was known
when that campaign started, a cell with too few people says so, and the number of cells looked at is said. This is
response: whether a campaign caused it stands in that campaign's own report.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.statistics.estimates import Interval, finite_or_none
from core.statistics.proportions import Count, rate
from reporting.histories import Numbers, chosen_campaigns, profiles
from reporting.wording import amount

FEWEST_PEOPLE = 40
"""Below this many people a cell's rate is not shown."""

ORDER_EDGES = (1, 2, 3, 4, 7)
"""Lower ends of the rows: 1, 2, 3, 4 to 6, 7 or more. A row for 0 stands before them when somebody had none. Where most
people ordered more often than that, round numbers near the fifths take their place."""

REVENUE_BANDS = 5
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5, 10)

Place = tuple[int, int]
"""A cell by its row (orders) and column (revenue), from 0."""


@dataclass(frozen=True)
class Band:
    """A row or column: from `low` up to, but not including, `high` (None: no end). Orders or cents."""

    low: int
    high: int | None
    label: str


@dataclass(frozen=True)
class Cell:
    """People of one row and column; `rate` is shown only when `enough`."""

    row: int
    column: int
    people: int
    redeemers: int
    rate: Interval

    @property
    def enough(self) -> bool:
        """Whether there are people enough to show a rate."""
        return self.people >= FEWEST_PEOPLE


@dataclass(frozen=True)
class Grid:
    """Response by orders and revenue before the campaign. A person counts once per campaign."""

    campaigns: tuple[str, ...]
    currency: str
    mixed_currencies: bool
    orders: tuple[Band, ...]
    revenue: tuple[Band, ...]
    cells: tuple[Cell, ...]
    people: int
    redeemers: int
    rate: Interval

    def cell(self, place: Place) -> Cell:
        """The cell at a place. Raises Invalid when there is none."""
        row, column = place
        if not (0 <= row < len(self.orders) and 0 <= column < len(self.revenue)):
            raise Invalid(f"There is no cell in row {row}, column {column}.", place="cells")
        return self.cells[row * len(self.revenue) + column]

    @property
    def looked_at(self) -> int:
        """Cells with people enough to be looked at."""
        return sum(1 for cell in self.cells if cell.enough)

    def to_dict(self) -> dict[str, Any]:
        """The grid as JSON; the rate of a cell with too few people is null."""
        return {
            "campaigns": list(self.campaigns), "currency": self.currency,
            "mixed_currencies": self.mixed_currencies, "people": self.people,
            "redeemers": self.redeemers, **rate_json(self.rate), "looked_at": self.looked_at,
            "fewest_people": FEWEST_PEOPLE,
            "orders": [_band_json(band) for band in self.orders],
            "revenue": [_band_json(band) for band in self.revenue],
            "cells": [
                {"row": cell.row, "column": cell.column, "people": cell.people, "redeemers": cell.redeemers,
                 "enough": cell.enough, **rate_json(cell.rate if cell.enough else None)} for cell in self.cells
            ],
        }


def grid(
    session: Session, *, now: datetime, campaigns: Sequence[str] | None = None,
    order_edges: Sequence[int] | None = None, revenue_edges: Sequence[int] | None = None,
) -> Grid:
    """Response over these campaigns (None: all that are over) by orders and revenue before each one's start.

    `order_edges` are the lower ends of the rows, `revenue_edges` those in cents of the second column on. None: the
    usual rows, and round amounts near the fifths. Raises NotFound for an unknown campaign, Invalid for edges that do
    not rise from above 0.
    """
    chosen = chosen_campaigns(session, campaigns, now=now)
    before = profiles(session, chosen, now=now)
    ends = _order_edges(before.orders) if order_edges is None else order_edges
    rows = _order_bands(ends, any_without=bool((before.orders == 0).any()))
    edges = _round_edges(before.cents) if revenue_edges is None else list(revenue_edges)
    if any(low >= high for low, high in pairwise((0, *edges))):
        raise Invalid("The edges have to rise, from more than 0.", place="revenue_edges")
    columns = _revenue_bands(edges, before.currency)
    at_row = np.searchsorted([band.low for band in rows[1:]], before.orders, side="right")
    at_column = np.searchsorted([band.low for band in columns[1:]], before.cents, side="right")
    place = at_row * len(columns) + at_column
    size = len(rows) * len(columns)
    counts = np.bincount(place, minlength=size).tolist()
    hits = np.bincount(place[before.redeemed], minlength=size).tolist()
    cells = tuple(
        Cell(index // len(columns), index % len(columns), counts[index], hits[index],
             rate(Count(hits[index], counts[index]))) for index in range(size))
    total, redeemers = len(place), int(before.redeemed.sum())
    return Grid(tuple(campaign.key for campaign in chosen), before.currency, before.mixed, rows, columns, cells,
                total, redeemers, rate(Count(redeemers, total)))


def _order_edges(orders: Numbers) -> Sequence[int]:
    """The usual rows; in a shop where most people fall into the last of them, rows that tell them apart."""
    if not len(orders) or (orders >= ORDER_EDGES[-1]).mean() <= 0.5:
        return ORDER_EDGES
    parts = np.quantile(orders, [band / len(ORDER_EDGES) for band in range(1, len(ORDER_EDGES))])
    return sorted({1, *(_rounded(float(part)) for part in parts if part >= 1)})


def _order_bands(edges: Sequence[int], *, any_without: bool) -> tuple[Band, ...]:
    lows = [int(edge) for edge in edges]
    if not lows or any(low >= high for low, high in pairwise(lows)) or lows[0] < 0:
        raise Invalid("The edges have to rise, from 0 or more.", place="order_edges")
    if any_without and lows[0] > 0:
        lows.insert(0, 0)
    bands = []
    for low, high in zip(lows, [*lows[1:], None], strict=True):
        if high is None:
            label = f"{low} or more"
        elif high == low + 1:
            label = str(low)
        else:
            label = f"{low} to {high - 1}"
        bands.append(Band(low, high, label))
    return tuple(bands)


def _revenue_bands(edges: Sequence[int], currency: str) -> tuple[Band, ...]:
    """Columns from everything under the first edge to everything from the last on."""
    if not edges:
        return (Band(0, None, "any revenue"),)
    bands = [Band(0, edges[0], f"under {amount(edges[0], currency)}")]
    bands += [Band(low, high, f"{amount(low, currency)} to {amount(high, currency)}")
              for low, high in pairwise(edges)]
    return (*bands, Band(edges[-1], None, f"{amount(edges[-1], currency)} or more"))


def _round_edges(cents: Numbers) -> list[int]:
    """Round amounts near the fifths of what people had spent, rising, without repeats."""
    if not len(cents):
        return []
    parts = np.quantile(cents, [band / REVENUE_BANDS for band in range(1, REVENUE_BANDS)])
    return sorted({_rounded(float(part)) for part in parts if part > 0})


def _rounded(value: float) -> int:
    power = 10.0 ** math.floor(math.log10(value))
    return max(1, round(min(_ROUND, key=lambda factor: abs(factor * power - value)) * power))


def _band_json(band: Band) -> dict[str, Any]:
    return {"low": band.low, "high": band.high, "label": band.label}


def rate_json(interval: Interval | None) -> dict[str, float | None]:
    """A rate with its limits, null where undefined."""
    values = (None,) * 3 if interval is None else (interval.estimate, interval.low, interval.high)
    return dict(zip(("rate", "rate_low", "rate_high"), map(finite_or_none, values), strict=True))

"""Whom would a step that speaks to the best first reach, and by which channel, if everybody entered today?

Owns that part of the reach: the same ranking, budget and prices as at the drawing, over the people of the waterfall.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from campaigns.costs import Price
from delivery.policy import CHANNELS
from delivery.preference import choose_channels
from journeys.entry.allotting import best_first_steps, best_of, comes_to
from journeys.graphs.graph import BestFirst, Graph, Send

Reached = tuple[str, str | None]
"""The channel ("" for none), and the step at which somebody is among the best (None: at none)."""


def reached_first(
    connection: Connection, graph: Graph, journey_key: str, ids: Sequence[int], units: Sequence[str],
    held: Sequence[bool], *, ranking: Mapping[str, Any], prices: Mapping[str, Price], scale: float, now: datetime,
    secret_key: str,
) -> dict[int, Reached]:
    """Place among `ids` -> how who comes to such a step is reached; each of them stands for `scale` people."""
    found: dict[int, Reached] = {}
    for key, wanted in best_first_steps(graph).items():
        step = graph.steps[key]
        assert isinstance(step, Send)
        coming = [place for place in comes_to(graph, journey_key, units, key) if place not in found]
        part = BestFirst(wanted.channel, int(wanted.budget_cents / max(scale, 1.0)))
        best = set(best_of(connection, [ids[place] for place in coming if not held[place]], part, ranking,
                           prices[wanted.channel].part_of(scale), as_of=now, now=now, secret_key=secret_key))
        rest = [place for place in coming if ids[place] not in best]
        others = tuple(channel for channel in CHANNELS if channel != wanted.channel)
        choices = choose_channels(connection, [ids[place] for place in rest], wish=step.channel, allowed=others,
                                  now=now, secret_key=secret_key)
        found |= {place: (wanted.channel, key) for place in coming if ids[place] in best}
        found |= {place: (choice.channel or "", None) for place, choice in zip(rest, choices, strict=True)}
    return found

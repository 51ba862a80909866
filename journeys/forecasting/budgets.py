"""What do budgets for the best come to in a world of only some of the people?

Owns the shares of budgets and prices that belong to such a world, and the sentence that says whom a budget reaches.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from campaigns.costs import read_prices
from campaigns.house import ONLY
from campaigns.models import HouseRules
from delivery.policy import channel_words
from journeys.entry.allotting import best_first_steps, given_places
from journeys.graphs.graph import Graph


def share_prices(session: Session, scale: float) -> None:
    """Let set-up costs and volume tiers be those of the part of the people who are here."""
    rules = session.get(HouseRules, ONLY)
    if rules is not None:
        rules.prices = {name: price.part_of(scale).to_json() for name, price in read_prices(rules.prices).items()}


def with_shared_budgets(written: dict[str, Any], graph: Graph, scale: float) -> dict[str, Any]:
    """The journey's JSON with the share of each budget that belongs to this world."""
    steps = dict(written["steps"])
    for key, first in best_first_steps(graph).items():
        part = max(int(first.budget_cents / scale), 1)
        steps[key] = {**steps[key], "channel": {**steps[key]["channel"], "budget_cents": part}}
    return {**written, "steps": steps}


def budget_notes(session: Session, graph: Graph, journey_id: int, *, scale: float, currency: str) -> Iterator[str]:
    """One sentence per step that speaks to the best first."""
    for key, first in best_first_steps(graph).items():
        people = round(given_places(session.connection(), journey_id, key) * scale)
        money = f"{first.budget_cents / 100:,.2f} {currency}"
        yield (f"At “{key}” the budget of {money} pays for {channel_words(first.channel)}"
               f" to the best {people:,} people; the rest hear it by the next channel.")

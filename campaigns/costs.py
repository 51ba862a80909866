"""What does it cost to say something to so many people?

Owns the price of a channel: once per print run or mailing, then per piece, cheaper from a volume on. Pure: prices and
numbers in, cents out. A tier's price holds for all pieces of the run once the run is that large, as print shops quote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.problems import Problem
from delivery.policy import CHANNEL_COST_CENTS, CHANNELS

LARGEST_CENTS = 100_000_000
MOST_TIERS = 8


@dataclass(frozen=True)
class Tier:
    """From so many pieces on, each costs so many cents."""

    pieces: int
    unit_cents: int


@dataclass(frozen=True)
class Price:
    """The price of one channel; `tiers` rise by pieces."""

    unit_cents: int
    setup_cents: int = 0
    tiers: tuple[Tier, ...] = ()

    def unit_at(self, pieces: int) -> int:
        """What one piece costs in a run of this size."""
        found = self.unit_cents
        for tier in self.tiers:
            if pieces >= tier.pieces:
                found = tier.unit_cents
        return found

    def cents(self, pieces: int) -> int:
        """What a run of so many pieces costs; nothing when there is none."""
        return self.setup_cents + pieces * self.unit_at(pieces) if pieces else 0

    def affordable(self, budget_cents: int, most: int) -> int:
        """The most pieces, up to `most`, whose run costs no more than the budget. A larger run may be the cheaper one,
        so each tier is looked at for itself."""
        best, ends = 0, [*(tier.pieces - 1 for tier in self.tiers), most]
        for start, end in zip([1, *(tier.pieces for tier in self.tiers)], ends, strict=True):
            unit, left = self.unit_at(start), budget_cents - self.setup_cents
            pieces = min(end, most) if not unit else min(end, most, left // unit)
            if left >= 0 and pieces >= start:
                best = pieces
        return best

    def part_of(self, parts: float) -> "Price":
        """The price of one of so many equal parts of a run, so that all of them cost what the whole run costs."""
        if parts <= 1:
            return self
        return Price(self.unit_cents, round(self.setup_cents / parts),
                     tuple(Tier(max(round(tier.pieces / parts), 1), tier.unit_cents) for tier in self.tiers))

    def to_json(self) -> dict[str, Any]:
        """The price as it is stored."""
        return {"unit_cents": self.unit_cents, "setup_cents": self.setup_cents,
                "tiers": [[tier.pieces, tier.unit_cents] for tier in self.tiers]}


FIRST_PRICES: Mapping[str, Price] = {channel: Price(CHANNEL_COST_CENTS[channel]) for channel in CHANNELS}
"""What every house begins with."""


def read_prices(stored: Mapping[str, Any]) -> dict[str, Price]:
    """The prices of all channels, from how they were stored; channels that were never priced as at first."""
    found = dict(FIRST_PRICES)
    for channel, value in stored.items():
        found[channel] = Price(value["unit_cents"], value["setup_cents"],
                               tuple(Tier(pieces, unit) for pieces, unit in value["tiers"]))
    return found


def price_problems(channel: str, price: Price) -> list[Problem]:
    """Everything wrong with a price; empty when it can be stored."""
    found = [Problem(f"{channel}.{name}", "This is not an amount.", f"Use 0 to {LARGEST_CENTS // 100:,}.")
             for name, cents in (("unit", price.unit_cents), ("setup", price.setup_cents))
             if not 0 <= cents <= LARGEST_CENTS]
    if channel not in CHANNELS:
        found.append(Problem(channel, "There is no such channel.", f"Known are {', '.join(CHANNELS)}."))
    return found + _tier_problems(f"{channel}.tiers", price.tiers)


def _tier_problems(place: str, tiers: Sequence[Tier]) -> list[Problem]:
    sizes = [tier.pieces for tier in tiers]
    if len(tiers) > MOST_TIERS:
        return [Problem(place, f"There are {len(tiers)} tiers.", f"At most {MOST_TIERS} are possible.")]
    if any(size < 2 for size in sizes) or sizes != sorted(set(sizes)):
        return [Problem(place, "The tiers do not rise.", "Name each volume once, smallest first, from 2 pieces on.")]
    if any(not 0 <= tier.unit_cents <= LARGEST_CENTS for tier in tiers):
        return [Problem(place, "A tier's price is not an amount.", f"Use 0 to {LARGEST_CENTS // 100:,}.")]
    return []

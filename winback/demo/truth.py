"""What do the simulated customers really do, and what should a report find?

Owns the planted model: pure functions of a customer's number and facts, so that a run repeated after a crash meets the
same people. Each person would have ordered anyway or not; each person reached may redeem. Among redeemers, four in ten
would have ordered anyway; the other six in ten are the effect. People with at most three orders and 1,500 or more of
revenue respond twice as often. The second arm redeems more often with smaller baskets, so it earns less.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

DELIVERY_WEEKS = (2, 10)
RETURNED_SHARE = 0.15
ANYWAY_SHARE = 0.40
BEST_ORDERS, BEST_CENTS, BEST_FACTOR = 3, 150_000, 2.0


@dataclass(frozen=True)
class Truth:
    """The planted numbers of one data set; rates are per person reached, amounts in cents."""

    base_rate: float
    arm_rates: dict[str, float]
    basket_cents: dict[str, int]
    channel_factors: dict[str, float]
    anyway_share: float = ANYWAY_SHARE
    best_factor: float = BEST_FACTOR
    returned_share: float = RETURNED_SHARE
    second_try_rate: float = 0.06
    history_rate: float = 0.07

    def to_dict(self) -> dict[str, Any]:
        """For `out.json`, with the sentence that explains it."""
        return {
            **asdict(self),
            "best_responders": {"orders_at_most": BEST_ORDERS, "revenue_cents_at_least": BEST_CENTS},
            "explained": "arm_rates: chance to redeem of a person reached; base_rate: chance to order within the window"
            " without any message; anyway_share: share of redeemers who would have ordered without it, so the effect on"
            " the ordered rate is (1 - anyway_share) x the redemption rate.",
        }


CHANNELS = {"email": 0.9, "letter": 1.1, "phone": 1.0}
COMPLETE_JOURNEY = Truth(0.08, {"A": 0.16, "B": 0.20}, {"A": 4200, "B": 3400}, CHANNELS)
GENERATED = Truth(0.05, {"A": 0.085, "B": 0.105}, {"A": 48_000, "B": 26_000}, CHANNELS)


def respond_more(orders: Any, revenue_cents: Any) -> Any:
    """Whether these people belong to the group that responds most."""
    return (orders <= BEST_ORDERS) & (revenue_cents >= BEST_CENTS)


def uniform(ids: list[str], purpose: str) -> np.ndarray:
    """Numbers in [0, 1) that depend on the customer number and the purpose alone."""
    hashed = pd.util.hash_array(np.array([f"{number}/{purpose}" for number in ids], dtype=object))
    draws: np.ndarray = (hashed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return draws


@dataclass(frozen=True)
class Behaviour:
    """One simulated person: what they would do without a message, and with one."""

    orders_anyway: bool
    anyway_day: float
    redeems: bool
    response_delay: timedelta
    basket_cents: int
    tries_twice: bool
    delivery_days: int
    returns: bool


def behave(truth: Truth, ids: list[str], *, arm: str | None, channel: str | None, best: list[bool],
           rate: float | None = None, wave: str = "first") -> list[Behaviour]:
    """How each person behaves when reached with this arm over this channel (None: not reached)."""
    anyway = uniform(ids, f"{wave} anyway") < truth.base_rate
    target = (rate if rate is not None else truth.arm_rates.get(arm or "", 0.0)) * truth.channel_factors.get(
        channel or "", 0.0)
    wanted = np.minimum(target * np.where(best, truth.best_factor, 1.0), 0.9)
    # Split the wanted rate so that `anyway_share` of redeemers come from those who would have ordered anyway.
    among_anyway = np.minimum(truth.anyway_share * wanted / truth.base_rate, 1.0)
    among_others = np.minimum((wanted - among_anyway * truth.base_rate) / (1 - truth.base_rate), 1.0)
    redeems = uniform(ids, f"{wave} redeem") < np.where(anyway, among_anyway, among_others)
    if channel is None:
        redeems &= False
    spread = np.exp((uniform(ids, f"{wave} basket") - 0.5) * 1.2)
    delay = 0.3 + 12 * uniform(ids, f"{wave} delay") ** 1.6
    low, high = DELIVERY_WEEKS
    days = low * 7 + uniform(ids, "delivery") * (high - low) * 7
    basket = truth.basket_cents.get(arm or "", truth.basket_cents["A"])
    return [
        Behaviour(bool(a), float(d), bool(r), timedelta(days=float(w)), int(basket * s), bool(t < 0.05), int(y),
                  bool(u < truth.returned_share))
        for a, d, r, w, s, t, y, u in zip(
            anyway, uniform(ids, f"{wave} day"), redeems, delay, spread, uniform(ids, f"{wave} twice"), days,
            uniform(ids, "returns"), strict=True)
    ]

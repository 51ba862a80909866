"""How likely is it that somebody orders by themselves, or redeems a code that reaches them?

Owns the stated model of a forecast: two rates per person, each a logistic curve over how long ago, how often and for
how much the person has ordered, or one rate for everybody. It is fitted elsewhere, on history, and handed in with the
covariance of its coefficients, from which the draws come that say how uncertain it is. Pure but for reading features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from core.arrays import in_ids
from customers.models import Order

Numbers = np.ndarray[Any, np.dtype[np.float64]]
DAY_US = 86_400_000_000
NEVER_DAYS = 3_650.0
"""Who never ordered stands as if the last order were ten years ago."""
DRAWS = 200
AT_ONCE = 20_000
DRAWN_AT_ONCE = 2_000


@dataclass(frozen=True)
class Curve:
    """A rate per person over `days` days (None: over the whole campaign). `coefficients` has one value for everybody,
    or four: a constant and those of the features. `words` say where it comes from."""

    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    days: float | None
    words: str

    def rates(self, features: Numbers, *, over_days: float | None = None) -> Numbers:
        """The rate of each row of `features`, stretched from the curve's own days to `over_days`."""
        return self._stretched(_logistic(self._columns(features) @ np.array(self.coefficients)), over_days)

    def expected(self, features: Numbers, weights: Numbers, *, over_days: float | None, seed: int) -> Numbers:
        """How many of these people would, in each of DRAWS draws of the coefficients, chance included."""
        chance = np.random.default_rng(seed)
        drawn = chance.multivariate_normal(np.array(self.coefficients), np.array(self.covariance), DRAWS,
                                           method="eigh")
        mean, variance = np.zeros(DRAWS), np.zeros(DRAWS)
        for start in range(0, len(features), DRAWN_AT_ONCE):  # every person has a rate in each draw: hundreds of MB
            part = slice(start, start + DRAWN_AT_ONCE)
            rates = self._stretched(_logistic(self._columns(features[part]) @ drawn.T), over_days)
            rates *= weights[part, None]
            mean += rates.sum(axis=0)
            variance += (rates * (1 - rates)).sum(axis=0)
        counts: Numbers = np.maximum(chance.normal(mean, np.sqrt(variance)), 0.0)
        return counts

    def _columns(self, features: Numbers) -> Numbers:
        return features[:, :len(self.coefficients)]

    def _stretched(self, rates: Numbers, over_days: float | None) -> Numbers:
        if self.days is None or over_days is None or over_days == self.days:
            return rates
        stretched: Numbers = 1 - (1 - np.minimum(rates, 1 - 1e-9)) ** (over_days / self.days)
        return stretched


@dataclass(frozen=True)
class Response:
    """What people are supposed to do. None: nobody has said, and history does not tell; `missing` are the sentences
    that ask for it. `delay_days` is the mean time from arrival to redeeming, `baskets` what orders are worth in cents,
    `reached` the share of calls that find somebody."""

    ordering: Curve | None
    redeeming: Curve | None
    delay_days: float = 4.0
    baskets: tuple[int, ...] = ()
    reached: float = 0.6
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def flat(rate: float, *, days: float | None, words: str, of: int | None = None) -> Curve:
    """The same rate for everybody; seen among `of` people, None: somebody said so, and it is taken as certain."""
    inside = min(max(rate, 1e-6), 1 - 1e-6)
    # Half a person on either side, so that nobody among many is not taken for anything at all.
    seen = inside if of is None else (inside * of + 0.5) / (of + 1)
    variance = 0.0 if of is None else 1 / (of * seen * (1 - seen))
    return Curve((math.log(inside / (1 - inside)),), ((variance,),), days, words)


def features_of(connection: Connection, people: Sequence[int], *, before_us: int) -> Numbers:
    """Per person a row: 1, and the logarithms of days since the last order, of the orders, and of their value in
    whole units, each plus one. Only what was ordered before counts."""
    found = np.zeros((len(people), 4))
    found[:, 0], found[:, 1] = 1.0, NEVER_DAYS
    places = {customer_id: place for place, customer_id in enumerate(people)}
    at = type_coerce(Order.ordered_at, BigInteger)
    for start in range(0, len(people), AT_ONCE):
        for customer_id, last_us, orders, cents in connection.execute(
                select(Order.customer_id, func.max(at), func.count(), func.sum(Order.total_cents))
                .where(in_ids(Order.customer_id, people[start:start + AT_ONCE]), at < before_us,
                       Order.cancelled.is_(False)).group_by(Order.customer_id)).all():
            days = max((before_us - int(last_us)) / DAY_US, 0.0)
            found[places[customer_id], 1:] = days, float(orders), max(float(cents or 0), 0.0) / 100
    found[:, 1:] = np.log1p(found[:, 1:])
    return found


def _logistic(values: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-np.clip(values, -40, 40)))
    return result

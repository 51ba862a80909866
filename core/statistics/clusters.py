"""How do two groups compare when whole organisations were drawn, not people?

Owns the way from sums per organisation (or household) to the same `Moments` and `Count` that people give, so that every
comparison of means and rates, fixed or always valid, works on them unchanged. The promises: the estimate is still per
person, the uncertainty is that of what was drawn, because people under one roof answer alike; clusters of one person
give the very figures of people; and no interval is narrower than if people had been drawn one by one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.statistics.means import ROUNDING, Moments
from core.statistics.proportions import Count

CONFIDENCE = 0.95
"""The level at which the few degrees of freedom of few clusters are made up for."""


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Sums over the clusters of one arm, each with `size` people who together have the amount (or the hits) `total`.

    `clusters` counts them; `size_squares`, `products` and `total_squares` are the sums of size², size x total and
    total².
    """

    clusters: int
    size: float
    total: float
    size_squares: float
    products: float
    total_squares: float

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]]) -> "ClusterSums":
        """From (people, amount) of each cluster."""
        rows = list(pairs)
        return cls(
            len(rows),
            sum(size for size, _ in rows),
            sum(total for _, total in rows),
            sum(size * size for size, _ in rows),
            sum(size * total for size, total in rows),
            sum(total * total for _, total in rows),
        )

    @property
    def of_one(self) -> bool:
        """Whether every cluster is one person."""
        return self.size == self.clusters == self.size_squares

    @property
    def largest_effect(self) -> float:
        """The design effect if everybody in a cluster did the same: the mean size of the cluster of a person."""
        return self.size_squares / self.size if self.size else math.nan


def moments_of_clusters(sums: ClusterSums) -> Moments:
    """Amount per person with its cluster-robust variance, as moments of `clusters` independent units.

    The ratio estimator with Taylor linearisation (Cochran 1977, section 6.4): squared error = G/(G-1) x
    sum of (total - ratio x size)² / people². Equals the cluster-robust regression on an arm dummy up to its G/(G-1).
    The mean is nan when nobody is there, the variance below two clusters.
    """
    if not (sums.clusters and sums.size > 0):
        return Moments(sums.clusters, math.nan, math.nan)
    if sums.of_one:
        return Moments.from_sums(sums.clusters, sums.total, sums.total_squares)
    ratio = sums.total / sums.size
    if sums.clusters < 2:
        return Moments(sums.clusters, ratio, math.nan)
    squares = sums.total_squares - 2 * ratio * sums.products + ratio * ratio * sums.size_squares
    if squares <= ROUNDING * sums.total_squares:
        squares = 0.0
    mean_size = sums.size / sums.clusters
    return Moments(sums.clusters, ratio, squares / (sums.clusters - 1) / mean_size**2)


def count_of_clusters(sums: ClusterSums) -> Count:
    """Hits among people drawn in clusters, with the design effect that rates are compared with."""
    hits, people = round(sums.total), round(sums.size)
    if sums.of_one:
        return Count(hits, people)
    return Count(hits, people, design_effect_of_rate(sums), sums.clusters)


def design_effect_of_rate(sums: ClusterSums) -> float:
    """How many times the squared error of a rate is that of as many people drawn one by one; at least 1.

    The cluster-robust variance over the binomial one, and, because few clusters know their own spread badly, over the
    square of Student's quantiles (Korn and Graubard 1998). With no hits, only hits or a single cluster nothing shows
    how alike people answer: then they are taken to answer as one. nan when nobody is there.
    """
    if sums.of_one:
        return 1.0
    if not sums.size:
        return math.nan
    if not 0 < sums.total < sums.size or sums.clusters < 2:
        return max(1.0, sums.largest_effect)
    from scipy.special import stdtrit

    rate = sums.total / sums.size
    alone = rate * (1 - rate) / (sums.size - 1)
    few, many = (float(stdtrit(freedom, (1 - CONFIDENCE) / 2)) for freedom in (sums.clusters - 1, sums.size - 1))
    return max(1.0, moments_of_clusters(sums).squared_error / alone * (few / many) ** 2)

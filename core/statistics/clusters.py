"""How do two groups compare when whole households were drawn, not people?

Owns the way from household sums to the same `Moments` that people give, so that every comparison of means, fixed or
always valid, works on households unchanged. The promise: the estimate is still per person, the uncertainty is that of
the households, because people under one roof answer alike.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.statistics.means import ROUNDING, Moments


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


def moments_of_clusters(sums: ClusterSums) -> Moments:
    """Amount per person with its cluster-robust variance, as moments of `clusters` independent units.

    The ratio estimator with Taylor linearisation (Cochran 1977, section 6.4): squared error = G/(G-1) x
    sum of (total - ratio x size)² / people². Equals the cluster-robust regression on an arm dummy up to its G/(G-1).
    The mean is nan when nobody is there, the variance below two clusters.
    """
    if not (sums.clusters and sums.size > 0):
        return Moments(sums.clusters, math.nan, math.nan)
    ratio = sums.total / sums.size
    if sums.clusters < 2:
        return Moments(sums.clusters, ratio, math.nan)
    squares = sums.total_squares - 2 * ratio * sums.products + ratio * ratio * sums.size_squares
    if squares <= ROUNDING * sums.total_squares:
        squares = 0.0
    mean_size = sums.size / sums.clusters
    return Moments(sums.clusters, ratio, squares / (sums.clusters - 1) / mean_size**2)

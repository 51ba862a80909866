"""Of what does one group of a campaign consist, in numbers?

Owns the sums over one arm, the people left alone or a channel, and what they are compared by: counts and moments of
people, or, where organisations were drawn, of organisations.
"""

from dataclasses import dataclass

from core.statistics.clusters import ClusterSums, count_of_clusters, moments_of_clusters
from core.statistics.means import Moments
from core.statistics.proportions import Count

Group = tuple[bool, str]
"""Held out, and the name of the arm."""


@dataclass(frozen=True)
class Clusters:
    """Sums over the units of one group: whether people redeemed, whether they ordered, what they kept and earned us."""

    redeemed: ClusterSums
    ordered: ClusterSums
    kept: ClusterSums
    earned: ClusterSums


@dataclass(frozen=True)
class Heads:
    """People of one group: all, written to, and redeemers with what they redeemed."""

    people: int = 0
    sent: int = 0
    redeemers: int = 0
    redemptions: int = 0
    redeemed_cents: int = 0
    discount_cents: int = 0
    ordered: int = 0
    clusters: Clusters | None = None
    """Where organisations were drawn: how their people answer alike."""

    @property
    def redeemed_of_all(self) -> Count:
        """Redeemers among all."""
        return Count(self.redeemers, self.people) if self.clusters is None else count_of_clusters(
            self.clusters.redeemed)

    @property
    def ordered_of_all(self) -> Count:
        """People who ordered among all."""
        return Count(self.ordered, self.people) if self.clusters is None else count_of_clusters(self.clusters.ordered)


@dataclass(frozen=True)
class Sums:
    """Money of one group over all its `people` (who bought nothing counts as 0), in cents of the report's currency.

    `net`: after discount and returns; `kept`: net less what the messages cost; `earned`: contribution (net without VAT,
    less the goods' cost) less the messages. The `_squares` are sums over people of the square.
    """

    people: int = 0
    orders: int = 0
    revenue: int = 0
    net: float = 0.0
    contribution: float = 0.0
    message_cost: int = 0
    kept: float = 0.0
    kept_squares: float = 0.0
    earned: float = 0.0
    earned_squares: float = 0.0
    lines_cents: int = 0
    known_cents: int = 0
    lines: int = 0
    returned_lines: int = 0
    delivered_lines: int = 0
    clusters: Clusters | None = None

    def moments(self, measure: str) -> Moments:
        """`contribution` or `net_revenue` per person, after what messages cost."""
        earned = measure == "contribution"
        if self.clusters is not None:
            return moments_of_clusters(self.clusters.earned if earned else self.clusters.kept)
        if earned:
            return Moments.from_sums(self.people, self.earned, self.earned_squares)
        return Moments.from_sums(self.people, self.kept, self.kept_squares)

"""What came of each arm, so far?

Owns the one count that decisions between arms rest on: per arm the people, who redeemed, and what each earned us,
within some days of their drawing. Never opens, which machines make. The promise: everybody drawn counts, who did
nothing as 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, Subquery, and_, case, exists, func, not_, select, type_coerce

from core.statistics.means import Moments
from core.statistics.proportions import Count
from core.types import from_us
from coupons.models import Redemption
from segments.compiling.amounts import margin_cents, margin_unknown
from segments.compiling.sources import LINES
from segments.dialects.instants import Fixed

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Came:
    """What came of the people of one arm. `unknown`: lines whose cost or VAT rate nobody reported."""

    people: int
    redeemers: int
    orderers: int = 0
    margin: int = 0
    margin_squares: int = 0
    unknown: int = 0

    @property
    def count(self) -> Count:
        """Redeemers among people."""
        return Count(self.redeemers, self.people)

    @property
    def moments(self) -> Moments:
        """Margin per person, in cents."""
        return Moments.from_sums(self.people, self.margin, self.margin_squares)


def outcomes(
    connection: Connection, drawn: Subquery, *, campaign: str, by: str, days: int, now_us: int
) -> Mapping[str, Came]:
    """Arm -> what came of it by `now_us`; `drawn` has arm, customer_id and since_us, a row per person."""
    since, until = drawn.c.since_us, drawn.c.since_us + days * DAY_US
    redeemed_us = type_coerce(Redemption.redeemed_at, BigInteger)
    hit = exists().where(Redemption.customer_id == drawn.c.customer_id, Redemption.campaign == campaign,
                         Redemption.state == "redeemed", redeemed_us >= since, redeemed_us < until,
                         redeemed_us <= now_us)
    counted = connection.execute(
        select(drawn.c.arm, func.count(), func.sum(case((hit, 1), else_=0))).group_by(drawn.c.arm))
    found = {row[0]: Came(int(row[1]), int(row[2] or 0)) for row in counted}
    if by == "redemptions":
        return found
    cuts = Fixed(from_us(now_us))
    ordered_us = type_coerce(LINES.c.ordered_at, BigInteger)
    earned = (
        select(drawn.c.arm, drawn.c.customer_id, func.sum(margin_cents(cuts)).label("margin"),
               func.sum(case((margin_unknown(cuts), 1), else_=0)).label("unknown"))
        .join_from(drawn, LINES, and_(LINES.c.customer_id == drawn.c.customer_id, not_(LINES.c.cancelled),
                                      ordered_us >= since, ordered_us < until, ordered_us <= now_us))
        .group_by(drawn.c.arm, drawn.c.customer_id).subquery("earned"))
    for arm, orderers, margin, squares, unknown in connection.execute(
            select(earned.c.arm, func.count(), func.sum(earned.c.margin), func.sum(earned.c.margin * earned.c.margin),
                   func.sum(earned.c.unknown)).group_by(earned.c.arm)):
        before = found[arm]
        found[arm] = Came(before.people, before.redeemers, int(orderers), int(margin or 0), int(squares or 0),
                          int(unknown or 0))
    return found

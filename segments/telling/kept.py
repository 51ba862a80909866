"""What was left of the money that these people spent, after returns, discount, VAT and cost?

Owns the sums over whole histories that a person's page and the evidence beside a name tell. Read from the row store, by
the same SQL that rules about `net_revenue` and `margin` use, so that both say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, case, func, not_, select
from sqlalchemy.orm import Session

from core.types import to_us
from segments.compiling.amounts import bought_milli, margin_cents, margin_unknown, net_cents, returned_milli
from segments.compiling.sources import LINES
from segments.dialects.instants import Fixed
from segments.dialects.portable import InLongList, NumberList


@dataclass(frozen=True)
class Kept:
    """One person's lines in one currency, cents; `margin_cents` is None where a VAT rate or a cost is not known.

    `returned_share` is the part of the quantity that came back, 0..1; None where nothing was bought.
    """

    customer_id: int
    currency: str
    net_cents: int
    margin_cents: int | None
    returned_share: float | None


def kept_money(session: Session, customer_ids: Sequence[int], *, as_of: datetime) -> list[Kept]:
    """By person and currency what they ordered before `as_of` came to; who ordered nothing has no row."""
    cuts, ids = Fixed(as_of), [int(customer_id) for customer_id in customer_ids]
    rows = session.execute(
        select(LINES.c.customer_id, LINES.c.currency, func.sum(net_cents(cuts)), func.sum(margin_cents(cuts)),
               func.count(case((margin_unknown(cuts), 1))), func.sum(returned_milli(cuts)), func.sum(bought_milli()))
        .where(InLongList(LINES.c.customer_id, bindparam(None, ids, type_=NumberList(), unique=True)),
               not_(LINES.c.cancelled), LINES.c.ordered_at < to_us(as_of))
        .group_by(LINES.c.customer_id, LINES.c.currency).order_by(LINES.c.customer_id, LINES.c.currency))
    return [Kept(customer_id, currency, int(net), None if unknown else int(margin),
                 int(returned) / int(bought) if bought else None)
            for customer_id, currency, net, margin, unknown, returned, bought in rows]

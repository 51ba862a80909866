"""Which order of a person is the first, the third, the last?

Owns the ranking of orders in time: equal times go by id, cancelled orders have no place, and nothing later than `as_of`
is seen. Only the histories of `people` are ranked, so that a question about few people stays cheap; on the mirror the
first and the last orders are known in advance.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, not_, select, union_all

from segments.compiling.sources import ORDERS
from segments.compiling.summed import SUMS
from segments.dialects.instants import Cuts, instant


def nth_orders(nth: int, cuts: Cuts, people: Sequence[Select[Any]]) -> Select[int]:
    """The ids of everybody's `nth` order (-1: the last), of those who are in each of the selects `people`."""
    orders = ORDERS.alias()
    keys: tuple[ColumnElement[Any], ...] = (orders.c.ordered_at, orders.c.id)
    place = func.row_number().over(partition_by=orders.c.customer_id,
                                   order_by=keys if nth > 0 else tuple(key.desc() for key in keys))
    ranked = select(orders.c.id, place.label("place")).where(
        not_(orders.c.cancelled), orders.c.ordered_at < instant(cuts, lambda as_of: as_of),
        *(orders.c.customer_id.in_(some) for some in people)).correlate(None).subquery()
    return select(ranked.c.id).where(ranked.c.place == abs(nth)).correlate(None)


def edge_orders(nth: int, cuts: Cuts, people: Sequence[Select[Any]]) -> Select[int] | CompoundSelect[Any]:
    """The same for the first (1) and the last (-1) order, on the mirror: only who ordered later too is ranked."""
    as_of = instant(cuts, lambda as_of: as_of)
    begun = (SUMS.c.any_currency, SUMS.c.first_at < as_of)
    if nth == 1:
        return select(SUMS.c.first_id).where(*begun).correlate(None)
    settled = select(SUMS.c.last_id).where(SUMS.c.any_currency, SUMS.c.last_at < as_of).correlate(None)
    others = select(SUMS.c.customer_id).where(*begun, SUMS.c.last_at >= as_of).correlate(None)
    return union_all(settled, nth_orders(nth, cuts, [*people, others]))

"""Which order of a person is the first, the third, the last?

Owns the ranking of orders in time: equal times go by id, cancelled orders have no place, and nothing later than `as_of`
is seen. Only the histories of `people` are ranked, so that a question about few people stays cheap.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, not_, select

from segments.compiling.sources import ORDERS
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

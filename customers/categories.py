"""Which categories has anybody ever bought from?

Owns the list for pickers. It jumps from one category to the next along the index, so its cost grows with the number of
categories, not of order lines.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from customers.models import OrderLine

MOST_CATEGORIES = 500


def list_categories(session: Session, *, limit: int = MOST_CATEGORIES) -> list[str]:
    """The first `limit` categories of order lines, in the order of their names."""
    found = select(func.min(OrderLine.category).label("name")).cte("found", recursive=True)
    following = (
        select(func.min(OrderLine.category)).where(OrderLine.category > found.c.name).correlate(found).scalar_subquery()
    )
    found = found.union_all(select(following).where(found.c.name.is_not(None)))
    rows = session.scalars(select(found.c.name).where(found.c.name.is_not(None), found.c.name != "").limit(limit))
    return sorted(name for name in rows if name is not None)

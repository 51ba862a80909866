"""Do codes travel further than they were sent?

Owns what the leak watch reads in this room: redemptions with something odd about them that nobody has looked at, and
codes that were tried in many baskets. Nothing is stopped by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, union_all, update
from sqlalchemy.orm import Session

from coupons.codes.showing import read_by_people
from coupons.models import Code, Offer, Redemption, Refusal
from customers.models import Customer
from customers.people import display_name

WATCHED = timedelta(days=7)
BASKETS = 5
"""In so many orders within the watched days a personal code is tried too often."""

_UNSEEN = (Redemption.flags != "", Redemption.flags_seen_at.is_(None))


@dataclass(frozen=True)
class Flagged:
    """One redemption with its flags; `redeemer` is a customer number, `code` as people read it."""

    redemption: Redemption
    offer: str | None
    offer_key: str | None
    redeemer: str | None
    name: str | None
    code: str


@dataclass(frozen=True)
class Travelling:
    """One code that was tried in many baskets; `display` is how people read it."""

    code: str
    display: str
    offer: str
    offer_key: str
    campaign: str | None
    holder: str | None
    state: str
    baskets: int
    last_at: datetime
    batch_id: int | None


def flagged(session: Session, *, limit: int = 50) -> list[Flagged]:
    """Redemptions with flags that nobody has looked at, newest first."""
    rows = session.execute(
        select(Redemption, Offer.name, Offer.key, Customer, Code.code, Code.written)
        .outerjoin(Offer, Offer.id == Redemption.offer_id).outerjoin(Code, Code.id == Redemption.code_id)
        .outerjoin(Customer, Customer.id == func.coalesce(Redemption.redeemer_id, Redemption.customer_id))
        .where(*_UNSEEN).order_by(Redemption.id.desc()).limit(limit))
    return [Flagged(row[0], row[1], row[2], row[3].external_id if row[3] else None,
                    display_name(row[3]) if row[3] else None,
                    read_by_people(row[4], row[5]) or row[0].code_text) for row in rows]


def count_flagged(session: Session) -> int:
    """How many redemptions with flags nobody has looked at."""
    return session.scalar(select(func.count()).select_from(Redemption).where(*_UNSEEN)) or 0


def look_at_flags(session: Session, *, now: datetime, public_id: str | None = None) -> int:
    """Note that somebody has looked at one redemption's flags, or at all; returns how many."""
    statement = update(Redemption).where(*_UNSEEN)
    if public_id is not None:
        statement = statement.where(Redemption.public_id == public_id)
    return len(session.execute(statement.values(flags_seen_at=now).returning(Redemption.id)).all())


def travelling(session: Session, *, now: datetime, baskets: int = BASKETS, limit: int = 50) -> list[Travelling]:
    """Personal codes tried in at least so many orders within the watched days, most first."""
    since = now - WATCHED
    tries = union_all(
        select(Refusal.code_id, Refusal.shop, Refusal.order_ref, Refusal.at)
        .where(Refusal.at >= since, Refusal.code_id.is_not(None), Refusal.order_ref.is_not(None)),
        select(Redemption.code_id, Redemption.shop, Redemption.order_ref, Redemption.redeemed_at)
        .where(Redemption.redeemed_at >= since, Redemption.code_id.is_not(None), Redemption.order_ref.is_not(None)),
    ).subquery()
    once = select(tries.c.code_id, tries.c.shop, tries.c.order_ref, func.max(tries.c.at).label("at")).group_by(
        tries.c.code_id, tries.c.shop, tries.c.order_ref).subquery()
    many = select(once.c.code_id, func.count().label("baskets"), func.max(once.c.at).label("last_at")).group_by(
        once.c.code_id).having(func.count() >= baskets).subquery()
    rows = session.execute(
        select(Code.code, Offer.name, Offer.key, Code.campaign, Customer.external_id, Code.state, many.c.baskets,
               many.c.last_at, Code.batch_id, Code.written)
        .join(many, many.c.code_id == Code.id).join(Offer, Offer.id == Code.offer_id)
        .outerjoin(Customer, Customer.id == Code.customer_id)
        .where(Code.use_limit < baskets).order_by(many.c.baskets.desc(), Code.id).limit(limit))
    return [Travelling(row[0], read_by_people(row[0], row[9]) or row[0], *row[1:9]) for row in rows]

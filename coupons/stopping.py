"""How is a leak closed at once?

Owns withdrawing one code, the codes of one campaign or pool, or everything of an offer. The promise: what was redeemed
stays; from the commit on no till accepts what was stopped; a code with uses left is withdrawn even if it was used.
"""

from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, select, update

from core.bulk import chunks
from core.codes import canonical
from core.database import Database
from core.errors import NotFound
from coupons.models import Batch, Code, Offer
from coupons.states import withdraw

PART = 10_000
"""Codes per transaction: on SQLite others wait meanwhile."""


def stop_code(database: Database, text: str, *, reason: str, now: datetime) -> int:
    """Withdraw one code; 0 when nothing of it was left. Raises NotFound."""
    with database.reading() as session:
        code_id = session.scalar(select(Code.id).where(Code.code == canonical(text)))
    if code_id is None:
        raise NotFound("There is no such code. Check it for typing mistakes.")
    return _withdraw(database, Code.id == code_id, reason, now)


def stop_campaign(database: Database, campaign: str, *, reason: str, now: datetime) -> int:
    """Withdraw all codes that were given out in one campaign and have uses left."""
    return _withdraw(database, Code.campaign == campaign, reason, now)


def stop_batch(database: Database, batch_id: int, *, reason: str, now: datetime) -> int:
    """Withdraw all codes of one pool or poster. Raises NotFound."""
    with database.reading() as session:
        if session.get(Batch, batch_id) is None:
            raise NotFound("There is no such batch of codes.")
    return _withdraw(database, Code.batch_id == batch_id, reason, now)


def stop_offer(database: Database, key: str, *, reason: str, now: datetime) -> int:
    """Switch an offer off, so that no more codes are given, and withdraw those that are out. Raises NotFound."""
    with database.writing() as session:
        offer_id = session.scalar(select(Offer.id).where(Offer.key == key))
        if offer_id is None:
            raise NotFound("There is no such offer.")
        session.execute(update(Offer).where(Offer.id == offer_id).values(active=False, updated_at=now))
    return _withdraw(database, Code.offer_id == offer_id, reason, now)


def _withdraw(database: Database, which: ColumnElement[bool], reason: str, now: datetime) -> int:
    with database.reading() as session:
        ids = list(session.scalars(
            select(Code.id).where(which, Code.state.in_(("stock", "issued"))).order_by(Code.id)))
    done = 0
    for part in chunks(ids, PART):
        done += database.small(partial(withdraw, ids=list(part), reason=reason, now=now))
    return done

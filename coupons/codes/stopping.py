"""How is a leak closed at once, and how is a false alarm undone?

Owns stopping one code, the codes of one campaign or batch, or everything of an offer, counting beforehand what would
stop, and letting exactly those codes go again. The promise: what was redeemed stays; from the commit on no till accepts
what was stopped; a code with uses left is withdrawn even if it was used; a release gives back what one stop took, never
what was withdrawn for another reason.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy.orm import Session

from core.arrays import in_texts
from core.bulk import chunks
from core.codes import LONGEST, canonical, grouped
from core.database import Database
from core.errors import Invalid, NotFound
from core.types import MICROSECOND
from coupons.locking import in_turn
from coupons.models import Batch, Code, Offer
from coupons.states import give_back, withdraw

PART = 10_000
"""Codes per transaction: on SQLite others wait meanwhile."""
KINDS = ("code", "campaign", "batch", "offer")
LONGEST_REASON = 90


@dataclass(frozen=True)
class Target:
    """What a stop is about: `which` is a code, a campaign's key, a batch's number or an offer's key."""

    kind: str
    which: str


@dataclass(frozen=True)
class Reach:
    """What would stop. `given` codes can be used today, `stock` lie in a pool, `expired` could only be renewed.

    `issues`: the offer hands out codes, which ends, too.
    """

    name: str
    given: int
    stock: int
    expired: int
    issues: bool = False

    @property
    def live(self) -> int:
        """Codes that work today or could be handed out."""
        return self.given + self.stock


def reach(session: Session, target: Target, *, now: datetime) -> Reach:
    """What a stop would take, to be said before it is done. Raises NotFound, Invalid for an unknown kind."""
    name, issues = _named(session, target)
    over = Code.valid_until.is_not(None) & (Code.valid_until <= now)
    is_out = Code.state == "issued"
    kinds = {"given": is_out & ~over, "stock": Code.state == "stock", "expired": is_out & over}
    # One pass that adds up: to group them, SQLite would first sort every code in memory.
    sums = session.execute(
        select(*(func.coalesce(func.sum(case((which, 1), else_=0)), 0).label(kind) for kind, which in kinds.items()))
        .where(_codes_of(session, target), Code.state.in_(("stock", "issued")))).one()
    return Reach(name, **{kind: int(number) for kind, number in sums._mapping.items()}, issues=issues)


def stop(database: Database, target: Target, *, reason: str, now: datetime) -> int:
    """Withdraw what the target names and has uses left; an offer is switched off first. Returns how many codes.

    `reason` stands with each code. Raises NotFound, Invalid.
    """
    with database.reading() as session:
        _named(session, target)
        which = _codes_of(session, target)
    if target.kind == "offer":
        _switch(database, target.which, active=False, now=now)
    return _in_parts(database, which & Code.state.in_(("stock", "issued")),
                     partial(withdraw, reason=reason[:LONGEST_REASON], now=now))


def withdrawn(connection: Connection, codes: Collection[str]) -> set[str]:
    """Those of these stored codes that no till accepts any more, whatever withdrew them."""
    if not codes:
        return set()
    return set(connection.scalars(
        select(Code.code).where(in_texts(Code.code, sorted(set(codes))), Code.state == "revoked")))


def release(
    database: Database, target: Target, *, reason: str, stopped_at: datetime, switch_on: bool, now: datetime
) -> int:
    """Let go what the stop at `stopped_at` for this reason took; returns how many codes work again or lie in stock.

    `switch_on`: the offer was handing out codes before, and does again. Raises NotFound, Invalid.
    """
    with database.reading() as session:
        _named(session, target)
        which = _codes_of(session, target)
    if target.kind == "offer" and switch_on:
        _switch(database, target.which, active=True, now=now)
    taken = (Code.state == "revoked") & (Code.revoked_at == stopped_at) & (
        Code.revoked_reason == reason[:LONGEST_REASON])
    return _in_parts(database, which & taken, partial(give_back, stopped_at=stopped_at))


def _named(session: Session, target: Target) -> tuple[str, bool]:
    """How people call the target, and whether it hands out codes. Raises NotFound, Invalid."""
    if target.kind == "code":
        code = canonical(target.which)
        if len(code) > LONGEST or session.scalar(select(Code.id).where(Code.code == code)) is None:
            raise NotFound("There is no such code. Check it for typing mistakes.")
        return grouped(code), False
    if target.kind == "batch":
        batch = session.get(Batch, int(target.which)) if _is_number(target.which) else None
        if batch is None:
            raise NotFound("There is no such batch of codes.")
        return batch.name, False
    if target.kind == "offer":
        offer = session.scalar(select(Offer).where(Offer.key == target.which))
        if offer is None:
            raise NotFound("There is no such offer.")
        return offer.name, offer.active
    if target.kind == "campaign":
        return target.which, False
    raise Invalid("Stop a code, a campaign's codes, a batch or an offer.", place="what")


def _codes_of(session: Session, target: Target) -> ColumnElement[bool]:
    if target.kind == "code":
        return Code.code == canonical(target.which)
    if target.kind == "batch":
        return Code.batch_id == int(target.which)
    if target.kind == "campaign":
        return Code.campaign == target.which
    return Code.offer_id == session.scalar(select(Offer.id).where(Offer.key == target.which))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


def _switch(database: Database, key: str, *, active: bool, now: datetime) -> None:
    with database.writing() as session:
        offer = session.scalars(select(Offer).where(Offer.key == key)).one()
        offer.active, offer.updated_at = active, max(now, offer.updated_at + MICROSECOND)


def _in_parts(database: Database, which: ColumnElement[bool], act: "partial[int]") -> int:
    with database.reading() as session:
        ids = list(session.scalars(select(Code.id).where(which).order_by(Code.id)))
    return sum(in_turn(database, partial(act, ids=list(part))) for part in chunks(ids, PART))

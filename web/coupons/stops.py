"""Which stops were made, by whom, and which were undone?

Owns stops as the audit trail keeps them: the entry is written before the first code is withdrawn, so that a stop that
breaks off can be seen and released all the same. A stop is known by the number of its entry.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Database
from core.errors import Conflict, NotFound
from coupons.codes import stopping
from coupons.codes.stopping import Target
from web.models import AuditEntry, User
from web.security.audit import record

STOPPED, RELEASED = "codes.stopped", "codes.released"
SHOWN_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Stop:
    """One stop; `released_at` None: it holds."""

    id: int
    at: datetime
    target: Target
    name: str
    codes: int
    reason: str
    by: str | None
    was_issuing: bool
    released_at: datetime | None


def make_stop(database: Database, target: Target, *, why: str, now: datetime) -> tuple[int, int]:
    """Stop the target's codes; returns the stop's number and how many codes it withdrew. Raises NotFound, Invalid."""
    reason = f"stopped: {why}"[:stopping.LONGEST_REASON]
    with database.writing() as session:
        found = stopping.reach(session, target, now=now)
        entry = record(session, STOPPED, f"{target.kind}:{target.which}"[:200], now=now, what=target.kind,
                       which=target.which, name=found.name, codes=found.live + found.expired, reason=reason,
                       issued=found.issues)
        number = entry.id
    return number, stopping.stop(database, target, reason=reason, now=now)


def undo_stop(database: Database, number: int, *, now: datetime) -> tuple[Stop, int]:
    """Let go what a stop took; returns it and how many codes work again. Raises NotFound, Conflict the second time."""
    with database.writing() as session:
        found = next((stop for stop in _stops(session, AuditEntry.id == number)), None)
        if found is None:
            raise NotFound("There is no such stop.")
        if found.released_at is not None:
            raise Conflict("This stop was released already.")
        record(session, RELEASED, f"{found.target.kind}:{found.target.which}"[:200], now=now, stop=found.id)
    codes = stopping.release(database, found.target, reason=found.reason, stopped_at=found.at,
                             switch_on=found.was_issuing, now=now)
    return found, codes


def list_stops(session: Session, *, now: datetime, limit: int = 20) -> list[Stop]:
    """The newest stops of the past days, newest first."""
    return _stops(session, AuditEntry.at >= now - SHOWN_FOR, limit=limit)


def stops_of(session: Session, targets: list[Target]) -> list[Stop]:
    """The stops that were about these, newest first: what could have withdrawn one code."""
    things = [f"{target.kind}:{target.which}"[:200] for target in targets]
    return _stops(session, AuditEntry.thing.in_(things), limit=50)


def _stops(session: Session, *which: Any, limit: int = 1) -> list[Stop]:
    rows = session.execute(
        select(AuditEntry, User.name).outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.verb == STOPPED, *which).order_by(AuditEntry.id.desc()).limit(limit)).all()
    undone = _undone(session, [entry.id for entry, _name in rows], since=min((row[0].at for row in rows), default=None))
    return [
        Stop(entry.id, entry.at, Target(entry.detail["what"], entry.detail["which"]), entry.detail["name"],
             entry.detail["codes"], entry.detail["reason"], by, entry.detail["issued"], undone.get(entry.id))
        for entry, by in rows if "which" in entry.detail]


def _undone(session: Session, numbers: list[int], *, since: datetime | None) -> dict[int, datetime]:
    if since is None:
        return {}
    rows = session.execute(select(AuditEntry.detail, AuditEntry.at).where(
        AuditEntry.verb == RELEASED, AuditEntry.at >= since))
    return {detail["stop"]: at for detail, at in rows if detail.get("stop") in numbers}

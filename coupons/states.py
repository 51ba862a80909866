"""Which states may a code and a redemption be in, and which moves are allowed?

Owns the tables of moves and `move()` for codes, the one place that writes a code's state outside the two counting
statements of redeeming. The promise: every move names the state it may leave, so a race has one winner. `expired` is
never stored: it is what an issued code is from the instant its validity ends.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, String, and_, case, cast, or_, select, update

from core.arrays import in_ids
from coupons.models import Batch, Code

CODE_MOVES: dict[str, tuple[str, ...]] = {
    "stock": ("issued", "revoked"),  # a code of a pool, handed out or withdrawn unseen
    "issued": ("redeemed", "revoked", "stock"),  # back to its pool: the message that carried it never went
    "redeemed": ("issued",),  # a full rollback gives the use back
    "revoked": ("issued", "stock"),  # a stop that was undone; nothing else leads back
}
REDEMPTION_MOVES: dict[str, tuple[str, ...]] = {"redeemed": ("rolled_back",), "rolled_back": ()}
RESERVATION_MOVES: dict[str, tuple[str, ...]] = {
    "held": ("spent", "released", "lapsed"), "spent": (), "released": (), "lapsed": (),
}
SHOWN_STATES = ("stock", "issued", "redeemed", "revoked", "expired")
"""What a code is shown as; a filter takes the same words."""


def move(connection: Connection, ids: Sequence[int], to: str, *, reason: str, now: datetime) -> int:
    """Move unused codes from `issued` to `to` (only `revoked` is moved in bulk); returns how many were moved.

    Raises ValueError for a move that the table does not allow.
    """
    if to not in CODE_MOVES["issued"] or to == "redeemed":
        raise ValueError(f"codes are not moved to {to} in bulk")
    statement = (
        update(Code)
        .where(in_ids(Code.id, ids), Code.state == "issued", Code.used == 0)
        .values(state=to, revoked_at=now, revoked_reason=reason[:100])
    )
    return connection.execute(statement).rowcount


def withdraw(connection: Connection, ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """Move codes with uses left, in stock or issued and whether or not they were used, to `revoked`; how many."""
    return connection.execute(
        update(Code).where(in_ids(Code.id, ids), Code.state.in_(("stock", "issued")))
        .values(state="revoked", revoked_at=now, revoked_reason=reason[:100])).rowcount


def give_back(connection: Connection, ids: Sequence[int], *, stopped_at: datetime) -> int:
    """Move codes that a stop withdrew at that instant back: to stock if they lay there, else to `issued`; how many.

    A code that nobody was given still has its batch as its origin; one that was given has what it was given for.
    """
    lay_in_stock = and_(
        Code.customer_id.is_(None),
        Code.batch_id.in_(select(Batch.id).where(Batch.kind != "public")),
        Code.origin == "batch:" + cast(Code.batch_id, String))
    return connection.execute(
        update(Code).where(in_ids(Code.id, ids), Code.state == "revoked", Code.revoked_at == stopped_at)
        .values(state=case((lay_in_stock, "stock"), else_="issued"), revoked_at=None, revoked_reason=None)
        .execution_options(synchronize_session=False)).rowcount


def shown_state(state: str, valid_until: datetime | None, *, now: datetime) -> str:
    """The state people see: an issued code whose validity has ended is `expired`; the end is exclusive."""
    return "expired" if state == "issued" and valid_until is not None and valid_until <= now else state


def shown_as(state: str, *, now: datetime) -> ColumnElement[bool]:
    """The condition that a code is shown in this state at `now`."""
    if state == "expired":
        return and_(Code.state == "issued", Code.valid_until <= now)
    if state == "issued":
        return and_(Code.state == "issued", or_(Code.valid_until.is_(None), Code.valid_until > now))
    return Code.state == state

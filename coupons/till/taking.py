"""How is one use taken from the code, the customer and the offer, and how is it given back?

Owns the conditional UPDATEs that limits are decided on. The promise: each names the limit in its own condition and its
row count is checked; used and reserved together never pass it. They run in the order code, customer, periods, offer and
budget (hottest last); when a later one refuses, the earlier ones are undone under the row locks that this transaction
holds. A use may take the place of a reservation: each counter moves from one to the other in one statement. Customer,
period and offer rows are counted on only while there is such a limit; the caller holds the offer's row, so that cannot
change meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Update, and_, bindparam, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.hot import Hot
from core.types import to_us
from coupons.models import Code, LimitUse, Offer
from coupons.offers.limits import LimitRow
from coupons.refusals import Refused


@dataclass(frozen=True)
class Use:
    """One use of a code: of which offer, on which limit rows it counts, what it costs the budget (0: foreign money)."""

    code_id: int
    offer_id: int
    who: str | None
    rows: tuple[LimitRow, ...]
    offer_is_limited: bool
    cents: int


@dataclass(frozen=True)
class Hold:
    """A live reservation that a use takes the place of, with what it holds."""

    reservation_id: int
    reserved_at: datetime
    use: Use


@dataclass(frozen=True)
class _Change:
    """By how much the counters of one row move."""

    uses: int
    holds: int
    cents: int
    held_cents: int

    def values(self, sign: int = 1) -> dict[str, int]:
        return {"uses": sign * self.uses, "holds": sign * self.holds, "cents": sign * self.cents,
                "held_cents": sign * self.held_cents}


def _number(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


_NAMES = ("code_id", "uses", "holds", "good_at", "at")


def take_code(**given: Any) -> Update:
    """The UPDATE that takes uses of a code, or holds them, while its own row allows it.

    Its values are bound by `code_id, uses, holds, good_at, at`, but for those given as expressions.
    """
    code_id, uses, holds, good_at, at = (given.get(name, _number(name)) for name in _NAMES)
    uses_up = Code.used + uses >= Code.use_limit
    return (
        update(Code)
        .where(
            Code.id == code_id, Code.state == "issued",
            Code.used + Code.reserved + uses + holds <= Code.use_limit,
            or_(good_at.is_(None), and_(
                Code.valid_from <= good_at, or_(Code.valid_until.is_(None), Code.valid_until > good_at))),
        )
        .values(
            used=Code.used + uses,
            reserved=Code.reserved + holds,
            state=case((uses_up, "redeemed"), else_="issued"),
            redeemed_at=case((uses_up, at), else_=Code.redeemed_at),
        )
    )


_TAKE_CODE = Hot(take_code())
_GIVE_CODE_BACK = Hot(
    update(Code)
    .where(Code.id == bindparam("code_id"), Code.used + _number("uses") >= 0, Code.reserved + _number("holds") >= 0)
    .values(
        used=Code.used + _number("uses"),
        reserved=Code.reserved + _number("holds"),
        state=case((and_(Code.state == "redeemed", Code.used + _number("uses") < Code.use_limit), "issued"),
                   else_=Code.state),
        redeemed_at=case((Code.used + _number("uses") < Code.use_limit, None), else_=Code.redeemed_at),
    )
)
# No lock on the key: whoever wrote a row that refers to the code and took it back still holds its key.
_LOCK_CODE = Hot(select(Code.id).where(Code.id == bindparam("code_id")).with_for_update(key_share=True))


def row_has_room(most: ColumnElement[int], most_cents: ColumnElement[int], **given: Any) -> ColumnElement[bool]:
    """Whether the row of a limit allows the change, for a limit of `most` uses and `most_cents` of money (or NULL).

    The change is bound by `uses, holds, cents, held_cents`, but for what is given as an expression.
    """
    uses, holds, cents, held = (given.get(name, _number(name)) for name in ("uses", "holds", "cents", "held_cents"))
    return and_(
        or_(most.is_(None), LimitUse.used + LimitUse.reserved + uses + holds <= most),
        or_(most_cents.is_(None), LimitUse.spent_cents + LimitUse.reserved_cents + cents + held <= most_cents),
    )


_ROOM = row_has_room(_number("most"), _number("most_cents"))
_THE_ROW = and_(LimitUse.offer_id == bindparam("offer"), LimitUse.who == bindparam("who"),
                LimitUse.period == bindparam("period"))
MOVED_ROW = {
    "used": LimitUse.used + _number("uses"), "reserved": LimitUse.reserved + _number("holds"),
    "spent_cents": LimitUse.spent_cents + _number("cents"),
    "reserved_cents": LimitUse.reserved_cents + _number("held_cents"),
}


def _take_row(insert: Any) -> Any:
    return (
        insert(LimitUse)
        .from_select(
            ["offer_id", "who", "period", "used", "reserved", "spent_cents", "reserved_cents"],
            select(_number("offer"), bindparam("who", type_=LimitUse.who.type),
                   bindparam("period", type_=LimitUse.period.type), _number("uses"), _number("holds"),
                   _number("cents"), _number("held_cents"))
            .where(or_(_number("most_cents").is_(None),
                       _number("cents") + _number("held_cents") <= _number("most_cents"))),
        )
        .on_conflict_do_update(
            index_elements=["offer_id", "who", "period"],
            set_=MOVED_ROW,
            where=_ROOM,
        )
    )


_TAKE_ROW = Hot({"sqlite": _take_row(sqlite.insert), "postgresql": _take_row(postgresql.insert)})
# What is reserved has its row; an insert that would be turned into an update may not name what is below nothing.
_MOVE_ROW = Hot(update(LimitUse).where(_THE_ROW, _ROOM).values(MOVED_ROW))
_GIVE_ROW_BACK = Hot(update(LimitUse).where(_THE_ROW).values(MOVED_ROW))
_ROW_IS_FULL = Hot(select(LimitUse.used + LimitUse.reserved).where(_THE_ROW))
MOVED_OFFER = {
    "used": Offer.used + _number("uses"), "reserved": Offer.reserved + _number("holds"),
    "spent_cents": Offer.spent_cents + _number("cents"),
    "reserved_cents": Offer.reserved_cents + _number("held_cents"),
}
OFFER_HAS_ROOM = and_(
    or_(Offer.limit_total.is_(None),
        Offer.used + Offer.reserved + _number("uses") + _number("holds") <= Offer.limit_total),
    or_(Offer.budget_cents.is_(None),
        Offer.spent_cents + Offer.reserved_cents + _number("cents") + _number("held_cents") <= Offer.budget_cents),
)
"""Whether the offer's own row allows the change."""
TAKE_OFFER = Hot(
    update(Offer)
    .where(
        Offer.id == bindparam("offer"),
        OFFER_HAS_ROOM,
    )
    .values(MOVED_OFFER)
)
_OFFER_USES = Hot(select(Offer.used + Offer.reserved, Offer.limit_total).where(Offer.id == bindparam("offer")))
_GIVE_OFFER_BACK = Hot(update(Offer).where(Offer.id == bindparam("offer")).values(MOVED_OFFER))


def take(connection: Connection, use: Use, *, now: datetime, hold: Hold | None = None,
         reserve: bool = False, as_fact: bool = False) -> bool | Refused:
    """Take one use, or hold one for a basket; False when the code's own row does not allow it any more.

    Refused when another limit is reached. `hold` is a live reservation whose place the new one takes; its code was
    good when it was reserved, so redeeming asks for that instant. `as_fact`: it has happened, so the code's validity
    is not asked; limits are.
    """
    change = _change(use.cents, hold, reserve=reserve)
    good_at = None if as_fact else to_us(now if hold is None or reserve else hold.reserved_at)
    if _TAKE_CODE.count(connection, {"code_id": use.code_id, "at": to_us(now), "good_at": good_at,
                                     "uses": change.uses, "holds": change.holds}) != 1:
        return False
    done: list[tuple[LimitRow, _Change]] = []
    for row, moved in _rows(use, hold, reserve=reserve):
        if not _take_one(connection, use, row, moved):
            refused = Refused(_why_row(connection, use, row, moved))
            _undo(connection, use, change, done)
            return refused
        done.append((row, moved))
    if use.offer_is_limited and TAKE_OFFER.count(connection, {"offer": use.offer_id, **change.values()}) != 1:
        refused = Refused(_why_offer(connection, use, change))
        _undo(connection, use, change, done)
        return refused
    return True


def give_back(connection: Connection, use: Use, *, whole: bool, reserved: bool = False) -> None:
    """Give `use.cents` back to the budgets and, if `whole`, the use itself (or, if `reserved`, what was held).

    In the order in which it was taken.
    """
    count = int(whole)
    change = _Change(0, count, 0, use.cents) if reserved else _Change(count, 0, use.cents, 0)
    if whole:
        _give_code_back(connection, use, change)
    for row in use.rows:
        _give_row_back(connection, use, row, change)
    if use.offer_is_limited:
        _GIVE_OFFER_BACK.count(connection, {"offer": use.offer_id, **change.values(-1)})


def lock_code(connection: Connection, code_id: int) -> None:
    """Hold the code's row, so that what is read next stays true."""
    _LOCK_CODE.rows(connection, {"code_id": code_id})


def _change(cents: int, hold: Hold | None, *, reserve: bool) -> _Change:
    before = 0 if hold is None else 1
    held = 0 if hold is None else hold.use.cents
    if reserve:
        return _Change(0, 1 - before, 0, cents - held)
    return _Change(1, -before, cents, -held)


def _rows(use: Use, hold: Hold | None, *, reserve: bool) -> Sequence[tuple[LimitRow, _Change]]:
    """The limit rows to move, in the one order of locks; rows that only the reservation counted on are given back."""
    if hold is None:
        change = _change(use.cents, None, reserve=reserve)
        return [(row, change) for row in use.rows]
    before = {row.place: row for row in hold.use.rows}
    wanted = {row.place: row for row in use.rows}
    moves = []
    for place in sorted(before.keys() | wanted.keys()):
        if place not in wanted:
            row = LimitRow(before[place].who, before[place].period, None, None)
            moves.append((row, _Change(0, -1, 0, -hold.use.cents)))
        else:
            moves.append((wanted[place], _change(use.cents, hold if place in before else None, reserve=reserve)))
    return moves


def _take_one(connection: Connection, use: Use, row: LimitRow, change: _Change) -> bool:
    if change.uses + change.holds < 0:
        _give_row_back(connection, use, row, _Change(-change.uses, -change.holds, -change.cents, -change.held_cents))
        return True
    statement = _MOVE_ROW if change.holds < 0 or change.held_cents < 0 else _TAKE_ROW
    return statement.count(connection, _row_values(use, row, change)) == 1


def _row_values(use: Use, row: LimitRow, change: _Change) -> dict[str, Any]:
    return {"offer": use.offer_id, "who": row.who, "period": row.period, "most": row.uses, "most_cents": row.cents,
            **change.values()}


def _why_row(connection: Connection, use: Use, row: LimitRow, change: _Change) -> str:
    full = _ROW_IS_FULL.row(connection, {"offer": use.offer_id, "who": row.who, "period": row.period})
    taken = full[0] if full is not None else 0
    return "limit_reached" if row.uses is not None and taken + change.uses + change.holds > row.uses \
        else "budget_exhausted"


def _why_offer(connection: Connection, use: Use, change: _Change) -> str:
    found = _OFFER_USES.row(connection, {"offer": use.offer_id})
    taken, limit = found if found is not None else (0, None)
    return "limit_reached" if limit is not None and taken + change.uses + change.holds > limit else "budget_exhausted"


def _undo(connection: Connection, use: Use, change: _Change, done: Sequence[tuple[LimitRow, _Change]]) -> None:
    _give_code_back(connection, use, change)
    for row, moved in done:
        _give_row_back(connection, use, row, moved)


def _give_code_back(connection: Connection, use: Use, change: _Change) -> None:
    _GIVE_CODE_BACK.count(connection, {"code_id": use.code_id, "uses": -change.uses, "holds": -change.holds})


def _give_row_back(connection: Connection, use: Use, row: LimitRow, change: _Change) -> None:
    _GIVE_ROW_BACK.count(connection, {
        "offer": use.offer_id, "who": row.who, "period": row.period, **change.values(-1)})

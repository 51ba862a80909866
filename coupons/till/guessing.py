"""How many unknown codes has one caller named within the last minute, whatever process answered?

Owns the counts per caller and minute. Only unknown codes are written down, so that ordinary traffic writes nothing; a
count is an upsert of one row. Callers are kept as hashes, and minutes that are over are deleted every few minutes.
"""

import hashlib

from sqlalchemy import Connection, Integer, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from core.hot import Hot
from coupons.models import Guess

_SWEEP_MINUTES = 10


def _note(insert: object) -> Hot:
    made = insert(Guess).values(  # type: ignore[operator]
        caller=bindparam("caller"), minute=bindparam("minute"), unknown=1)
    return Hot(made.on_conflict_do_update(index_elements=["caller", "minute"], set_={"unknown": Guess.unknown + 1}))


_NOTE = {"sqlite": _note(sqlite.insert), "postgresql": _note(postgresql.insert)}
_AT_FAULT = Hot(
    select(Guess.caller).where(Guess.minute >= bindparam("since")).group_by(Guess.caller)
    .having(func.sum(Guess.unknown) >= bindparam("most", type_=Integer())))
_FORGET = delete(Guess).where(Guess.minute < bindparam("before"))


def caller_hash(caller: str) -> str:
    """A caller as it is kept."""
    return hashlib.sha256(caller.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def note_guess(connection: Connection, caller: str, *, minute: int) -> None:
    """Count one unknown code; `minute` is the number of the minute since 1970."""
    _NOTE[connection.dialect.name].count(connection, {"caller": caller_hash(caller), "minute": minute})
    if minute % _SWEEP_MINUTES == 0:
        connection.execute(_FORGET, {"before": minute - _SWEEP_MINUTES})


def callers_at_fault(connection: Connection, *, since: int, most: int) -> frozenset[str]:
    """Hashes of the callers who named `most` unknown codes or more in the minutes from `since` on."""
    return frozenset(row[0] for row in _AT_FAULT.rows(connection, {"since": since, "most": most}))

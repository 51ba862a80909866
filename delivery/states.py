"""Which ways may a message go through the ledger?

Owns the one table of allowed moves and the one verb that makes them. Each move is a single UPDATE that names the states
it may leave, so a row that somebody else moved meanwhile is left alone and the row count says so. `docs/states.md` is
tested against this table.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, update

from core.arrays import in_ids
from delivery.models import Message

MOVES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"claimed", "suppressed", "expired", "cancelled"}),
    "claimed": frozenset({"queued", "handed_over", "failed", "suppressed", "expired", "cancelled"}),
    "handed_over": frozenset({"sent", "failed", "queued", "uncertain", "suppressed", "expired", "cancelled"}),
    "uncertain": frozenset({"sent", "failed"}),
    "sent": frozenset(),
    "failed": frozenset(),
    "suppressed": frozenset(),
    "withheld": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
}
"""State -> the states a message may go to from there. The outside can never be asked twice: nothing leaves `uncertain`
or an end state for `queued`."""

FIRST = frozenset({"queued", "withheld", "suppressed"})
"""States in which a row may enter the ledger."""

SETTLED = frozenset({"sent", "failed", "uncertain", "suppressed", "withheld", "expired", "cancelled"})
"""States that carry `settled_at`: nothing more happens by itself."""

SENTENCES: Mapping[str, str] = {
    "queued": "waits until it is due",
    "claimed": "a worker has it and has checked consent again; nothing has left the house",
    "handed_over": "committed just before the outside gets it; a phone message: a task lies on the call desk",
    "sent": "the outside took it; a letter: posted; a call: the person was reached",
    "failed": "it did not arrive and will not be tried again by itself",
    "uncertain": "the worker ended while the outside had it; shown, never repeated by itself",
    "suppressed": "not sent: the law, the person or a missing address forbids it",
    "withheld": "not sent: the person is left alone for comparison",
    "expired": "not sent: it became due too late",
    "cancelled": "not sent: the person left the journey, or the campaign was stopped",
}
"""What each state means, for pages and documents."""

_STAMP = {"claimed": "claimed_at", "handed_over": "handed_over_at", "sent": "sent_at"}


def move(
    connection: Connection, ids: Iterable[int], to: str, *, from_: str | tuple[str, ...], now: datetime,
    of_worker: int | None = None, **stamps: Any,
) -> int:
    """Move those of `ids` that stand in one of `from_` (and, if given, belong to `of_worker`); returns how many moved.

    `stamps` are further column values. Raises ValueError for a move that is not in MOVES.
    """
    return len(moved(connection, ids, to, from_=from_, now=now, of_worker=of_worker, **stamps))


def moved(
    connection: Connection, ids: Iterable[int], to: str, *, from_: str | tuple[str, ...], now: datetime,
    of_worker: int | None = None, **stamps: Any,
) -> list[int]:
    """Like `move`, but returns the ids that really moved, in rising order."""
    chosen = list(ids)
    leaving = (from_,) if isinstance(from_, str) else tuple(from_)
    for state in leaving:
        if to not in MOVES[state]:
            raise ValueError(f"a message cannot go from {state} to {to}")
    if not chosen:
        return []
    statement = (
        update(Message)
        .where(in_ids(Message.id, chosen), or_(*(Message.state == state for state in leaving)))
        .values(**_values(to, now), **stamps)
        .returning(Message.id)
    )
    if of_worker is not None:
        statement = statement.where(Message.worker == of_worker)
    return sorted(connection.execute(statement).scalars().all())


def accepted_at_once(connection: Connection, ids: Iterable[int], *, channel: str, now: datetime, **stamps: Any) -> int:
    """Take claimed messages of one channel by way of `handed_over` to `sent` in one statement; returns how many.

    Only for a world where nothing is handed to anybody: in earnest the step between has to be committed by itself.
    """
    return connection.execute(
        update(Message)
        .where(in_ids(Message.id, list(ids)), Message.state == "claimed", Message.channel == channel)
        .values(**_values("handed_over", now) | _values("sent", now) | stamps, attempt=Message.attempt + 1)
    ).rowcount


def _values(to: str, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"state": to}
    if to in _STAMP:
        values[_STAMP[to]] = now
    if to in SETTLED:
        values["settled_at"] = now
    if to == "queued":
        # Back in the queue nobody holds it, and no stamp of the failed try may look like a success.
        values |= {"worker": None, "claimed_at": None, "handed_over_at": None, "released_at": None}
    return values

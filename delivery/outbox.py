"""How do decisions to speak, or to stay silent, enter the ledger, and how are they taken back?

Owns putting rows in (whole batches at once), cancelling what has not left the house, and telling the floors above what
has settled. The promise: one row per (occasion, customer). Asked again for the same occasion, the row that is there is
left alone and its id returned; so a caller that runs twice sends nothing twice.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select, update
from sqlalchemy.exc import IntegrityError

from core.arrays import in_ids
from core.bulk import bulk_insert, reserve_ids
from core.cursors import noted_at_once, read_changes
from core.types import to_us
from delivery.hook_outbox import cancel_calls
from delivery.models import CallTask, Message
from delivery.states import FIRST, SETTLED, moved

_MESSAGES: Table = Message.__table__  # type: ignore[assignment]
_RANDOM_BYTES = 12


@dataclass
class MessageColumns:
    """Rows for the ledger, column by column and equally long; what is left out is empty for every row.

    `state` is queued, withheld (left alone for comparison) or suppressed (with `reason`). A suppressed or withheld row
    needs no channel and no revision. `due_at` defaults to the instant of queueing.
    """

    occasion: Sequence[str]
    customer_id: Sequence[int]
    origin: Sequence[str]
    state: Sequence[str]
    queued_at: datetime
    channel: Sequence[str | None] | None = None
    revision_id: Sequence[int | None] | None = None
    enrolment_ref: Sequence[int | None] | None = None
    campaign: Sequence[str | None] | None = None
    arm: Sequence[str | None] | None = None
    step: Sequence[str | None] | None = None
    code: Sequence[str | None] | None = None
    reason: Sequence[str | None] | None = None
    quiet: Sequence[str | None] | None = None
    values: Sequence[Mapping[str, Any]] | None = None
    due_at: Sequence[datetime] | None = None
    expires_at: Sequence[datetime | None] | None = None
    message_class: str = field(default="marketing")

    def __len__(self) -> int:
        return len(self.occasion)


def queue(
    connection: Connection, columns: MessageColumns, *, random_bytes: Callable[[int], bytes] = os.urandom
) -> list[int]:
    """Put rows into the ledger; returns their ids in the same order, old ids for occasions that are there already."""
    wanted = list(zip(columns.occasion, columns.customer_id, strict=True))
    wrong = set(columns.state) - FIRST
    if wrong:
        raise ValueError(f"a message cannot enter the ledger as {wrong.pop()}")
    known = _existing(connection, columns.customer_id)
    ids = _insert_missing(connection, columns, wanted, known, random_bytes)
    if ids is None:
        # Another transaction put one of these occasions in meanwhile: it is committed now, so it is found.
        known = _existing(connection, columns.customer_id)
        ids = _insert_missing(connection, columns, wanted, known, random_bytes)
    if ids is None:
        raise RuntimeError("these occasions are being queued by two transactions again and again")
    return ids


def _existing(connection: Connection, customer_ids: Sequence[int]) -> dict[tuple[str, int], int]:
    rows = connection.execute(
        select(Message.occasion, Message.customer_id, Message.id).where(in_ids(Message.customer_id, customer_ids))
    )
    return {(row[0], row[1]): row[2] for row in rows}


def _insert_missing(
    connection: Connection, columns: MessageColumns, wanted: list[tuple[str, int]],
    known: dict[tuple[str, int], int], random_bytes: Callable[[int], bytes],
) -> list[int] | None:
    """Insert what is not known; None when an occasion appeared meanwhile (nothing is inserted then)."""
    # Mostly none is there and nobody is named twice: then the columns go in as they are.
    first: dict[tuple[str, int], int] = {} if known else dict(zip(wanted, range(len(wanted)), strict=True))
    if len(first) < len(wanted):
        first = {}
        for place, key in enumerate(wanted):
            if key not in known:
                first.setdefault(key, place)
    fresh = reserve_ids(connection, _MESSAGES, len(first))
    if first:
        # On SQLite we hold the write lock, so no occasion can appear meanwhile; and a savepoint around many rows whose
        # triggers each open one of their own would copy every touched page once per row.
        sqlite = connection.dialect.name == "sqlite"
        try:
            with noted_at_once(connection, "messages", fresh) if sqlite else connection.begin_nested():
                bulk_insert(connection, _MESSAGES, _driver_columns(columns, list(first.values()), fresh, random_bytes))
        except Exception as error:
            if not sqlite and _is_taken(error):
                return None
            raise
    if len(fresh) == len(wanted):
        return fresh
    ids = known | dict(zip(first, fresh, strict=True))
    return [ids[key] for key in wanted]


def _is_taken(error: Exception) -> bool:
    """Whether this is the unique constraint speaking; the bulk verbs raise the driver's own errors."""
    return isinstance(error, IntegrityError) or type(error).__name__ in ("UniqueViolation", "IntegrityError")


def _driver_columns(
    columns: MessageColumns, places: list[int], ids: list[int], random_bytes: Callable[[int], bytes]
) -> dict[str, Sequence[Any]]:
    count = len(places)
    queued_us = to_us(columns.queued_at)
    all_of_them = count == len(columns)  # in their order: nobody is named twice

    def picked(values: Sequence[Any] | None, empty: Any = None) -> Sequence[Any]:
        if values is None:
            return [empty] * count
        return values if all_of_them else [values[place] for place in places]

    def instants(values: Sequence[datetime | None] | None, empty: int | None) -> list[int | None]:
        if values is None:
            return [empty] * count
        return [None if value is None else to_us(value) for value in picked(values)]

    noise, digits = random_bytes(_RANDOM_BYTES * count).hex(), 2 * _RANDOM_BYTES
    second = f"{queued_us // 1_000_000 & 0xFFFF_FFFF:08x}"
    states = picked(columns.state)
    names = ("occasion", "customer_id", "origin", "channel", "revision_id", "enrolment_ref", "campaign", "arm", "step",
             "code", "reason", "quiet")
    return {
        "id": ids,
        # What is written together stands together in the index, however many messages there are: spread over all of it,
        # every batch would write nearly every page anew. The rest is chance enough not to be guessed.
        "public_id": [second + own for own in
                      sorted(noise[start:start + digits] for start in range(0, len(noise), digits))],
        **{name: picked(getattr(columns, name)) for name in names},
        "state": states,
        "values": _as_json(picked(columns.values, {})),
        "message_class": [columns.message_class] * count,
        "attempt": [0] * count,
        "cost_cents": [0] * count,
        "queued_at": [queued_us] * count,
        "due_at": instants(columns.due_at, queued_us),
        "expires_at": instants(columns.expires_at, None),
        "settled_at": [queued_us if state in SETTLED else None for state in states],
    }


def _as_json(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each value as JSON; callers give thousands of people the same object, which is written out once."""
    texts: dict[int, str] = {}
    for value in values:
        if id(value) not in texts:
            texts[id(value)] = json.dumps(dict(value))
    return [texts[id(value)] for value in values]


def cancel(connection: Connection, enrolment_refs: Iterable[int], *, reason: str, now: datetime) -> int:
    """Take back what these enrolments have not sent yet: queued and claimed messages, and calls nobody has taken.

    Calls to other programs are taken back with them. A call that an agent holds at this moment is finished, and what is
    just being handed over goes, but neither is tried again. Returns how many messages were cancelled.
    """
    refs = list(enrolment_refs)
    cancel_calls(connection, refs, reason=reason, now=now)
    return len(_take_back(connection, in_ids(Message.enrolment_ref, refs), reason=reason, now=now))


def take_back(connection: Connection, message_ids: Iterable[int], *, reason: str, now: datetime) -> list[int]:
    """Take these messages back as `cancel` does, as far as they have not left the house; returns which were."""
    return _take_back(connection, in_ids(Message.id, list(message_ids)), reason=reason, now=now)


def _take_back(connection: Connection, chosen: ColumnElement[bool], *, reason: str, now: datetime) -> list[int]:
    rows = connection.execute(
        select(Message.id, Message.state, Message.channel)
        .where(chosen, Message.state.in_(("queued", "claimed", "handed_over"))).order_by(Message.id)
    ).all()
    waiting = [row.id for row in rows if row.state != "handed_over"]
    leaving = [row.id for row in rows if row.state == "handed_over"]
    on_desk = [row.id for row in rows if row.state == "handed_over" and row.channel == "phone"]
    cancelled = moved(connection, waiting, "cancelled", from_=("queued", "claimed"), now=now, reason=reason)
    withdrawn = withdraw_calls(connection, on_desk, now=now)
    cancelled += moved(connection, withdrawn, "cancelled", from_="handed_over", now=now, reason=reason)
    held = sorted(set(leaving) - set(withdrawn))
    if held:  # what comes back from there with "later" is not tried again
        connection.execute(
            update(Message).where(in_ids(Message.id, held), Message.state == "handed_over").values(expires_at=now)
        )
    return cancelled


def withdraw_calls(connection: Connection, message_ids: Iterable[int], *, now: datetime) -> list[int]:
    """Take the open tasks of these messages off the call desk; returns the messages whose task was still open."""
    return sorted(connection.execute(
        update(CallTask)
        .where(in_ids(CallTask.message_id, message_ids), CallTask.state == "open")
        .values(state="withdrawn", done_at=now)
        .returning(CallTask.message_id)
    ).scalars())


def passages_settled_since(connection: Connection, *, cursor: int) -> tuple[list[int], int]:
    """Whose messages (`enrolment_ref`, rising) have settled among those that changed since `cursor`; the next cursor.

    Start with cursor 0. On PostgreSQL call it in a `reading()` transaction; one may be told twice, never missed.
    """
    changes = read_changes(connection, after=cursor, tables=("messages",))
    rows = connection.scalars(
        select(Message.enrolment_ref).distinct()
        .where(in_ids(Message.id, changes.keys.get("messages", [])), Message.settled_at.is_not(None),
               Message.enrolment_ref.is_not(None))).all()
    return sorted(each for each in rows if each is not None), changes.cursor

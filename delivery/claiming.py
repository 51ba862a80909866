"""Which messages are due, and which of them may really go?

Owns the claim: one short transaction that takes due rows, locks their customers in id order, asks the policy again
and marks each row as claimed, puts it off or says why not. Withdrawal, suppression and forgetting take the same locks,
so whoever said no before the claim gets nothing. Also owns the way back: what dead workers held.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from core.arrays import in_ids
from core.bulk import bulk_update
from core.database import Database
from core.leases import dead
from core.types import to_us
from customers.consents import lock_customers
from delivery import calls
from delivery.holding import not_of
from delivery.holding_back import held_back
from delivery.models import Message
from delivery.objections import Going, Objecting, left_out_words
from delivery.policy import EXPIRED, verdicts
from delivery.states import moved

_MESSAGES: Table = Message.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Claim:
    """What one claim decided: `going` is for this worker to send, `decided` counts every row that moved."""

    going: list[int]
    decided: int


def claim(
    connection: Connection, *, now: datetime, limit: int, worker: int, channels: Iterable[str], secret_key: str,
    objecting: Objecting | None = None, resting: Mapping[str, datetime] | None = None,
) -> Claim:
    """Take up to `limit` due messages of these channels, and phone messages, which go to the call desk at once.

    `objecting` may speak against messages that the policy lets go, for reasons that higher rooms know. Those of
    campaigns that rest (delivery/holding.py) stay where they are.
    """
    rows = _due_rows(connection, now, limit, sorted({*channels, "phone"}), resting or {})
    if not rows:
        return Claim([], 0)
    lock_customers(connection, sorted(row.customer_id for row in rows))
    overdue = [row.id for row in rows if row.expires_at is not None and row.expires_at <= now]
    decided = len(moved(connection, overdue, "expired", from_="queued", now=now, reason=EXPIRED))
    if overdue:
        late = set(overdue)
        rows = [row for row in rows if row.id not in late]
    silent = _reasons(connection, rows, now=now, secret_key=secret_key)
    if objecting is not None:
        silent |= _objections(connection, [row for row in rows if row.id not in silent], objecting, now=now)
    for reason in sorted(set(silent.values())):
        ids = [message_id for message_id, why in silent.items() if why == reason]
        decided += len(moved(connection, ids, "suppressed", from_="queued", now=now, reason=reason))
    decided += _hold_back(connection, [row for row in rows if row.id not in silent], silent, now=now)
    by_channel: dict[bool, list[int]] = {True: [], False: []}
    for row in rows:
        number = row.id
        if number not in silent:
            by_channel[row.channel == "phone"].append(number)
    on_phone = by_channel[True]
    going = moved(connection, by_channel[False], "claimed", from_="queued", now=now, worker=worker)
    decided += len(going) + calls.put_on_desk(connection, on_phone, now=now)
    return Claim(going, decided)


def _hold_back(connection: Connection, rows: list[Row[Any]], silent: dict[int, str], *, now: datetime) -> int:
    """Put off what must wait (quiet hours, caps), and mark it in `silent`; what would wait too long expires."""
    waiting = held_back(connection, rows, now=now)
    if not waiting:
        return 0
    late: dict[str, list[int]] = {}
    later: dict[str, list[Any]] = {"id": [], "due_at": [], "reason": []}
    for row in rows:
        if row.id not in waiting:
            continue
        until, why = waiting[row.id]
        silent[row.id] = why
        if row.expires_at is not None and until >= row.expires_at:
            late.setdefault(f"{EXPIRED}: {why}"[:200], []).append(row.id)
        else:
            for name, value in zip(later, (row.id, to_us(until), why[:200]), strict=True):
                later[name].append(value)
    # They are locked and still queued; they only become due later.
    bulk_update(connection, _MESSAGES, "id", later)
    return len(later["id"]) + sum(
        len(moved(connection, ids, "expired", from_="queued", now=now, reason=words)) for words, ids in late.items())


def _due_rows(
    connection: Connection, now: datetime, limit: int, channels: Sequence[str], resting: Mapping[str, datetime]
) -> list[Row[Any]]:
    """Due rows, oldest first, one for each customer: a second one waits for the next batch."""
    due = (Message.state == "queued", Message.due_at <= now, Message.channel.in_(channels))
    rows = connection.execute(
        select(Message.id, Message.customer_id, Message.channel, Message.message_class, Message.expires_at,
               Message.campaign, Message.enrolment_ref, Message.quiet, Message.code)
        .where(*due, *([not_of(resting)] if resting else []))
        .order_by(Message.due_at, Message.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    first: dict[int, Any] = {}
    for row in rows:
        first.setdefault(row.customer_id, row)
    return list(first.values())


def _reasons(connection: Connection, rows: list[Row[Any]], *, now: datetime, secret_key: str) -> dict[int, str]:
    """Message id -> why it may not go, for those that may not."""
    found: dict[int, str] = {}
    for message_class in sorted({row.message_class for row in rows}):
        chosen = [row for row in rows if row.message_class == message_class]
        answers = verdicts(
            connection, [row.customer_id for row in chosen], [row.channel for row in chosen],
            message_class=message_class, now=now, secret_key=secret_key,
        )
        found |= {row.id: answer for row, answer in zip(chosen, answers, strict=True) if answer is not None}
    return found


def _objections(
    connection: Connection, rows: list[Row[Any]], objecting: Objecting, *, now: datetime
) -> dict[int, str]:
    going = [Going(row.id, row.customer_id, row.message_class, row.campaign, row.enrolment_ref, row.code)
             for row in rows]
    return {message_id: left_out_words(reason) for message_id, reason in
            (objecting(connection, going, now=now).items() if going else ())}


def rescue(database: Database, *, now: datetime) -> int:
    """Give back what dead workers held: claimed messages wait again, handed-over ones become uncertain.

    Whether a worker lives is asked of its lease, never of a clock. Returns how many messages moved.
    """
    with database.reading() as session:
        holders = set(session.execute(
            select(Message.worker)
            .where(Message.state.in_(("claimed", "handed_over")), Message.worker.is_not(None))
            .distinct()
        ).scalars())
    gone = dead(database, {number for number in holders if number is not None})
    if not gone:
        return 0
    with database.writing() as session:
        return give_back(session.connection(), gone, now=now)


def give_back(connection: Connection, workers: Iterable[int], *, now: datetime) -> int:
    """Move what these workers hold out of their hands; only for workers that are surely not at it any more."""
    rows = connection.execute(
        select(Message.id, Message.state)
        .where(Message.state.in_(("claimed", "handed_over")), in_ids(Message.worker, workers))
        .order_by(Message.id)
    ).all()
    held: Mapping[str, list[int]] = {
        state: [row.id for row in rows if row.state == state] for state in ("claimed", "handed_over")
    }
    count = len(moved(connection, held["claimed"], "queued", from_="claimed", now=now))
    # The number stays on an uncertain row: a worker that was given up too early may still settle its own.
    return count + len(moved(connection, held["handed_over"], "uncertain", from_="handed_over", now=now,
                             reason="the worker ended while this was being handed over"))

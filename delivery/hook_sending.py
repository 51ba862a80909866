"""How do calls get out to other programs?

Owns the sender's tick for calls: `handed_over` is committed, the outside is asked (several at a time, no transaction
open), and what came of it is written down. Every try carries the same webhook-id and is signed as Standard Webhooks
say, so a try without an answer may be repeated: receivers tell twins by the id. When the tries are used up and one had
no answer, the call is `uncertain`, never simply failed. A receiver that answers nothing rests for all its calls.
"""

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.arrays import in_ids
from core.database import Database
from core.errors import Conflict
from core.leases import dead
from core.sealing import unseal
from core.settings import Network
from core.types import to_us
from delivery.hook_models import HookCall, HookReceiver
from delivery.outside import Refused, post

AT_ONCE = 48
"""Calls per tick: the most that a crash leaves without a known outcome."""
THREADS = 8
MOST_TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)
_OWN_FAULT = (400, 401, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 431)
"""Answers that will not change by asking again."""


@dataclass(frozen=True)
class _Came:
    """What came of one try: delivered, again, or failed; `unclear`: it may have arrived."""

    result: str
    words: str
    unclear: bool = False


def tick(
    database: Database, *, now: datetime, worker: int, secret_key: str, allowed: Sequence[Network] = ()
) -> int:
    """Make the calls that are due, at most `AT_ONCE`; returns how many were tried or given back."""
    rescued = _rescue(database, worker, now=now)
    with database.reading() as session:
        if session.scalar(_due(now).with_only_columns(HookCall.id).limit(1)) is None:
            return rescued
    with database.writing() as session:
        connection = session.connection()
        rows = connection.execute(_due(now).limit(AT_ONCE).with_for_update(of=HookCall, skip_locked=True)).all()
        connection.execute(
            update(HookCall).where(in_ids(HookCall.id, [row.id for row in rows]))
            .values(state="handed_over", worker=worker, attempt=HookCall.attempt + 1))
    keys = _keys(rows, secret_key)

    def ask(row: Row[Any]) -> _Came:
        return _asked(row, keys[row.receiver_id], now, allowed)

    with ThreadPoolExecutor(THREADS) as pool:
        came = list(pool.map(ask, rows))
    with database.writing() as session:
        _write_down(session.connection(), rows, came, worker=worker, now=now)
    return rescued + len(rows)


def _due(now: datetime) -> Any:
    return (
        select(HookCall.id, HookCall.public_id, HookCall.receiver_id, HookCall.body, HookCall.attempt, HookCall.unclear,
               HookReceiver.url, HookReceiver.secret, HookReceiver.active)
        .join(HookReceiver, HookReceiver.id == HookCall.receiver_id)
        .where(HookCall.state == "queued", HookCall.due_at <= now)
        .order_by(HookCall.due_at, HookCall.id)
    )


def _keys(rows: Sequence[Row[Any]], secret_key: str) -> dict[int, bytes | None]:
    """The signing key of each receiver; None where it was sealed under another key of the house."""
    found: dict[int, bytes | None] = {}
    for row in rows:
        if row.receiver_id not in found:
            try:
                secret = unseal(row.secret, secret_key=secret_key)
                found[row.receiver_id] = base64.b64decode(secret.removeprefix("whsec_"))
            except Conflict:
                found[row.receiver_id] = None
    return found


def signed_headers(public_id: str, body: bytes, key: bytes, *, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks for one try at `now`."""
    stamp = str(to_us(now) // 1_000_000)
    mac = hmac.new(key, b".".join((public_id.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    return {"Content-Type": "application/json", "User-Agent": "Winback", "webhook-id": public_id,
            "webhook-timestamp": stamp, "webhook-signature": f"v1,{base64.b64encode(mac).decode()}"}


def _asked(row: Row[Any], key: bytes | None, now: datetime, allowed: Sequence[Network]) -> _Came:
    if not row.active:
        return _Came("failed", "the receiver is switched off")
    if key is None:
        return _Came("failed", "its secret was stored under another key of this installation; make a new one")
    body = row.body.encode()
    try:
        reply = post(row.url, body, signed_headers(row.public_id, body, key, now=now), allowed=allowed)
    except Refused as error:
        return _Came("again", str(error))
    if reply.status is None:
        return _Came("again", reply.text, unclear=True)
    words = f"{reply.status} {' '.join(reply.text.split())}".strip()[:200]
    if 200 <= reply.status < 300:
        return _Came("delivered", words)
    if 300 <= reply.status < 400:
        return _Came("failed", f"{reply.status}: it leads elsewhere, and redirects are not followed")
    return _Came("failed" if reply.status in _OWN_FAULT else "again", words)


def _write_down(
    connection: Connection, rows: Sequence[Row[Any]], came: Sequence[_Came], *, worker: int, now: datetime
) -> None:
    groups: dict[tuple[str, str, bool, int], list[int]] = defaultdict(list)
    silent: dict[int, int] = {}
    for row, each in zip(rows, came, strict=True):
        unclear = row.unclear or each.unclear
        state = each.result
        if state == "again":
            state = "queued" if row.attempt + 1 < MOST_TRIES else "uncertain" if unclear else "failed"
        groups[state, each.words, unclear, row.attempt + 1].append(row.id)
        if each.unclear:
            silent[row.receiver_id] = max(silent.get(row.receiver_id, 0), row.attempt + 1)
    for (state, words, unclear, attempt), ids in groups.items():
        values: dict[str, Any] = {"state": state, "reason": words[:200], "unclear": unclear, "worker": None}
        values |= {"due_at": now + pause_after(attempt)} if state == "queued" else {"settled_at": now}
        connection.execute(update(HookCall).where(
            in_ids(HookCall.id, ids), HookCall.state == "handed_over", HookCall.worker == worker).values(**values))
    for receiver_id, attempt in silent.items():
        # Each of its calls would cost the patience again: they wait together.
        connection.execute(
            update(HookCall).where(HookCall.receiver_id == receiver_id, HookCall.state == "queued",
                                   HookCall.due_at <= now).values(due_at=now + pause_after(attempt)))


def pause_after(attempt: int) -> timedelta:
    """How long to wait after this many tries: a minute, then four times as long each time, a day at most."""
    factor: int = 4 ** min(max(attempt - 1, 0), 9)
    return min(FIRST_PAUSE * factor, timedelta(days=1))


def _rescue(database: Database, worker: int, *, now: datetime) -> int:
    """Calls in the hands of the dead (or left over from a broken tick of our own) are tried again under their id."""
    with database.reading() as session:
        holders = {number for number in session.scalars(
            select(HookCall.worker).where(HookCall.state == "handed_over").distinct()) if number is not None}
    gone = dead(database, holders - {worker}) | (holders & {worker})
    if not gone:
        return 0
    with database.writing() as session:
        return session.connection().execute(
            update(HookCall).where(HookCall.state == "handed_over", in_ids(HookCall.worker, sorted(gone)))
            .values(state="queued", worker=None, unclear=True, due_at=now,
                    reason="the worker ended while this was being handed over")).rowcount

"""How do calls to other programs enter their queue, and how are they taken back?

Owns putting rows in for a whole batch, cancelling what has not left, and holding them while a campaign is paused. The
promise: one row per (occasion, customer); a caller that runs twice tells nothing twice.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_insert, reserve_ids
from core.types import to_us
from delivery.hook_models import HookCall, HookReceiver

_CALLS: Table = HookCall.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class CallColumns:
    """Calls of one step to one receiver, column by column and equally long. `data` is what the body tells."""

    receiver_id: int
    kind: str
    campaign: str | None
    occasion: Sequence[str]
    customer_id: Sequence[int]
    enrolment_ref: Sequence[int | None]
    data: Sequence[Mapping[str, Any]]
    queued_at: datetime
    due_at: datetime


def queue_calls(
    connection: Connection, columns: CallColumns, *, random_bytes: Callable[[int], bytes] = os.urandom
) -> int:
    """Put calls into the queue; returns how many are new."""
    known = {(row[0], row[1]) for row in connection.execute(
        select(HookCall.occasion, HookCall.customer_id).where(in_ids(HookCall.customer_id, columns.customer_id)))}
    places = [place for place, pair in enumerate(zip(columns.occasion, columns.customer_id, strict=True))
              if pair not in known]
    count = len(places)
    if not count:
        return 0
    noise = random_bytes(16 * count).hex()
    queued_us, stamp = to_us(columns.queued_at), columns.queued_at.isoformat()
    return bulk_insert(connection, _CALLS, {
        "id": reserve_ids(connection, _CALLS, count),
        "public_id": [f"msg_{noise[start:start + 32]}" for start in range(0, 32 * count, 32)],
        "occasion": [columns.occasion[place] for place in places],
        "receiver_id": [columns.receiver_id] * count,
        "customer_id": [columns.customer_id[place] for place in places],
        "enrolment_ref": [columns.enrolment_ref[place] for place in places],
        "campaign": [columns.campaign] * count,
        "body": [json.dumps({"type": columns.kind, "timestamp": stamp, "data": columns.data[place]})
                 for place in places],
        "state": ["queued"] * count, "attempt": [0] * count, "unclear": [False] * count,
        "queued_at": [queued_us] * count, "due_at": [to_us(columns.due_at)] * count,
    })


def cancel_calls(connection: Connection, enrolment_refs: Iterable[int], *, reason: str, now: datetime) -> int:
    """Take back what these enrolments have waiting; a call that is under way is finished."""
    return connection.execute(
        update(HookCall).where(in_ids(HookCall.enrolment_ref, enrolment_refs), HookCall.state == "queued")
        .values(state="cancelled", reason=reason[:200], settled_at=now)).rowcount


def move_calls(connection: Connection, campaign: str, *, due_at: datetime, after: datetime | None = None) -> int:
    """Make a campaign's waiting calls due at another instant (those due at or after `after`, if given)."""
    waiting = [HookCall.campaign == campaign, HookCall.state == "queued"]
    if after is not None:
        waiting.append(HookCall.due_at >= after)
    return connection.execute(update(HookCall).where(*waiting).values(due_at=due_at)).rowcount


def drop_calls(connection: Connection, campaign: str, *, held_from: datetime, reason: str, now: datetime) -> int:
    """Cancel a campaign's calls that are held (due at or after `held_from`)."""
    return connection.execute(
        update(HookCall).where(HookCall.campaign == campaign, HookCall.state == "queued", HookCall.due_at >= held_from)
        .values(state="cancelled", reason=reason[:200], settled_at=now)).rowcount


def erase_calls(session: Session, customer_id: int) -> None:
    """Forget what was told about a person; what a receiver got already is out of our hands."""
    session.execute(delete(HookCall).where(HookCall.customer_id == customer_id))


def held_calls(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """What was told to other programs about a person, as JSON values."""
    rows = session.execute(
        select(HookReceiver.name, HookCall.body, HookCall.state, HookCall.queued_at)
        .join(HookReceiver, HookReceiver.id == HookCall.receiver_id)
        .where(HookCall.customer_id == customer_id).order_by(HookCall.id))
    return [{"receiver": name, "told": json.loads(body), "state": state, "queued_at": at.isoformat()}
            for name, body, state, at in rows]

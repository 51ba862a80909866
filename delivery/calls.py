"""Whom does the call desk call, and what came of it?

Owns call tasks. A phone message is handed over to the desk, which lies in our own database: no worker holds it, so no
worker's death makes it uncertain. The policy is asked again when an agent opens the task. The message becomes `sent`
when the person was reached; a wrong number or a no ends it; whatever else happened leaves the task open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_insert
from core.errors import Conflict, Invalid, NotFound, WinbackError
from core.types import to_us
from customers.consents import lock_customers
from customers.models import Customer
from customers.people import display_name
from delivery.composing import gather, person_values
from delivery.feedback import address_is_dead, record_event, stop_channel
from delivery.links import Links
from delivery.models import CallTask, Message
from delivery.objections import Going, Objecting, left_out_words
from delivery.outbox import withdraw_calls
from delivery.personal import fill_call_script
from delivery.policy import CHANNEL_COST_CENTS, EXPIRED, said_no, undeliverable, verdicts
from delivery.settings import DeliverySettings
from delivery.states import moved

REACHED = ("reached", "not_interested")
"""Outcomes after which the message counts as sent: the person heard it."""

AGAIN = {"no_answer": timedelta(hours=24), "busy": timedelta(hours=1), "callback": timedelta(hours=24)}
"""Outcomes that leave the task open -> when it is due again, unless the agent names a time."""

ENDING = ("wrong_number", "do_not_call")
OUTCOMES = (*REACHED, *AGAIN, *ENDING)

ATTEMPTS_LIMIT = 5
"""Calls after which nobody tries again."""

LONGEST_HOLD = timedelta(hours=1)
"""A task that an agent took and left is open again after this."""

_TASKS: Table = CallTask.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class CallSheet:
    """What an agent sees for one call."""

    task: CallTask
    customer: Customer
    name: str
    number: str
    script: str
    code: str | None


@dataclass(frozen=True)
class NoCall:
    """This call must not be made any more; `reason` says why in words. The task is off the desk."""

    reason: str


def put_on_desk(connection: Connection, message_ids: Sequence[int], *, now: datetime) -> int:
    """Turn claimed-for-the-phone messages into open tasks, in the transaction that claims them."""
    ids = moved(connection, message_ids, "claimed", from_="queued", now=now, worker=None)
    ids = moved(connection, ids, "handed_over", from_="claimed", now=now, worker=None, attempt=Message.attempt + 1)
    if not ids:
        return 0
    rows = connection.execute(
        select(Message.id, Message.customer_id).where(in_ids(Message.id, ids)).order_by(Message.id)
    ).all()
    count, now_us = len(rows), to_us(now)
    return bulk_insert(connection, _TASKS, {
        "message_id": [row.id for row in rows], "customer_id": [row.customer_id for row in rows],
        "state": ["open"] * count, "due_at": [now_us] * count, "attempts": [0] * count, "created_at": [now_us] * count,
    })


def open_calls(session: Session, *, now: datetime, limit: int = 100) -> list[CallTask]:
    """Tasks an agent may take now, longest due first."""
    return list(session.scalars(
        select(CallTask).join(Message, Message.id == CallTask.message_id)
        .where(CallTask.state == "open", CallTask.due_at <= now, Message.due_at <= now)
        .order_by(CallTask.due_at, CallTask.id).limit(limit)
    ))


def take_call(
    session: Session, task_id: int, *, agent: str, now: datetime, settings: DeliverySettings,
    objecting: Objecting | None = None,
) -> CallSheet | NoCall:
    """Open a task for one agent, asking the policy again; NoCall when the person may not be called any more.

    `objecting` may speak against it once more, as when the call came to the desk (delivery/objections.py). Opening a
    task one holds already shows it again. Raises NotFound, or Conflict when somebody else has it.
    """
    connection = session.connection()
    task = _task(session, task_id)
    lock_customers(connection, [task.customer_id])
    session.refresh(task, with_for_update=True)
    if task.state not in ("open", "taken"):
        raise Conflict("This call is done or was withdrawn. Choose another one.")
    if task.state == "taken" and task.agent != agent:
        raise Conflict(f"{task.agent} has taken this call. Choose another one.")
    message = session.get_one(Message, task.message_id, populate_existing=True)
    if task.state == "open" and message.due_at > now:
        raise Conflict("This campaign is paused. The call comes back to the desk when it goes on.")
    refused = _why_not(connection, message, now=now, settings=settings) or _objection(
        connection, message, objecting, now=now)
    if refused is not None:
        state = "expired" if refused == EXPIRED else "suppressed"
        _end(session, task, message, state, reason=refused, now=now)
        return NoCall(refused)
    task.state, task.agent, task.taken_at = "taken", agent, now
    session.flush()
    return _sheet(session, task, message, settings=settings, now=now)


def release_call(session: Session, task_id: int, *, agent: str) -> None:
    """Put a taken task back on the desk without a call. Raises Conflict when this agent does not hold it."""
    changed = session.execute(
        update(CallTask).where(CallTask.id == task_id, CallTask.state == "taken", CallTask.agent == agent)
        .values(state="open").returning(CallTask.id)
    ).all()
    if len(changed) != 1:
        raise Conflict("You do not hold this call any more.")


def record_outcome(
    session: Session, task_id: int, *, agent: str, outcome: str, note: str | None = None,
    again_at: datetime | None = None, now: datetime, secret_key: str,
) -> CallTask:
    """Write down what came of a call this agent made.

    `again_at` is the time agreed for a callback. Repeating the last outcome of a finished task is harmless. Raises
    Invalid for an unknown outcome, Conflict when the task is not this agent's.
    """
    if outcome not in OUTCOMES:
        raise Invalid(f"{outcome!r} is not an outcome of a call: use one of {', '.join(OUTCOMES)}.", place="outcome")
    task = _task(session, task_id)
    lock_customers(session.connection(), [task.customer_id])
    session.refresh(task, with_for_update=True)
    if task.state == "done" and task.agent == agent and task.outcome == outcome:
        return task
    if task.agent != agent or task.state not in ("taken", "open"):
        raise Conflict("This call is not yours any more. Nothing was recorded.")
    message = session.get_one(Message, task.message_id, populate_existing=True)
    task.attempts += 1
    task.outcome, task.note = outcome, note
    message.cost_cents += CHANNEL_COST_CENTS["phone"]
    session.flush()
    record_event(session, message.id, "called", at=now, source="call", source_key=f"{task.id}.{task.attempts}",
                 detail={"outcome": outcome, "agent": agent, "note": note})
    _act_on(session, task, message, again_at=again_at, now=now, secret_key=secret_key)
    session.flush()
    return task


def _act_on(
    session: Session, task: CallTask, message: Message, *, again_at: datetime | None, now: datetime, secret_key: str
) -> None:
    outcome = task.outcome or ""
    if outcome in REACHED:
        _end(session, task, message, "sent", reason=None, now=now, released_at=now, expected_at=now)
    elif outcome == "wrong_number":
        _end(session, task, message, "failed", reason=undeliverable("phone"), now=now)
        address_is_dead(session.connection(), [message.id], now=now, secret_key=secret_key)
    elif outcome == "do_not_call":
        _end(session, task, message, "failed", reason=said_no("phone"), now=now)
        stop_channel(session, task.customer_id, "phone", reason="objected",
                     source=f"call by {task.agent}: message {message.public_id}", now=now, secret_key=secret_key)
    elif task.attempts >= ATTEMPTS_LIMIT:
        _end(session, task, message, "failed", reason=f"not reached in {task.attempts} calls", now=now)
    else:
        task.state, task.due_at = "open", again_at or now + AGAIN[outcome]


def tidy(connection: Connection, *, now: datetime, limit: int) -> int:
    """Put tasks that were taken and left back on the desk, and end calls whose time is over; returns how many."""
    left = connection.execute(
        update(CallTask).where(CallTask.state == "taken", CallTask.taken_at <= now - LONGEST_HOLD)
        .values(state="open").returning(CallTask.id)
    ).all()
    over = connection.execute(
        select(CallTask.message_id)
        .join(Message, Message.id == CallTask.message_id)
        .where(CallTask.state == "open", Message.expires_at <= now, Message.due_at <= now)
        .order_by(CallTask.message_id).limit(limit)
    ).scalars().all()
    withdrawn = withdraw_calls(connection, over, now=now)
    return len(left) + len(moved(connection, withdrawn, "expired", from_="handed_over", now=now, reason=EXPIRED))


def _task(session: Session, task_id: int) -> CallTask:
    task = session.get(CallTask, task_id)
    if task is None:
        raise NotFound("There is no such call.")
    return task


def _why_not(connection: Connection, message: Message, *, now: datetime, settings: DeliverySettings) -> str | None:
    if message.expires_at is not None and message.expires_at <= now:
        return EXPIRED
    return verdicts(connection, [message.customer_id], ["phone"], message_class=message.message_class, now=now,
                    secret_key=settings.secret_key)[0]


def _objection(connection: Connection, message: Message, objecting: Objecting | None, *, now: datetime) -> str | None:
    if objecting is None:
        return None
    going = Going(message.id, message.customer_id, message.message_class, message.campaign, message.enrolment_ref,
                  message.code)
    reason = objecting(connection, [going], now=now).get(message.id)
    return None if reason is None else left_out_words(reason)


def _sheet(
    session: Session, task: CallTask, message: Message, *, settings: DeliverySettings, now: datetime
) -> CallSheet | NoCall:
    gathered = gather(session, [message.id])
    row = gathered.rows[0]
    values = person_values(row, settings=settings,
                           links=Links(base_url=settings.base_url, secret_key=settings.secret_key))
    content = gathered.contents.get(message.revision_id or 0)
    try:
        if content is None:
            raise Invalid("this call has no content.")
        script = fill_call_script(content, values)
    except WinbackError as error:
        reason = f"could not be built: {error}"[:200]
        _end(session, task, message, "failed", reason=reason, now=now)
        return NoCall(reason)
    shown = values.get("code")
    return CallSheet(task, row.Customer, display_name(row.Customer), row.Address.value, script,
                     str(shown) if shown else None)


def _end(
    session: Session, task: CallTask, message: Message, state: str, *, reason: str | None, now: datetime,
    **stamps: Any,
) -> None:
    """Settle the message and take the task off the desk; a recorded call is done, any other is withdrawn."""
    session.flush()
    task.state, task.done_at = ("done" if task.outcome else "withdrawn"), now
    if message.due_at > now:
        stamps["due_at"] = now  # made while the campaign is paused: it stands in no queue any more
    if not moved(session.connection(), [message.id], state, from_="handed_over", now=now, reason=reason, **stamps):
        raise Conflict("This call's message has settled already.")
    session.expire(message)
    session.flush()

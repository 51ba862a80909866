"""What does the call desk show in its list?

Owns the open calls with who, since when due and for what, walked by key, and the calls an agent holds. Reads only.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.errors import NotFound
from customers.models import Customer
from customers.people import display_name
from delivery.models import CallTask, Message


@dataclass(frozen=True)
class CallLine:
    """One call on the desk; `agent`: who holds it, None when it is free; `outcome`: of the call before."""

    task_id: int
    customer: str
    name: str
    campaign: str | None
    due_at: datetime
    expires_at: datetime | None
    attempts: int
    outcome: str | None
    state: str
    agent: str | None


def calls_on_desk(
    session: Session, *, now: datetime, agent: str | None = None, limit: int = 50, after: tuple[int, int] | None = None
) -> list[CallLine]:
    """Calls that are due, longest waiting first; with `agent` those that this agent holds instead.

    Those of paused campaigns are not there. `after`: due time in microseconds and id of the last line before.
    """
    statement = (select(CallTask, Customer, Message.campaign, Message.expires_at)
                 .join(Customer, Customer.id == CallTask.customer_id)
                 .join(Message, Message.id == CallTask.message_id))
    if agent is None:
        statement = statement.where(CallTask.state == "open", CallTask.due_at <= now, Message.due_at <= now)
    else:
        statement = statement.where(CallTask.state == "taken", CallTask.agent == agent)
    if after is not None:
        due_us, last = after
        statement = statement.where(or_(CallTask.due_at > due_us, (CallTask.due_at == due_us) & (CallTask.id > last)))
    rows = session.execute(statement.order_by(CallTask.due_at, CallTask.id).limit(limit))
    return [CallLine(task.id, customer.external_id, display_name(customer), campaign, task.due_at, expires_at,
                     task.attempts, task.outcome, task.state, task.agent)
            for task, customer, campaign, expires_at in rows]


def desk_counts(session: Session, *, now: datetime) -> tuple[int, int]:
    """Calls that wait to be taken now, and calls agreed for later; without those of campaigns that are paused."""
    waiting, later = session.execute(
        select(func.count().filter(CallTask.due_at <= now), func.count().filter(CallTask.due_at > now))
        .join(Message, Message.id == CallTask.message_id)
        .where(CallTask.state == "open", Message.due_at <= now)).one()
    return waiting, later


def held_by(session: Session, task_id: int, *, agent: str) -> bool:
    """Whether this agent holds this call now. Raises NotFound when there is no such call."""
    task = session.get(CallTask, task_id)
    if task is None:
        raise NotFound("There is no such call.")
    return task.state == "taken" and task.agent == agent

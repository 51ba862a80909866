"""Which channel comes next when the first one did not reach the person?

Owns the fallback rows of the ledger. The promise: a fallback exists only after the row before it failed, was suppressed
or bounced, never after `uncertain`; it carries the same code; and who has left meanwhile is not written to.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from customers.models import Customer
from delivery.policy import LEFT_OUT
from delivery.preference import choose_channels
from journeys.graphs.graph import Send
from journeys.graphs.plans import Plan
from journeys.walk.speaking import Listeners, Shelf, put

Message = Row[*tuple[Any, ...]]

_STILL_HERE = ("active", "finished")


def fall_back(
    session: Session, messages: Sequence[Message], people: Mapping[int, Any], plans: Mapping[int, Plan], *,
    now: datetime, secret_key: str, shelf: Shelf,
) -> int:
    """Queue the next channel for whoever needs one; `people` are enrolment rows by id. Returns how many were queued."""
    visits: dict[tuple[int, str, int], list[Message]] = {}
    concerned = {message.enrolment_ref for message in messages if _did_not_reach(message)}
    for message in messages:
        place = _place(message) if message.enrolment_ref in concerned else None
        if place is not None:
            visits.setdefault(place, []).append(message)
    groups: dict[tuple[int, str], list[tuple[int, int, list[Message]]]] = {}
    for (enrolment_id, key, visit), rows in visits.items():
        person = people.get(enrolment_id)
        plan = plans.get(person.version_id) if person is not None else None
        step = plan.graph.steps.get(key) if plan is not None else None
        if (person is None or person.state not in _STILL_HERE or not isinstance(step, Send) or not step.fallback
                or not _did_not_reach(rows[-1]) or (plan and plan.ends_at is not None and plan.ends_at <= now)):
            continue
        groups.setdefault((person.version_id, key), []).append((enrolment_id, visit, rows))
    return sum(
        _queue_next(session, plans[version_id], key, waiting, people, now=now, secret_key=secret_key, shelf=shelf)
        for (version_id, key), waiting in sorted(groups.items())
    )


def _place(message: Message) -> tuple[int, str, int] | None:
    """Enrolment, step and visit of a message, from its occasion."""
    parts = message.occasion.split(".")
    if len(parts) != 4 or message.enrolment_ref is None or not parts[2].isdecimal():
        return None
    return message.enrolment_ref, parts[1], int(parts[2])


def _did_not_reach(last: Message) -> bool:
    state = last.state
    if state == "sent":
        return last.bounced_us is not None
    # Suppressed before any channel was chosen means that none was allowed; left out means on every channel.
    return state == "failed" or (state == "suppressed" and last.channel is not None
                                 and not (last.reason or "").startswith(LEFT_OUT))


def _queue_next(
    session: Session, plan: Plan, key: str, waiting: Sequence[tuple[int, int, list[Message]]],
    people: Mapping[int, Any], *, now: datetime, secret_key: str, shelf: Shelf,
) -> int:
    step = plan.graph.steps[key]
    assert isinstance(step, Send)
    facts = shelf.content(session, plan.contents[step.content])
    by_open: dict[tuple[str, ...], list[tuple[int, int, list[Message]]]] = {}
    for entry in waiting:
        tried = {message.channel for message in entry[2]}
        # The channel of the best has a budget: who has no place there does not come to it by a failure either.
        dear = None if step.best_first is None else step.best_first.channel
        left = tuple(channel for channel in facts.channels if channel not in tried and channel != dear)
        if left:
            by_open.setdefault(left, []).append(entry)
    queued = 0
    for channels, entries in sorted(by_open.items()):
        choices = choose_channels(
            session.connection(), [people[entry[0]].customer_id for entry in entries], wish="preferred",
            allowed=channels, now=now, secret_key=secret_key, message_class=facts.message_class)
        going = [(entry, choice) for entry, choice in zip(entries, choices, strict=True) if choice.channel is not None]
        if going:
            put(session, plan, step, _listeners(session, [entry for entry, _ in going], people),
                [choice.channel for _, choice in going], [f"instead: {choice.why}" for _, choice in going],
                [len(entry[2]) for entry, _ in going], now=now, shelf=shelf)
            queued += len(going)
    return queued


def _listeners(
    session: Session, entries: Sequence[tuple[int, int, list[Message]]], people: Mapping[int, Any]
) -> Listeners:
    customer_ids = [people[entry[0]].customer_id for entry in entries]
    languages: dict[int, str | None] = dict(session.execute(
        select(Customer.id, Customer.language).where(in_ids(Customer.id, customer_ids))).all())
    return Listeners(
        enrolment_ids=[entry[0] for entry in entries], customer_ids=customer_ids,
        visits=[entry[1] for entry in entries], arms=[entry[2][0].arm for entry in entries],
        languages=[languages.get(customer_id) for customer_id in customer_ids], returning=[True] * len(entries),
    )

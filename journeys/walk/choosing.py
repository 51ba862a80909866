"""By which channel is each person at a step spoken to?

Owns the choice at a send or a call: the channel of the step, the preferred one, or, where the best come first, the
channel of the best for those who have a place, and the next one for everybody else. The promise: nobody without a place
is spoken to by the channel of the best, neither now nor when another channel fails.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from delivery.policy import channel_words
from delivery.preference import Choice, choose_channels
from journeys.entry.allotting import given_places
from journeys.graphs.graph import BestFirst, Call, Send
from journeys.graphs.plans import Plan
from journeys.models import Allotment


def choices(
    session: Session, plan: Plan, step: Send | Call, enrolment_ids: Sequence[int], customer_ids: Sequence[int], *,
    channels: tuple[str, ...], message_class: str, now: datetime, secret_key: str,
) -> list[Choice]:
    """One choice for each; `channels` are those that the content has a text for."""

    def among(people: Sequence[int], wish: str, allowed: tuple[str, ...]) -> list[Choice]:
        if wish != "preferred" and wish not in allowed:
            return [Choice(None, f"the content has no text for {wish}")] * len(people)
        return choose_channels(session.connection(), list(people), wish=wish, allowed=allowed, now=now,
                               secret_key=secret_key, message_class=message_class)

    first = step.best_first if isinstance(step, Send) else None
    if first is None:
        return among(customer_ids, step.channel, channels)
    placed = _placed(session, step.key, enrolment_ids)
    among_best = f"among the best {given_places(session.connection(), plan.journey_id, step.key):,} people"
    found: dict[int, Choice] = {}
    best = [number for number, enrolment in enumerate(enrolment_ids) if enrolment in placed]
    for number, choice in zip(best, among([customer_ids[number] for number in best], first.channel, channels),
                              strict=True):
        if choice.channel is not None:  # who may not be any more hears it as everybody else
            found[number] = Choice(choice.channel, f"{among_best}, for whom {_budget(plan, first)}")
    rest = [number for number in range(len(customer_ids)) if number not in found]
    others = tuple(channel for channel in channels if channel != first.channel)
    for number, choice in zip(rest, among([customer_ids[number] for number in rest], step.channel, others),
                              strict=True):
        why = "may not be spoken to so any more" if enrolment_ids[number] in placed else (
            f"not {among_best}, for whom {_budget(plan, first)}")
        found[number] = Choice(choice.channel, f"{choice.why}; {why}")
    return [found[number] for number in range(len(customer_ids))]


def _placed(session: Session, key: str, enrolment_ids: Sequence[int]) -> set[int]:
    return set(session.scalars(select(Allotment.enrolment_id).where(
        in_ids(Allotment.enrolment_id, enrolment_ids), Allotment.step == key)))


def _budget(plan: Plan, first: BestFirst) -> str:
    return f"the budget of {first.budget_cents / 100:,.2f} {plan.currency} pays for {channel_words(first.channel)}"

"""Which ways may a person go through a journey, and a journey through its life?

Owns the two tables of allowed moves and the verbs that make them. Each move names the states it may leave, so that
what somebody else moved meanwhile is left alone. The states document is tested against these tables.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.errors import Conflict
from journeys.models import Enrolment, Journey

MOVES: Mapping[str, frozenset[str]] = {
    "active": frozenset({"followed", "finished", "exited", "over", "failed"}),
    "followed": frozenset({"over"}),
    "failed": frozenset({"active", "exited", "over"}),
    "finished": frozenset(),
    "exited": frozenset(),
    "over": frozenset(),
    "excluded": frozenset(),
}
"""State of an enrolment -> the states it may go to from there."""

FIRST = frozenset({"active", "excluded"})
"""States in which somebody may be enrolled."""

SENTENCES: Mapping[str, str] = {
    "active": "walks through the steps, or waits at one",
    "followed": "left alone for comparison (hold-out) and followed to the end of the window; nothing is sent",
    "finished": "came to the end of the steps",
    "exited": "left early and is left in peace: redeemed, ordered, or a rule of the journey held",
    "over": "was still inside when the window closed or the journey was ended",
    "failed": "set aside after an error that is kept with the person; can be let in again",
    "excluded": "belongs to the segment and did not enter; the reason stands beside it",
}
"""What each state of an enrolment means, for pages and documents."""

JOURNEY_MOVES: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"running"}),
    "running": frozenset({"paused", "ending"}),
    "paused": frozenset({"running", "ending"}),
    "ending": frozenset({"ended"}),
    "ended": frozenset(),
}
"""State of a journey -> the states it may go to. While `ending`, those still inside are swept out chunk by chunk."""

INSIDE = ("active", "followed", "failed")
"""States of people who have not left."""

MAY_EXIT = ("active", "failed")
"""States of people who leave early when they have a reason; those left alone are followed to the end."""


def move(
    connection: Connection, ids: Iterable[int], to: str, *, from_: str | tuple[str, ...], now: datetime, **stamps: Any
) -> list[int]:
    """Move those of the enrolments that stand in one of `from_`; returns the ids that moved, rising.

    Leaving for good clears the step and the due date and stamps `left_at`. Raises ValueError for an unknown move.
    """
    chosen = sorted(ids)
    leaving = (from_,) if isinstance(from_, str) else from_
    for state in leaving:
        if to not in MOVES[state]:
            raise ValueError(f"an enrolment cannot go from {state} to {to}")
    if not chosen:
        return []
    values: dict[str, Any] = {"state": to, **stamps}
    if not MOVES[to]:
        values = {"step": None, "due_at": None, "step_entered_at": None, "until_at": None, "left_at": now, **values}
    return sorted(connection.execute(
        update(Enrolment)
        .where(in_ids(Enrolment.id, chosen), or_(*(Enrolment.state == state for state in leaving)))
        .values(**values)
        .returning(Enrolment.id)
    ).scalars())


def move_journey(session: Session, journey: Journey, to: str, *, now: datetime) -> None:
    """Move a journey. Raises Conflict when its state forbids it or somebody else moved it meanwhile."""
    leaving = journey.state
    if to not in JOURNEY_MOVES[leaving]:
        raise Conflict(f"The journey {journey.name} is {leaving} and cannot become {to}.")
    session.flush()
    found = session.execute(
        update(Journey).where(Journey.id == journey.id, Journey.state == leaving)
        .values(state=to, updated_at=now, paused_at=now if to == "paused" else None)
        .returning(Journey.id)
    ).scalar_one_or_none()
    if found is None:
        raise Conflict(f"The journey {journey.name} was changed meanwhile. Load it again.")
    session.refresh(journey)

"""How does a program, or a colleague, let one person into a journey?

Owns entering by name. The promise: told twice is once. Whoever is inside already, or may not come again, gets the
passage there is; the same request of a program never makes two.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from core.types import to_us
from customers.people import find_customer
from journeys.editing.editing import journey_by_key, newest_version
from journeys.entry.admitting import Arrivals, admit, may_enter
from journeys.graphs.plans import plan_of
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Journey, Version

LONGEST_KEY = 200


@dataclass(frozen=True)
class Entered:
    """The passage of somebody who was to be let in, and whether it is new."""

    enrolment: Enrolment
    new: bool


def enter(
    session: Session, journey_key: str, external_id: str, *, by: Literal["api", "manual"], key: str | None = None,
    request: str | None = None, now: datetime,
) -> Entered:
    """Let one person in; `key` says what it is about, such as a cart, `request` is the program's own name for the act.

    Raises NotFound, Invalid, and Conflict when the journey does not run or does not let people in this way.
    """
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise Invalid(f"A key has 1 to {LONGEST_KEY} characters.", place="key")
    journey = journey_by_key(session, journey_key)
    version = newest_version(session, journey)
    if version is None:
        raise Conflict(f"The journey {journey.name} was never published.")
    plan = plan_of(session.connection(), version.id)
    if not getattr(plan.graph.entry, by):
        raise Conflict(f"The journey {journey.name} does not let people in this way. "
                       f'Write "{by}": true into its entry and publish it.')
    if (plan.ends_at is not None and plan.ends_at <= now) or (plan.starts_at is not None and plan.starts_at > now):
        raise Conflict(f"The window of the journey {journey.name} is closed.")
    customer = find_customer(session, external_id)
    if not may_enter(session, plan):
        raise Conflict(f"The journey {journey.name} does not run.")
    cause = f"{by}:{request or to_us(now)}"
    admitted = admit(session, plan, Arrivals([customer.id], [key], [cause], [to_us(now)]), now=now)
    mine = select(Enrolment).where(Enrolment.journey_id == journey.id, Enrolment.customer_id == customer.id)
    same = session.scalar(mine.where(Enrolment.cause == cause).order_by(Enrolment.id).limit(1))
    found = same or session.scalar(
        mine.where(Enrolment.key == key if key is not None else Enrolment.key.is_(None))
        .order_by(Enrolment.id.desc()).limit(1))
    if found is None:
        raise NotFound(f"{external_id} could not be let into {journey.name}.")
    return Entered(found, admitted == 1)


def open_by_hand(session: Session) -> list[Journey]:
    """Running journeys into which colleagues may let people, by name."""
    newest: dict[int, tuple[Journey, Version]] = {}
    for journey, version in session.execute(
            select(Journey, Version).join(Version, Version.journey_id == Journey.id)
            .where(Journey.state == "running").order_by(Version.number)):
        newest[journey.id] = (journey, version)
    return sorted((journey for journey, version in newest.values() if parse_graph(version.graph).entry.manual),
                  key=lambda journey: journey.name)

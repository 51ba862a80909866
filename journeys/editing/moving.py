"""How do people inside come to another version, and how does a version end?

Owns taking over those who stand at one step of an older version, and retiring a version. Nobody is moved by publishing:
somebody decides it, having seen how many stand where. What people got stays theirs: arm, code, the count of their
visits and the day from which their wait counts; nothing is said twice.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from journeys.editing.editing import journey_by_key, newest_version
from journeys.graphs.graph import Call, Leave
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Journey, Version
from journeys.states import INSIDE
from journeys.walk.errands import bring_over, bringing_over, count_standing, see_off, seeing_off


def take_over(
    session: Session, key: str, *, number: int, step: str, target: str | None = None,
    expected_people: int | None = None, now: datetime,
) -> int:
    """Bring those who stand at `step` of version `number` to the newest version, to the step `target` (None: the one
    of the same name); returns how many. There they are looked at anew. Of a large crowd only a part is brought over
    here, the worker does the rest part by part.

    `expected_people` is the number somebody was shown. Raises NotFound, Invalid for a step that is not there, Conflict
    when the journey is over or far more people stand there than were shown.
    """
    journey = _living(session, key)
    old, new = _version(session, journey, number), newest_version(session, journey)
    assert new is not None
    if old.id == new.id:
        raise Invalid(f"Version {number} is the newest one. People can be moved to it, not from it.", place="version")
    if isinstance(parse_graph(old.graph).steps.get(step), Call):
        raise Invalid("People wait there for a call. Let the calls be made first, or retire the version.", place="step")
    goal = target or step
    steps = parse_graph(new.graph).steps
    if goal not in steps:
        raise Invalid(f"Version {new.number} has no step called {goal}. Choose one of {', '.join(list(steps)[:12])}.",
                      place="target")
    errand = bringing_over(old=old, new=new, step=step, target=goal, now=now)
    people = count_standing(session, errand)
    if expected_people is not None and people > expected_people * 1.1 + 10:
        raise Conflict(f"{people} people stand there by now, not {expected_people}. Look again before moving them.")
    _insist_free(journey)
    journey.moving = errand
    bring_over(session, journey)  # a large crowd's worker does the rest
    return people


def retire(session: Session, key: str, *, number: int, now: datetime) -> int:
    """End an older version: whoever is still inside it leaves, the people left alone too; returns how many.

    Nobody in it walks on from now on; of a large crowd only a part is let out here, the worker does the rest.

    Raises NotFound, Invalid for the newest version, Conflict when the journey is over or people are still being moved.
    """
    journey = _living(session, key)
    version, newest = _version(session, journey, number), newest_version(session, journey)
    if newest is not None and version.id == newest.id:
        raise Invalid(f"Version {number} is the newest one. Publish another first, or end the journey.",
                      place="version")
    _insist_free(journey)
    people = session.scalar(select(func.count()).select_from(Enrolment).where(
        Enrolment.version_id == version.id, Enrolment.state.in_(INSIDE))) or 0
    journey.moving = seeing_off(version=version, now=now)
    see_off(session, journey)  # a large crowd's worker does the rest
    return people


def steps_to_choose(version: Version) -> list[str]:
    """The steps of a version people can be brought to, in the order of the graph."""
    return [key for key, step in parse_graph(version.graph).steps.items() if not isinstance(step, Leave)]


def _insist_free(journey: Journey) -> None:
    if journey.moving is not None or journey.resuming is not None:
        raise Conflict(f"People of {journey.name} are still being moved. Try again in a minute.")


def _living(session: Session, key: str) -> Journey:
    journey = journey_by_key(session, key)
    session.refresh(journey, with_for_update=True)
    if journey.state not in ("running", "paused"):
        raise Conflict(f"The journey {journey.name} does not run. Nobody can be moved in it.")
    return journey


def _version(session: Session, journey: Journey, number: int) -> Version:
    found = session.scalar(select(Version).where(Version.journey_id == journey.id, Version.number == number))
    if found is None:
        raise NotFound(f"{journey.name} has no version {number}.")
    return found

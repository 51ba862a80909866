"""What is different between two versions of a journey, and where would people inside stand?

Owns the comparison of two graphs and the list of people who could go over from one version to another. Pure reading;
`moving` acts on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from journeys.graphs.graph import Graph
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Version

Change = Literal["added", "gone", "changed"]


@dataclass(frozen=True)
class Comparison:
    """What changed from one graph to another: `steps`: key -> how, in the order of the later graph, then those that
    are gone; `frame`: the fields of the journey itself that differ."""

    steps: Mapping[str, Change]
    frame: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """People of one version at one step. `target`: the step of the later version with the same name, None: there is
    none; `change`: how that step differs, None: not at all. `held_out` of the people are left alone: they walk with the
    others until something would be said to them."""

    step: str
    people: int
    target: str | None
    change: Change | None
    held_out: int = 0


def compare(before: Graph, after: Graph) -> Comparison:
    """What changed from `before` to `after`; the names of steps say which one is which."""
    steps: dict[str, Change] = {}
    for key, step in after.steps.items():
        if key not in before.steps:
            steps[key] = "added"
        elif before.steps[key] != step:
            steps[key] = "changed"
    steps |= {key: "gone" for key in before.steps if key not in after.steps}
    frame = tuple(field.name for field in fields(Graph) if field.name != "steps"
                  and getattr(before, field.name) != getattr(after, field.name))
    return Comparison(steps, frame)


def standing(session: Session, version: Version, later: Version) -> list[Standing]:
    """Who stands where in `version` and could go over to `later`."""
    before, after = parse_graph(version.graph), parse_graph(later.graph)
    steps = compare(before, after).steps
    rows = session.execute(
        select(Enrolment.step, func.count(), func.sum(case((Enrolment.held_out.is_(True), 1), else_=0))).where(
            Enrolment.version_id == version.id, Enrolment.state.in_(("active", "failed")), Enrolment.step.is_not(None))
        .group_by(Enrolment.step).order_by(Enrolment.step))
    return [Standing(step, people, step if step in after.steps else None,
                     steps.get(step) if step in after.steps else "gone", int(held_out or 0))
            for step, people, held_out in rows if step is not None]

"""What does the runner need to know about a version before it walks anybody?

Owns the plan: the frozen graph, the pinned ids and the campaign's frame, read once per tick for every version whose
people may still be inside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.arrays import in_ids
from core.errors import NotFound
from journeys.graphs.graph import Give, Graph
from journeys.graphs.reading import parse_graph
from journeys.models import Journey, Version


@dataclass(frozen=True)
class Plan:
    """One version with everything its steps refer to. `ends_at` is exclusive; None: open."""

    version_id: int
    journey_id: int
    journey_key: str
    journey_state: str
    graph: Graph
    contents: Mapping[str, int]
    offers: Mapping[str, int]
    segments: Mapping[str, int]
    receivers: Mapping[str, int]
    campaign_id: int
    campaign: str
    campaign_name: str
    timezone: str
    goal_categories: tuple[str, ...]
    holdout_percent: float
    global_percent: float
    ranking: Mapping[str, Any] | None
    starts_at: datetime | None
    ends_at: datetime | None
    drawn: bool
    published_at: datetime

    @cached_property
    def gives(self) -> bool:
        """Whether a step gives a code without a message, which a later one may show."""
        return any(isinstance(step, Give) for step in self.graph.steps.values())

    @cached_property
    def quiet(self) -> str | None:
        """The journey's own quiet hours, as its messages carry them."""
        hours = self.graph.quiet_hours
        return None if hours is None else f"{hours[0]:%H:%M}-{hours[1]:%H:%M}"


def load_plans(connection: Connection, *, states: tuple[str, ...]) -> dict[int, Plan]:
    """The plans of every version of the journeys in these states, by version id, in rising order."""
    return {row[0].id: _plan(*row) for row in _rows(connection, Journey.state.in_(states))}


def plan_of(connection: Connection, version_id: int) -> Plan:
    """The plan of one version; raises NotFound."""
    for row in _rows(connection, Version.id == version_id):
        return _plan(*row)
    raise NotFound(f"There is no journey version {version_id}.")


def plans_of(connection: Connection, version_ids: Iterable[int]) -> dict[int, Plan]:
    """The plans of these versions, whatever the state of their journeys."""
    return {row[0].id: _plan(*row) for row in _rows(connection, in_ids(Version.id, version_ids))}


def _rows(connection: Connection, condition: ColumnElement[bool]) -> Iterable[tuple[Version, Journey, Campaign]]:
    with Session(connection, expire_on_commit=False) as session:
        return [(row[0], row[1], row[2]) for row in session.execute(
            select(Version, Journey, Campaign)
            .join(Journey, Journey.id == Version.journey_id).join(Campaign, Campaign.id == Journey.campaign_id)
            .where(condition).order_by(Version.id)
        )]


def _plan(version: Version, journey: Journey, campaign: Campaign) -> Plan:
    graph = parse_graph(version.graph)
    return Plan(
        version_id=version.id, journey_id=journey.id, journey_key=journey.key, journey_state=journey.state,
        graph=graph,
        contents=version.pins["contents"], offers=version.pins["offers"], segments=version.pins["segments"],
        receivers=version.pins.get("receivers", {}),
        campaign_id=campaign.id, campaign=campaign.key, campaign_name=campaign.name, timezone=campaign.timezone,
        goal_categories=tuple(campaign.goal_categories),
        holdout_percent=campaign.holdout_percent if graph.holdout_percent is None else graph.holdout_percent,
        global_percent=version.pins.get("global_percent", 0.0), ranking=version.pins.get("ranking"),
        starts_at=campaign.starts_at, ends_at=campaign.ends_at, drawn=version.entered_at is not None,
        published_at=version.published_at,
    )

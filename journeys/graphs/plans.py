"""What does the runner need to know about a version before it walks anybody?

Owns the plan: the frozen graph, the pinned ids and the campaign's frame, read once per tick for every version whose
people may still be inside.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

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
    currency: str
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


_PLANS = (
    select(Version.id, Version.graph, Version.pins, Version.entered_at, Version.published_at,
           Version.journey_id, Journey.key.label("journey_key"), Journey.state.label("journey_state"),
           Campaign.id.label("campaign_id"), Campaign.key.label("campaign"), Campaign.name.label("campaign_name"),
           Campaign.timezone, Campaign.currency, Campaign.goal_categories, Campaign.holdout_percent, Campaign.starts_at,
           Campaign.ends_at)
    .join(Journey, Journey.id == Version.journey_id).join(Campaign, Campaign.id == Journey.campaign_id)
    .order_by(Version.id))
"""Columns, not objects: every duty of every round reads them."""


def load_plans(connection: Connection, *, states: tuple[str, ...]) -> dict[int, Plan]:
    """The plans of every version of the journeys in these states, by version id, in rising order."""
    return _plans(connection, Journey.state.in_(states))


def plan_of(connection: Connection, version_id: int) -> Plan:
    """The plan of one version; raises NotFound."""
    found = _plans(connection, Version.id == version_id)
    if version_id not in found:
        raise NotFound(f"There is no journey version {version_id}.")
    return found[version_id]


def plans_of(connection: Connection, version_ids: Iterable[int]) -> dict[int, Plan]:
    """The plans of these versions, whatever the state of their journeys."""
    return _plans(connection, in_ids(Version.id, version_ids))


def _plans(connection: Connection, condition: ColumnElement[bool]) -> dict[int, Plan]:
    return {row.id: _plan(row) for row in connection.execute(_PLANS.where(condition))}


@lru_cache(maxsize=512)
def _graph(written: str) -> Graph:
    """A published graph never changes, and every duty asks for all of them: each is read once."""
    return parse_graph(json.loads(written))


def _plan(row: Row[*tuple[Any, ...]]) -> Plan:
    graph, pins = _graph(json.dumps(row.graph)), row.pins
    return Plan(
        version_id=row.id, journey_id=row.journey_id, journey_key=row.journey_key, journey_state=row.journey_state,
        graph=graph,
        contents=pins["contents"], offers=pins["offers"], segments=pins["segments"],
        receivers=pins.get("receivers", {}),
        campaign_id=row.campaign_id, campaign=row.campaign, campaign_name=row.campaign_name, timezone=row.timezone,
        currency=row.currency,
        goal_categories=tuple(row.goal_categories),
        holdout_percent=row.holdout_percent if graph.holdout_percent is None else graph.holdout_percent,
        global_percent=pins.get("global_percent", 0.0), ranking=pins.get("ranking"),
        starts_at=row.starts_at, ends_at=row.ends_at, drawn=row.entered_at is not None,
        published_at=row.published_at,
    )

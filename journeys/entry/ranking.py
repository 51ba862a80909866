"""Who of a segment brings most, when not everybody can be written to?

Owns choosing the best by expected contribution: the rate at which somebody would redeem, by the model that the newest
forecast of the campaign was played with, times what one of their orders leaves after the discount. The promise: the
ranking is pinned when a version is published, and the same people at the same instant rank the same.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.problems import Problem
from core.types import to_us
from journeys.graphs.graph import Graph, Send
from journeys.models import Forecast
from journeys.responding import Curve, features_of

Ranking = Mapping[str, Any]
"""`coefficients` of the redeeming curve, `share` of an order's value that stays, `discount_cents`, and `mean_cents`:
what an order is worth where nothing is known."""


def ranking_from(curve: Curve, *, share: float, discount_cents: int, mean_cents: int) -> dict[str, Any]:
    """The ranking that a forecast keeps beside its answer."""
    return {"coefficients": list(curve.coefficients), "share": share, "discount_cents": discount_cents,
            "mean_cents": mean_cents}


def ranking_of(session: Session, campaign: Campaign) -> dict[str, Any] | None:
    """The ranking of the campaign's newest forecast that has one; None: nothing is known of who brings most."""
    answers = session.scalars(
        select(Forecast.answer).where(Forecast.campaign_id == campaign.id, Forecast.state == "done")
        .order_by(Forecast.id.desc()).limit(5))
    return next((dict(answer["ranking"]) for answer in answers if answer and answer.get("ranking")), None)


def ranking_problems(graph: Graph, ranking: Ranking | None) -> list[Problem]:
    """What keeps a journey for the best few from being published."""
    places = places_of_best(graph)
    if not places or ranking is not None:
        return []
    return [Problem(places[0], "Nobody knows yet who would bring most.",
                    "Ask for the campaign's forecast first: the best are chosen by its model. It needs past campaigns "
                    "or a rate, and what an order leaves.")]


def places_of_best(graph: Graph) -> list[str]:
    """Where in its JSON the journey asks who is best."""
    return [*(["entry.top"] if graph.entry.top is not None else []),
            *(f"steps.{key}.channel" for key, step in graph.steps.items()
              if isinstance(step, Send) and step.best_first is not None)]


def best(connection: Connection, people: Sequence[int], ranking: Ranking, count: int, *, as_of: datetime) -> list[int]:
    """The `count` of these people with the highest expected contribution as things stood then, their ids rising."""
    if count >= len(people):
        return sorted(people)
    return sorted(ranked(connection, people, ranking, as_of=as_of)[:count])


def ranked(connection: Connection, people: Sequence[int], ranking: Ranking, *, as_of: datetime) -> list[int]:
    """These people by expected contribution as things stood then, the best first."""
    features = features_of(connection, people, before_us=to_us(as_of))
    rates = Curve(tuple(ranking["coefficients"]), (), None, "").rates(features)
    orders, value = np.expm1(features[:, 2]), 100 * np.expm1(features[:, 3])
    cents = np.where(orders > 0, value / np.maximum(orders, 1), float(ranking["mean_cents"]))
    expected = rates * (float(ranking["share"]) * cents - float(ranking["discount_cents"]))
    # Equal ones by their number, so that a drawing cut short goes on with the same people.
    order = np.lexsort((np.asarray(people), -np.round(expected, 6)))
    return [int(people[place]) for place in order]

"""In which order is a graph laid out for people?

A database need not keep the order in which an object was written (PostgreSQL sorts its names by their length), so the
order is made anew wherever somebody reads: steps as people come to them, and within each what it is before what it
says. Pure, and for drafts that are not right yet as well.
"""

import json
from collections.abc import Mapping
from typing import Any

from journeys.graphs.graph import walked

_FIRST = (
    "kind", "name", "entry", "exclude", "unit", "reentry", "group", "priority", "window", "holdout_percent",
    "exit_when", "quiet_hours",
    "all", "any", "not", "customer", "orders", "contacts", "messages", "coupons", "events", "consent",
    "preferred_channel", "score", "near", "segment", "sample",
    "content", "offer", "code", "channel", "event", "where",
)
_LAST = ("start", "steps", "next")
_FIRST_WAYS, _LAST_WAYS = ("yes", "reached"), ("no", "else", "timeout", "not_reached")


def written_graph(raw: Mapping[str, Any]) -> str:
    """The graph as text, one value a line."""
    return json.dumps(laid_out(raw), indent=2, ensure_ascii=False)


def laid_out(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The same graph in the order in which it is read; nothing is added, left out or changed."""
    try:
        graph: dict[str, Any] = _in_order(raw)
    except RecursionError:  # a draft nested hundreds deep stays as it is
        return dict(raw)
    steps = graph.get("steps")
    if isinstance(steps, dict):
        ways = {key: _targets(step) for key, step in steps.items()}
        graph["steps"] = {key: steps[key] for key in walked(raw.get("start"), ways)}
    return graph


def _targets(step: object) -> list[str]:
    following = step.get("next") if isinstance(step, Mapping) else None
    if isinstance(following, str):
        return [following]
    if not isinstance(following, Mapping):
        return []
    return _by_way({way: target for way, target in following.items() if isinstance(target, str)})


def _by_way(ways: Mapping[str, str]) -> list[str]:
    return [ways[way] for way in sorted(ways, key=_rank_of_way)]


def _rank_of_way(way: str) -> tuple[int, str]:
    return (0 if way in _FIRST_WAYS else 2 if way in _LAST_WAYS else 1, way)


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value, key=_rank)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def _rank(key: str) -> tuple[int, int, str]:
    if key in _FIRST:
        return (0, _FIRST.index(key), "")
    if key in _LAST:
        return (2, _LAST.index(key), "")
    way = _rank_of_way(key)
    return (1, way[0], key)

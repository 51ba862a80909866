"""What stands on a segment, or on an offer: other segments, campaigns, journeys?

Owns the whole list, put together where all three can be seen. A journey uses a segment by its entry, a branch or an
exit rule, in its draft or in its newest version.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.uses import campaigns_on
from journeys.models import Journey, Version
from segments.saving.saved import segment_by_key
from segments.saving.uses import Use, uses_by_segments

_OVER = ("ended", "history")


def uses_of(session: Session, key: str) -> list[Use]:
    """Everything that uses the segment with this key, what has ended too. Raises NotFound."""
    return [*uses_by_segments(session, key), *higher_uses(session, key)]


def higher_uses(session: Session, key: str) -> list[Use]:
    """The uses by campaigns and journeys, for the verbs of segments, which know their own."""
    segment = segment_by_key(session, key)
    campaigns = [Use("campaign", campaign.key, campaign.name, "its audience", over=campaign.state in _OVER)
                 for campaign in campaigns_on(session, segment.id, over=True)]
    return [*campaigns, *_by_journeys(session, key)]


def journeys_with_offer(session: Session, key: str) -> list[str]:
    """The journeys that name this offer, in their draft or in any version: people may be inside of each."""
    found = []
    for journey in session.scalars(select(Journey).order_by(Journey.name, Journey.id)):
        pinned = [pins["offers"] for pins in session.scalars(
            select(Version.pins).where(Version.journey_id == journey.id))]
        if any(key in offers for offers in pinned) or _names_offer(journey.draft, key):
            found.append(f"the journey “{journey.name}”")
    return found


def _names_offer(value: Any, key: str) -> bool:
    if isinstance(value, dict):
        return key in (value.get("offer"), value.get("code_ends")) or any(
            _names_offer(inner, key) for inner in value.values())
    return isinstance(value, list) and any(_names_offer(inner, key) for inner in value)


def _by_journeys(session: Session, key: str) -> list[Use]:
    found = []
    for journey in session.scalars(select(Journey).order_by(Journey.name, Journey.id)):
        newest = session.scalar(select(Version.graph).where(Version.journey_id == journey.id)
                                .order_by(Version.number.desc()).limit(1))
        places = {_said(path) for graph in (journey.draft, newest) for path in _paths(graph, key)}
        if places:
            found.append(Use("journey", journey.key, journey.name, ", ".join(sorted(places)),
                             over=journey.state == "ended"))
    return found


def _paths(value: Any, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        if value.get("segment") == key or (path[-1:] == ("list",) and key in value.values()):
            yield path
        for name, inner in value.items():
            yield from _paths(inner, key, (*path, str(name)))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, key, path)


def _said(path: tuple[str, ...]) -> str:
    if path[:1] == ("entry",):
        return "people enter from it"
    if path[:1] == ("exit_when",):
        return "in what ends it early"
    return f"in the step {path[1]}" if len(path) > 1 else "in its rules"

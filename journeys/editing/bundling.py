"""How does a whole campaign live in a file: its plan, its journey, and what that names?

Owns the bundle, one object (as JSON or YAML) with the campaign's plan, the graph, and the segments, offers and contents
it names, each under its key. The promises: what is exported comes back the same, in the same order, so that two
files differ only where the campaigns differ; reading a file changes what differs and nothing else; keys are the only
identities.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, read_instant, save_campaign
from campaigns.problems import InvalidPlan, Problem
from campaigns.showing import segment_key
from core.errors import Conflict, Invalid, WinbackError
from core.storable import place_not_storable
from coupons.models import Offer
from coupons.offers.checking import Given
from coupons.offers.offers import save_offer
from delivery.contents import save_content
from delivery.models import Content, ContentRevision
from journeys.editing.checking_draft import rules_of
from journeys.editing.editing import publish_problems, save_draft
from journeys.editing.file_text import written_yaml
from journeys.graphs.graph import Call, Change, Give, Graph, Send
from journeys.graphs.reading import read_graph
from journeys.graphs.schema import graph_schema
from journeys.models import Journey
from segments.language.conditions import InSegment
from segments.language.rules import parse_rule
from segments.models import Segment, SegmentVersion
from segments.saving.saved import save_segment

FORMAT = "winback-campaign-1"
PLAN = ("name", "objective", "timezone", "goal_categories", "holdout_percent", "budget_cents", "currency",
        "planned_people", "not_to", "standing_off", "starts_at", "ends_at")
_TEXTS = ("subject", "mjml", "letter", "call_script")
_NO_KEYS = frozenset({"percent"})


@dataclass(frozen=True)
class Bundle:
    """A campaign in a file. Each of `segments`, `offers` and `contents` is key -> what is saved under it."""

    key: str
    plan: Mapping[str, Any]
    graph: Mapping[str, Any]
    segments: Mapping[str, Mapping[str, Any]]
    offers: Mapping[str, Mapping[str, Any]]
    contents: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The bundle as it is written."""
        return {"format": FORMAT, "key": self.key, "campaign": dict(self.plan), "journey": dict(self.graph),
                **{name: {key: dict(value) for key, value in sorted(getattr(self, name).items())}
                   for name in ("segments", "offers", "contents")}}


def written(bundle: Bundle, *, as_yaml: bool = False) -> str:
    """The file's text: keys in order, one value a line, so that a change is a line of its own."""
    if as_yaml:
        return written_yaml(bundle.to_json())
    return json.dumps(bundle.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def is_bundle(value: object) -> bool:
    """Whether a file's JSON is a bundle, and not a graph alone."""
    return isinstance(value, Mapping) and "format" in value


def read_bundle(value: object) -> Bundle:
    """The bundle in a file's JSON. Raises Invalid naming the place; what parts mean is judged when they are saved."""
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise Invalid(f'This is not a campaign as a file. It begins with "format": "{FORMAT}".', place="format")
    strange = sorted(set(value) - {"format", "key", "campaign", "journey", "segments", "offers", "contents"})
    if strange:
        raise Invalid(f"“{strange[0]}” is not a part of a campaign's file.", place=strange[0])
    no_text = place_not_storable(value)
    if no_text is not None:
        raise Invalid("This holds characters that are no text. Type it again.", place=no_text or "format")
    key = value.get("key")
    if not isinstance(key, str) or not key:
        raise Invalid("The campaign has no key. Small letters, digits and dashes make one.", place="key")
    for name in ("campaign", "journey"):
        if not isinstance(value.get(name), Mapping):
            raise Invalid("This part is missing, or is not an object.", place=name)
    parts: dict[str, dict[str, Any]] = {}
    for name in ("segments", "offers", "contents"):
        part = value.get(name, {})
        if not isinstance(part, Mapping) or not all(isinstance(each, Mapping) for each in part.values()):
            raise Invalid("This part is an object of key and value.", place=name)
        parts[name] = {str(own): dict(each) for own, each in part.items()}
    return Bundle(key, dict(value["campaign"]), dict(value["journey"]), **parts)


def export(session: Session, campaign_key: str) -> Bundle:
    """A campaign as a bundle, with the draft of its journey. Raises NotFound, Conflict without a journey."""
    campaign = campaign_by_key(session, campaign_key)
    journey = session.scalars(select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    if journey is None:
        raise Conflict(f"{campaign.name} has no journey to export.")
    plan = {name: _plain(getattr(campaign, name)) for name in PLAN}
    plan = {name: value for name, value in plan.items() if value not in (None, [])}
    segment = segment_key(session, campaign)
    if segment is not None:
        plan["segment"] = segment
    graph = read_graph(journey.draft).graph
    segments, offers, contents = _named(campaign, segment, graph)
    return Bundle(campaign.key, plan, journey.draft, _segments(session, segments), _offers(session, offers),
                  _contents(session, contents))


def bring(session: Session, bundle: Bundle, *, author: str | None = None, now: datetime) -> Journey:
    """Make or change everything the bundle names, and keep its graph as the journey's draft; nothing runs by this.

    What is there and the same is left alone. Raises what saving each part raises, with the part in its place.
    """
    for key, segment in bundle.segments.items():
        if _segments(session, {key}).get(key) != dict(segment):
            _told("segments", key, segment, {"name", "rule", "description"}, texts=("name", "description"))
            with _inside(f"segments.{key}.rule"):
                rule = parse_rule(segment["rule"])
            with _inside(f"segments.{key}"):
                save_segment(session, key, name=segment["name"], rule=rule, description=segment.get("description"),
                             author=author, now=now)
    for key, offer in bundle.offers.items():
        if _offers(session, {key}).get(key) != dict(offer):
            _told("offers", key, offer, set(Given.__annotations__))
            with _inside(f"offers.{key}"):
                fields: Any = {name: _instant(value, name) if name in ("valid_from", "valid_until") else value
                               for name, value in offer.items()}
                save_offer(session, key, now=now, **fields)
    for key, content in bundle.contents.items():
        if _contents(session, {key}).get(key) != dict(content):
            known = ("name", "message_class", "language", *_TEXTS)
            _told("contents", key, content, set(known), texts=known)
            with _inside(f"contents.{key}"):
                save_content(session, key, author=author, now=now, **content)
    before = session.scalars(select(Campaign).where(Campaign.key == bundle.key)).one_or_none()
    fields = {name: value for name, value in bundle.plan.items()
              # The window and the share left alone of a campaign that runs stay as they are, unless they differ.
              if before is None or _plain(getattr(before, name, None)) != value}
    _told("campaign", bundle.key, bundle.plan, {*PLAN, "segment", "owner"}, needs=())
    with _inside("campaign"):
        campaign = save_campaign(session, bundle.key, fields=fields, now=now)
    journey = session.scalars(select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    return save_draft(session, bundle.key if journey is None else journey.key, bundle.graph, campaign_id=campaign.id,
                      now=now)


def bundle_problems(session: Session, bundle: Bundle, *, now: datetime) -> list[Problem]:
    """What publishing the bundle would find. Everything it brings is saved, looked at and taken back."""
    trial = session.begin_nested()
    try:
        journey = bring(session, bundle, now=now)
        return publish_problems(session, journey.key, journey.draft, now=now)
    except InvalidPlan as error:
        return list(error.problems)
    except WinbackError as error:
        return [Problem(error.place or "format", error.message, "")]
    finally:
        trial.rollback()


def bundle_schema() -> dict[str, Any]:
    """The JSON Schema of a campaign's file; the graph's own stands inside it."""
    graph = graph_schema()
    graph.pop("$schema", None)
    texts = {name: {"type": "string"} for name in _TEXTS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A campaign as a file", "type": "object",
        "additionalProperties": False, "required": ["format", "key", "campaign", "journey"],
        "properties": {
            "format": {"const": FORMAT}, "key": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,99}$"},
            "campaign": {"type": "object", "additionalProperties": False,
                         "properties": {name: {} for name in (*PLAN, "segment", "owner")}},
            "journey": graph,
            "segments": {"type": "object", "additionalProperties": {
                "type": "object", "additionalProperties": False, "required": ["name", "rule"],
                "properties": {"name": {"type": "string"}, "description": {"type": "string"},
                               "rule": {"type": "object"}}}},
            "offers": {"type": "object", "additionalProperties": {
                "type": "object", "additionalProperties": False, "required": ["name", "kind"],
                "properties": {name: {} for name in Given.__annotations__}}},
            "contents": {"type": "object", "additionalProperties": {
                "type": "object", "additionalProperties": False, "required": ["name"],
                "properties": {"name": {"type": "string"}, "language": {"type": "string"},
                               "message_class": {"enum": ["marketing", "service", "transactional"]}, **texts}}},
        },
    }


def _told(
    part: str, key: str, value: Mapping[str, Any], known: set[str], *, needs: tuple[str, ...] = ("name",),
    texts: tuple[str, ...] = (),
) -> None:
    place = part if part == "campaign" else f"{part}.{key}"
    strange = sorted(set(value) - known)
    if strange:
        raise Invalid(f"“{strange[0]}” is not known here.", place=f"{place}.{strange[0]}")
    needs = (*needs, "rule") if part == "segments" else needs
    for name in needs:
        if name not in value:
            raise Invalid(f"“{name}” is missing.", place=place)
    for name in texts:
        if name in value and not isinstance(value[name], str):
            raise Invalid("This is not a text. Write it in quotes.", place=f"{place}.{name}")


@contextmanager
def _inside(part: str) -> Iterator[None]:
    """What a part of the file is refused for, told with its place in the file."""
    try:
        yield
    except InvalidPlan as error:
        raise InvalidPlan([replace(each, place=f"{part}.{each.place}") for each in error.problems]) from None
    except WinbackError as error:
        # A key is the name of the part itself; some verbs tell the very key as the place.
        whole = error.place in (None, "key", part.partition(".")[2])
        raise type(error)(error.message, place=part if whole else f"{part}.{error.place}") from None


def _instant(value: object, name: str) -> datetime | None:
    try:
        return None if value is None else read_instant(value)
    except (ValueError, OverflowError):
        raise Invalid("This is not an instant. Use a date and time such as 2026-03-01T09:00+01:00.",
                      place=name) from None


def _named(campaign: Campaign, segment: str | None, graph: Graph | None) -> tuple[set[str], set[str], set[str]]:
    segments = set(campaign.not_to) | ({segment} if segment else set())
    if graph is None:
        return segments, set(), set()
    segments |= {graph.segment} - {""}
    segments |= {node.key for rule in rules_of(graph).values() for node in rule.walk() if isinstance(node, InSegment)}
    steps = graph.steps.values()
    segments |= {name for step in steps if isinstance(step, Change) for name in (step.add_to, step.remove_from) if name}
    return (segments, {step.offer for step in steps if isinstance(step, Send | Give | Call) and step.offer},
            {step.content for step in steps if isinstance(step, Send | Call)})


def _segments(session: Session, keys: set[str]) -> dict[str, dict[str, Any]]:
    """Rules by key; lists and frozen segments are people of one house and do not travel."""
    rows = session.execute(
        select(Segment.key, Segment.name, Segment.description, SegmentVersion.rule)
        .join(SegmentVersion, and_(SegmentVersion.segment_id == Segment.id, SegmentVersion.number == Segment.version))
        .where(Segment.key.in_(sorted(keys)), Segment.kind == "rule"))
    return {key: {"name": name, "rule": rule, **({"description": told} if told else {})}
            for key, name, told, rule in rows}


def _offers(session: Session, keys: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for offer in session.scalars(select(Offer).where(Offer.key.in_(sorted(keys)))):
        values = {name: _plain(getattr(offer, name)) for name in Given.__annotations__ if name not in _NO_KEYS}
        if offer.percent_bp is not None:
            values["percent"] = offer.percent_bp / 100
        found[offer.key] = {name: value for name, value in values.items() if value not in (None, [], "")}
    return found


def _contents(session: Session, keys: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for content, revision in session.execute(
            select(Content, ContentRevision).join(ContentRevision, and_(
                ContentRevision.content_id == Content.id, ContentRevision.number == Content.revision))
            .where(Content.key.in_(sorted(keys)))):
        texts = {name: getattr(revision, name) for name in _TEXTS if getattr(revision, name)}
        found[content.key] = {"name": content.name, "message_class": content.message_class,
                              "language": str(revision.compiled.get("language", "en")), **texts}
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value

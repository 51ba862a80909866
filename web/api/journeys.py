"""What happens to whom? The resource `journeys`: drafts, checks and publishing."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from campaigns.problems import Problem
from core.errors import NotFound
from journeys.editing import editing
from journeys.editing.entering import enter
from journeys.graphs.schema import graph_schema
from journeys.models import Journey, Version
from journeys.telling.showing import Traffic, page_of_journeys, standings, traffic, versions_of
from web.api.customers import clean
from web.campaigns.approvals import asking_person
from web.requests.bodies import Page, Resource, Whole, Words, listed, page_of
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-journeys", __name__, url_prefix="/api/v1",
                     description="Graphs of steps: the draft, its check, its published versions, and who stands where.")

_COUNT = 2**31 - 1


class DraftSchema(Schema):
    """A draft: the graph, and for a new journey the campaign it belongs to; `draft_version` is what the editor saw."""

    graph = fields.Dict(required=True)
    campaign = Words(longest=100)
    draft_version = Whole(least=0, most=_COUNT)


class CheckSchema(Schema):
    """A graph to check; left out: the stored draft."""

    graph = fields.Dict()


class PublishSchema(Schema):
    """What the author has seen: publishing the same thing twice, or something unseen, is then refused."""

    draft_version = Whole(least=0, most=_COUNT)
    number = Whole(least=1, most=_COUNT)
    author = Words(longest=200)


class ProblemAnswer(Schema):
    """One thing to mend."""

    place = fields.String(required=True)
    message = fields.String(required=True)
    fix = fields.String(required=True)


class CheckAnswer(Schema):
    """Whether a graph can be published, and every problem at once."""

    valid = fields.Boolean(required=True)
    problems = fields.List(fields.Nested(ProblemAnswer), required=True)


class JourneyAnswer(Schema):
    """A journey with its draft and its newest version; `people` are that version's, `versions` has everybody's."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    campaign = fields.String(required=True)
    state = fields.String(required=True)
    version = fields.Integer(allow_none=True)
    draft_version = fields.Integer(required=True)
    draft = fields.Dict()
    people = fields.Dict(allow_none=True)
    versions = fields.List(fields.Dict())
    updated_at = fields.String()


class JourneyPage(Schema):
    """One page of journeys."""

    items = fields.List(fields.Nested(JourneyAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class VersionAnswer(Schema):
    """A published version."""

    journey = fields.String(required=True)
    number = fields.Integer(required=True)
    published_at = fields.String(required=True)


class EntrySchema(Schema):
    """Who is let in, and what it is about, such as a cart: each key has a passage of its own."""

    customer = Words(longest=200, required=True)
    key = Words(longest=200)


class EnrolmentAnswer(Schema):
    """One person's passage through a journey. `new`: this request let them in."""

    id = fields.Integer(required=True)
    customer = fields.String(required=True)
    key = fields.String(allow_none=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True)
    step = fields.String(allow_none=True)
    arm = fields.String(allow_none=True)
    held_out = fields.Boolean(required=True)
    entered_at = fields.String(required=True)
    left_at = fields.String(allow_none=True)
    left_reason = fields.String(allow_none=True)
    new = fields.Boolean(required=True)


@blueprint.route("/journeys", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, JourneyPage)
def index(asked: dict[str, Any]) -> Response:
    """List journeys in the order in which they were made, without drafts and numbers."""
    after, limit = page_of(asked)
    with reading() as session:
        found, following = page_of_journeys(session, after=after, limit=limit)
        items = [_body(journey, campaign.key, number) for journey, campaign, number in found]
    return jsonify(listed(items, following))


@blueprint.route("/journeys/schema", methods=["GET"])
def schema() -> Response:
    """The JSON Schema of a graph."""
    return jsonify(graph_schema())


@blueprint.route("/journeys/<key>", methods=["GET"])
@blueprint.response(200, JourneyAnswer)
def show(key: str) -> Response:
    """Look one journey up, with its draft and who stands where."""
    with reading() as session:
        return jsonify(_whole(session, editing.journey_by_key(session, _storable(key))))


@blueprint.route("/journeys/<key>", methods=["PUT"])
@blueprint.arguments(DraftSchema)
@blueprint.response(200, JourneyAnswer)
def save(body: dict[str, Any], key: str) -> Response:
    """Keep a draft, right or wrong; publishing checks it."""
    now = request_now()
    with writing() as session:
        campaign_id = _campaign_id(session, key, body.get("campaign"))
        journey = editing.save_draft(session, key, body["graph"], campaign_id=campaign_id,
                                     expected_version=body.get("draft_version"), now=now)
        record(session, "journey.saved", f"journey:{key}", now=now, version=journey.draft_version)
        return jsonify(_whole(session, journey))


@blueprint.route("/journeys/<key>/check", methods=["POST"])
@blueprint.arguments(CheckSchema, required=False)
@blueprint.response(200, CheckAnswer)
def check(body: dict[str, Any], key: str) -> Response:
    """List every problem of the draft, or of the graph that was sent. Changes nothing."""
    now, key = request_now(), _storable(key)
    with reading() as session:
        graph = body["graph"] if "graph" in body else editing.journey_by_key(session, key).draft
        problems = editing.publish_problems(session, key, graph, now=now)
    return jsonify({"valid": not problems, "problems": [_problem(problem) for problem in problems]})


@blueprint.route("/journeys/<key>/publish", methods=["POST"])
@blueprint.arguments(PublishSchema, required=False)
@blueprint.response(201, VersionAnswer)
def publish(body: dict[str, Any], key: str) -> Response:
    """Freeze the draft as the next version and let it run (201). A draft that runs already, word for word and with the
    same texts, offers and segments, makes no second version (200)."""
    now, key = request_now(), _storable(key)
    with writing() as session:
        seen = "number" in body or "draft_version" in body  # then they say what they expect, and are told if it is not
        runs = None if seen else editing.running_as_drafted(session, key)
        version = runs or editing.publish(
            session, key, author=body.get("author") or asking_person().name,
            expected_version=body.get("draft_version"), expected_number=body.get("number"), now=now)
        if runs is None:
            record(session, "journey.published", f"journey:{key}", now=now, number=version.number)
        response = jsonify({"journey": key, "number": version.number,
                            "published_at": version.published_at.isoformat().replace("+00:00", "Z")})
    response.status_code = 201 if runs is None else 200
    return response


@blueprint.route("/journeys/<key>/enrolments", methods=["POST"])
@blueprint.arguments(EntrySchema)
@blueprint.response(201, EnrolmentAnswer)
def let_in(body: dict[str, Any], key: str) -> Response:
    """Let one person in (201). Whoever is inside, or may not come again, gets the passage there is (200); a repeated
    `Idempotency-Key` never makes two for one person."""
    now = request_now()
    given = request.headers.get("Idempotency-Key", "")[:200].replace("\x00", "")
    with writing() as session:
        entered = enter(session, _storable(key), clean(body["customer"], "customer"), by="api", key=body.get("key"),
                        request=given or None, now=now)
        found = entered.enrolment
        if entered.new:
            record(session, "journey.let_in", f"journey:{key}", now=now, customer=body["customer"])
        response = jsonify({
            "id": found.id, "customer": body["customer"], "key": found.key, "new": entered.new,
            "version": session.get_one(Version, found.version_id).number, "state": found.state, "step": found.step,
            "arm": found.arm, "held_out": found.held_out, "entered_at": _text(found.entered_at),
            "left_at": _text(found.left_at), "left_reason": found.left_reason})
    response.status_code = 201 if entered.new else 200
    return response


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _campaign_id(session: Session, key: str, campaign: str | None) -> int:
    """The campaign named, else the one the journey belongs to. Raises NotFound."""
    if campaign is not None:
        return campaign_by_key(session, campaign).id
    try:
        return editing.journey_by_key(session, _storable(key)).campaign_id
    except NotFound as error:
        raise NotFound(f"{error.message} To make it, name its campaign.", place="campaign") from error


def _whole(session: Session, journey: Journey) -> dict[str, Any]:
    versions = versions_of(session, journey)
    campaign = session.get_one(Campaign, journey.campaign_id)
    numbers = traffic(session, versions[0]) if versions else None
    return {**_body(journey, campaign.key, versions[0].number if versions else None), "draft": journey.draft,
            "people": None if numbers is None else _people(numbers),
            "versions": [asdict(each) for each in standings(session, journey)]}


def _body(journey: Journey, campaign: str, number: int | None) -> dict[str, Any]:
    return {"key": journey.key, "name": journey.name, "campaign": campaign, "state": journey.state, "version": number,
            "draft_version": journey.draft_version,
            "updated_at": journey.updated_at.isoformat().replace("+00:00", "Z")}


def _people(numbers: Traffic) -> dict[str, Any]:
    return {"entered": numbers.entered, "excluded": numbers.excluded, "held_out": numbers.held_out,
            "inside": numbers.inside, "here": numbers.here, "set_aside": numbers.set_aside, "left": numbers.left}


def _problem(problem: Problem) -> dict[str, str]:
    return {"place": problem.place, "message": problem.message, "fix": problem.fix}


def _storable(key: str) -> str:
    return key.replace("\x00", "")

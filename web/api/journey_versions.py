"""What did a version change, who still walks through an older one, and how do they come over? Below `journeys`."""

from datetime import datetime
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from core.errors import NotFound
from journeys.editing import editing, moving
from journeys.graphs.comparing import compare, standing
from journeys.graphs.reading import parse_graph
from journeys.models import Journey, Version
from journeys.telling.showing import version_of, versions_of
from web.api.customers import clean
from web.frame.presentation import zone
from web.journeys.comparing import differences
from web.journeys.view import names_of
from web.requests.bodies import Resource, Whole, Words, listed
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-journey-versions", __name__, url_prefix="/api/v1",
                     description="Published versions: what changed, who stands where, moving people, retiring.")

_NEWEST = 2**31 - 1


class VersionLine(Schema):
    """One published version; its graph never changes."""

    number = fields.Integer(required=True)
    published_at = fields.String(required=True)
    author = fields.String(required=True, allow_none=True)


class VersionPage(Schema):
    """Every version; there are few, so they come in one page."""

    items = fields.List(fields.Nested(VersionLine), required=True)
    next = fields.String(required=True, allow_none=True)


class WithSchema(Schema):
    """The version to compare with; left out: the newest."""

    with_ = fields.Integer(data_key="with", validate=validate.Range(1, _NEWEST))


class DifferenceSchema(Schema):
    """One thing that differs, in words: a step's key (with its `name`) or a part of the journey itself. null: there
    was, or is, none."""

    what = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    was = fields.String(required=True, allow_none=True)
    now = fields.String(required=True, allow_none=True)


class StandingSchema(Schema):
    """People of the older version at one step. `target`: the step of the newest version they would go to, null: none
    has that name, so one must be chosen."""

    step = fields.String(required=True)
    people = fields.Integer(required=True)
    held_out = fields.Integer(required=True, metadata={"description": "so many of them are left alone"})
    target = fields.String(required=True, allow_none=True)


class ComparedAnswer(Schema):
    """A version with its graph, what the other one changed, and who could be moved (to the newest only)."""

    number = fields.Integer(required=True)
    graph = fields.Dict(required=True)
    compared_with = fields.Integer(required=True)
    differences = fields.List(fields.Nested(DifferenceSchema), required=True)
    people = fields.List(fields.Nested(StandingSchema), required=True)
    targets = fields.List(fields.String(), required=True)


class MoveSchema(Schema):
    """Who is moved: those at `step`, to `target` of the newest version (left out: the step of the same name). `people`
    is the number that was looked at: with far more there by now, nobody is moved."""

    step = Words(longest=60, required=True)
    target = Words(longest=60)
    people = Whole(least=0)


class PeopleAnswer(Schema):
    """How many people it was about; of a large crowd the worker does the rest part by part."""

    people = fields.Integer(required=True)


@blueprint.route("/journeys/<key>/versions", methods=["GET"])
@blueprint.response(200, VersionPage)
def index(key: str) -> Response:
    """List the published versions, newest first."""
    with reading() as session:
        found = versions_of(session, editing.journey_by_key(session, clean(key, "key")))
        lines = [{"number": each.number, "published_at": _text(each.published_at), "author": each.author}
                 for each in found]
    return jsonify(listed(lines, None))


@blueprint.route("/journeys/<key>/versions/<int:number>", methods=["GET"])
@blueprint.arguments(WithSchema, location="query")
@blueprint.response(200, ComparedAnswer)
def show(asked: dict[str, Any], key: str, number: int) -> Response:
    """Look a version up: its graph, what the newest one changed against it, and who still walks through it."""
    with reading() as session:
        journey = editing.journey_by_key(session, clean(key, "key"))
        newest = editing.newest_version(session, journey)
        old = _version(session, journey, number)
        other = _version(session, journey, asked["with_"]) if "with_" in asked else newest
        assert other is not None and newest is not None  # there is a version, so there is a newest one
        before, after = parse_graph(old.graph), parse_graph(other.graph)
        lines = differences(compare(before, after), (before, old.graph), (after, other.graph), names_of(session),
                            zone=zone())
        movable = other.id == newest.id != old.id
        people = standing(session, old, newest) if movable else []
        return jsonify({
            "number": old.number, "graph": old.graph, "compared_with": other.number,
            "differences": [{"what": line.what, "name": line.name or None, "was": line.was, "now": line.now}
                            for line in lines],
            "people": [{"step": each.step, "people": each.people, "held_out": each.held_out, "target": each.target}
                       for each in people],
            "targets": moving.steps_to_choose(newest) if movable else []})


@blueprint.route("/journeys/<key>/versions/<int:number>/move", methods=["POST"])
@blueprint.arguments(MoveSchema)
@blueprint.response(200, PeopleAnswer)
def move(body: dict[str, Any], key: str, number: int) -> Response:
    """Bring those who stand at one step of an older version to the newest one."""
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        people = moving.take_over(session, key, number=min(number, _NEWEST), step=body["step"],
                                  target=body.get("target"), expected_people=body.get("people"), now=now)
        record(session, "journey.moved", f"journey:{key}", now=now, number=number, step=body["step"], people=people)
        return jsonify({"people": people})


@blueprint.route("/journeys/<key>/versions/<int:number>/retire", methods=["POST"])
@blueprint.response(200, PeopleAnswer)
def retire(key: str, number: int) -> Response:
    """End an older version: whoever is still inside it leaves."""
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        people = moving.retire(session, key, number=min(number, _NEWEST), now=now)
        record(session, "journey.version_retired", f"journey:{key}", now=now, number=number, people=people)
        return jsonify({"people": people})


def _version(session: Session, journey: Journey, number: int) -> Version:
    found = version_of(session, journey, number) if number <= _NEWEST else None
    if found is None:
        raise NotFound(f"{journey.name} has no version {min(number, _NEWEST)}.")
    return found


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")

"""Which audiences are there, and how many people does a rule hold for? The resource `segments`."""

from datetime import UTC
from typing import Any

from flask import Response, g, jsonify
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from coupons.codes.showing import instant_text
from segments.language.rules import parse_rule
from segments.models import Segment
from segments.saving.saved import list_segments, save_segment, segment_by_key, segment_rule
from segments.telling.words import sentence
from web.requests.bodies import Page, Resource, Whole, Words, listed, page_of
from web.requests.questions import questions
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_scope
from web.security.audit import record

blueprint = Resource("api-segments", __name__, url_prefix="/api/v1", description="Audiences, defined by rules.")


class SegmentSchema(Schema):
    """A segment: name and rule; `version` is the one the editor saw, so that two editors notice each other."""

    name = Words(longest=200, required=True)
    rule = fields.Raw(required=True, metadata={"type": "object", "description": "the rule language"})
    description = Words(longest=5000, shortest=0, allow_none=True, load_default=None)
    version = Whole(most=2**31 - 1, allow_none=True, load_default=None)


class NewSegmentSchema(SegmentSchema):
    """A new segment and the key that rules, journeys and campaigns name it by."""

    key = Words(longest=100, required=True)


class SegmentAnswer(Schema):
    """A segment with its rule and the rule's sentence in each language."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(allow_none=True)
    version = fields.Integer(required=True)
    rule = fields.Dict(required=True)
    words = fields.Dict(keys=fields.String(), values=fields.String())
    kind = fields.String(metadata={"description": "rule, list or snapshot"})
    folder = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    refresh_seconds = fields.Integer(allow_none=True)
    archived = fields.Boolean()
    created_at = fields.String()
    updated_at = fields.String()


class SegmentPage(Schema):
    """One page of segments."""

    items = fields.List(fields.Nested(SegmentAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class CountSchema(Schema):
    """A rule to count, and as of when (now, if not said)."""

    rule = fields.Raw(required=True, metadata={"type": "object", "description": "the rule language"})
    as_of = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)


class CountAnswer(Schema):
    """How many people, as things stood at `as_of`; `facts_at` is how fresh the facts are."""

    count = fields.Integer(required=True)
    as_of = fields.String(required=True)
    facts_at = fields.String(required=True)
    engine = fields.String(required=True)
    took_ms = fields.Float(required=True)
    words = fields.Dict(keys=fields.String(), values=fields.String())


def segment_body(session: Session, segment: Segment) -> dict[str, Any]:
    """A segment as programs see it."""
    rule = segment_rule(session, segment.key)
    return {
        "key": segment.key, "name": segment.name, "description": segment.description, "version": segment.version,
        "rule": rule.to_json(), "words": {language: sentence(rule, language=language) for language in ("en", "de")},
        "kind": segment.kind, "folder": segment.folder, "tags": list(segment.tags),
        "refresh_seconds": segment.refresh_seconds, "archived": segment.archived_at is not None,
        "created_at": instant_text(segment.created_at), "updated_at": instant_text(segment.updated_at),
    }


@blueprint.route("/segments", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, SegmentPage)
def index(asked: dict[str, Any]) -> Response:
    """List segments in the order of their keys; archived ones are left out."""
    _start, limit = page_of({**asked, "after": None})
    after = asked["after"] or ""
    with reading() as session:
        found = sorted((segment for segment in list_segments(session) if segment.key > after),
                       key=lambda segment: segment.key)
        items = [segment_body(session, segment) for segment in found[:limit]]
    return jsonify(listed(items, items[-1]["key"] if len(found) > limit else None))


@blueprint.route("/segments/<key>", methods=["GET"])
@blueprint.response(200, SegmentAnswer)
def show(key: str) -> Response:
    """Look one segment up, archived or not."""
    with reading() as session:
        return jsonify(segment_body(session, segment_by_key(session, key.replace("\x00", ""))))


@blueprint.route("/segments", methods=["POST"])
@blueprint.arguments(NewSegmentSchema)
@blueprint.response(201, SegmentAnswer)
def create(body: dict[str, Any]) -> Response:
    """Make a new segment."""
    key = body["key"]
    try:
        response = jsonify(_save(key, body, expected=0))
    except Conflict as error:
        raise Conflict(f'There is a segment "{key}" already. Choose another key or replace that one.',
                       place="key") from error
    response.status_code = 201
    return response


@blueprint.route("/segments/<key>", methods=["PUT"])
@blueprint.arguments(SegmentSchema)
@blueprint.response(200, SegmentAnswer)
def replace(body: dict[str, Any], key: str) -> Response:
    """Save the next version of a segment, or make it. The same rule again adds no version."""
    return jsonify(_save(key, body, expected=body["version"]))


def _save(key: str, body: dict[str, Any], *, expected: int | None) -> dict[str, Any]:
    now, rule = request_now(), parse_rule(body["rule"])
    with writing() as session:
        segment = save_segment(session, key, name=body["name"], rule=rule, author=f"key {g.api_key.name}"[:200],
                               description=body["description"], expected_version=expected, now=now)
        record(session, "segment.saved", f"segment:{key}", now=now, version=segment.version)
        return segment_body(session, segment)


@blueprint.route("/segments/count", methods=["POST"])
@blueprint.arguments(CountSchema)
@blueprint.response(200, CountAnswer)
@needs_scope("read")
def count(body: dict[str, Any]) -> Response:
    """Count the people a rule holds for. Changes nothing."""
    now, rule = request_now(), parse_rule(body["rule"])
    as_of = body["as_of"] or now
    if not 1970 <= as_of.year <= 9000:
        raise Invalid("Use a year from 1970 to 9000.", place="as_of")
    answer = questions().count(rule, as_of=as_of, now=now)
    return jsonify({
        "count": answer.value, "as_of": instant_text(answer.as_of), "facts_at": instant_text(answer.facts_at),
        "engine": answer.engine, "took_ms": round(answer.took_ms, 1),
        "words": {language: sentence(rule, language=language) for language in ("en", "de")},
    })

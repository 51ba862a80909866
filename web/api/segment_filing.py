"""Where does a segment lie, what stands on it, and may it go? The resource `segments`, filed, archived and deleted."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from coupons.codes.showing import instant_text
from journeys.uses import higher_uses, uses_of
from segments.language.rules import parse_rule
from segments.saving.filing import (
    archive_segment,
    delete_segment,
    file_segment,
    rename_segment,
    set_refreshing,
    unarchive_segment,
)
from segments.saving.saved import segment_by_key, versions_of
from segments.telling.words import sentence
from web.api.segments import SegmentAnswer, segment_body
from web.requests.bodies import Resource, Whole, Words
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-segment-filing", __name__, url_prefix="/api/v1", description="Segments kept in order.")


class FilingSchema(Schema):
    """What is to change; what is left out stays. `refresh_seconds` null: only when somebody asks."""

    name = Words(longest=200)
    description = Words(longest=5000, shortest=0)
    folder = Words(longest=100, shortest=0, allow_none=True)
    tags = fields.List(Words(longest=100))
    refresh_seconds = Whole(most=2**31 - 1, allow_none=True)
    archived = fields.Boolean()


@blueprint.route("/segments/<key>", methods=["PATCH"])
@blueprint.arguments(FilingSchema)
@blueprint.response(200, SegmentAnswer)
def file(body: dict[str, Any], key: str) -> Response:
    """Rename, file, tag, archive a segment. 409 with the list of its uses when it is to be archived and is used."""
    now = request_now()
    with writing() as session:
        segment = segment_by_key(session, key)
        if "name" in body or "description" in body:
            rename_segment(session, key, name=body.get("name", segment.name), description=body.get("description"),
                           now=now)
        if "folder" in body or "tags" in body:
            file_segment(session, key, folder=body.get("folder", segment.folder), tags=body.get("tags", segment.tags),
                         now=now)
        if "refresh_seconds" in body:
            set_refreshing(session, key, seconds=body["refresh_seconds"])
        if body.get("archived") is True:
            archive_segment(session, key, above=higher_uses, now=now)
        elif body.get("archived") is False:
            unarchive_segment(session, key, now=now)
        record(session, "segment.filed", f"segment:{key}", now=now)
        return jsonify(segment_body(session, segment))


@blueprint.route("/segments/<key>", methods=["DELETE"])
@blueprint.response(204)
def delete(key: str) -> tuple[str, int]:
    """Delete a segment with its versions and history. 409 with the list of what uses it."""
    now = request_now()
    with writing() as session:
        delete_segment(session, key, above=higher_uses)
        record(session, "segment.deleted", f"segment:{key}", now=now)
    return "", 204


@blueprint.route("/segments/<key>/uses", methods=["GET"])
@blueprint.response(200)
def uses(key: str) -> Response:
    """The segments, campaigns and journeys that use it; `over` ones have ended."""
    with reading() as session:
        segment_by_key(session, key)
        found = [{"kind": use.kind, "key": use.key, "name": use.name, "how": use.how, "over": use.over}
                 for use in uses_of(session, key)]
    return jsonify({"items": found, "next": None})


@blueprint.route("/segments/<key>/versions", methods=["GET"])
@blueprint.response(200)
def versions(key: str) -> Response:
    """Every saved version with its rule and sentence, newest first."""
    with reading() as session:
        found = [{"version": version.number, "rule": version.rule, "words": sentence(parse_rule(version.rule)),
                  "author": version.author, "created_at": instant_text(version.created_at)}
                 for version in versions_of(session, key)]
    return jsonify({"items": found, "next": None})

"""Whom does the house leave out of every campaign? The resource `exclusions`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from campaigns.standing import Standing, list_standing, remove_standing, save_standing, standing_by_key
from segments.telling.words import sentence
from web.requests.bodies import Resource, Whole, Words
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-exclusions", __name__, url_prefix="/api/v1",
                     description="The standing exclusions: one list for the house, applied by journeys that say so.")


class ExclusionSchema(Schema):
    """What changes of an exclusion; a new one needs name and rule. `version` is what the editor saw, 0 at first."""

    name = Words(longest=50)
    rule = fields.Dict()
    active = fields.Boolean()
    version = Whole(least=0, most=2**31 - 1)


class ExclusionAnswer(Schema):
    """One exclusion; `asked_again`: also before each message, not only when somebody enters."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    rule = fields.Dict(required=True)
    sentence = fields.String(required=True)
    active = fields.Boolean(required=True)
    built_in = fields.Boolean(required=True)
    asked_again = fields.Boolean(required=True)
    version = fields.Integer(required=True)


class ExclusionPage(Schema):
    """The whole list, in the order in which people are counted out."""

    items = fields.List(fields.Nested(ExclusionAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/exclusions", methods=["GET"])
@blueprint.response(200, ExclusionPage)
def index() -> Response:
    """List the house's exclusions; there are few, so they come in one page."""
    with reading() as session:
        return jsonify({"items": [_body(each) for each in list_standing(session)], "next": None})


@blueprint.route("/exclusions/<key>", methods=["GET"])
@blueprint.response(200, ExclusionAnswer)
def show(key: str) -> Response:
    """Look one exclusion up."""
    with reading() as session:
        return jsonify(_body(standing_by_key(session, key.replace("\x00", ""))))


@blueprint.route("/exclusions/<key>", methods=["PUT"])
@blueprint.arguments(ExclusionSchema)
@blueprint.response(200, ExclusionAnswer)
def replace(body: dict[str, Any], key: str) -> Response:
    """Change the given fields of an exclusion, or add one of the house's own."""
    now = request_now()
    with writing() as session:
        found = save_standing(session, key.replace("\x00", ""), name=body.get("name"), rule=body.get("rule"),
                              active=body.get("active"), expected_version=body.get("version"), now=now)
        record(session, "standing.saved", f"standing:{found.key}", now=now, active=found.active,
               rule=dict(found.written))
        return jsonify(_body(found))


@blueprint.route("/exclusions/<key>", methods=["DELETE"])
@blueprint.response(204)
def remove(key: str) -> None:
    """Take one of the house's own off the list; those that are built in can only be switched off."""
    now = request_now()
    with writing() as session:
        remove_standing(session, key.replace("\x00", ""))
        record(session, "standing.removed", f"standing:{key[:150]}", now=now)


def _body(each: Standing) -> dict[str, Any]:
    return {"key": each.key, "name": each.name, "rule": dict(each.written), "sentence": sentence(each.rule),
            "active": each.active, "built_in": each.built_in, "asked_again": each.asked_again,
            "version": each.version}

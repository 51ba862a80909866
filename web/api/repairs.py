"""A campaign that said something wrong. Below the resource `campaigns`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from journeys.editing.repairing import repair, spoken
from web.api.campaigns import blueprint
from web.campaigns.approvals import asking_person
from web.requests.bodies import Whole, Words, listed
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record


class SpokenAnswer(Schema):
    """One text a campaign has said: `out` people have it or may have it, `waiting` do not yet."""

    content = fields.String(required=True)
    name = fields.String(required=True)
    revision = fields.Integer(required=True)
    out = fields.Integer(required=True)
    waiting = fields.Integer(required=True)


class SpokenPage(Schema):
    """Every text; there are few, so they come in one page."""

    items = fields.List(fields.Nested(SpokenAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class WrongSchema(Schema):
    """Which text was wrong."""

    content = Words(longest=100, required=True)
    revision = Whole(least=1, required=True)


class RepairedAnswer(Schema):
    """What was done: `people` is the key of the list of those who have it, `correction` that of the drafted one."""

    stopped = fields.Boolean(required=True)
    withdrawn = fields.Integer(required=True)
    put_back = fields.Integer(required=True)
    listed = fields.Integer(required=True)
    people = fields.String(required=True, allow_none=True)
    correction = fields.String(required=True, allow_none=True)


@blueprint.route("/campaigns/<key>/repair", methods=["GET"])
@blueprint.response(200, SpokenPage)
def spoken_texts(key: str) -> Response:
    """List every text the campaign has said, and how many have it."""
    with reading() as session:
        lines = [{name: getattr(line, name) for name in ("content", "name", "revision", "out", "waiting")}
                 for line in spoken(session, key.replace("\x00", ""))]
    return jsonify(listed(lines, None))


@blueprint.route("/campaigns/<key>/repair", methods=["POST"])
@blueprint.arguments(WrongSchema)
@blueprint.response(200, RepairedAnswer)
def repair_text(body: dict[str, Any], key: str) -> Response:
    """Stop the campaign, take back what is not out, list who has it and draft the correction."""
    now, key = request_now(), key.replace("\x00", "")
    with writing() as session:
        done = repair(session, key, content=body["content"], revision=body["revision"], author=asking_person().name,
                      now=now)
        record(session, "campaign.repaired", f"campaign:{key}", now=now, content=body["content"],
               revision=body["revision"], withdrawn=done.withdrawn, listed=done.listed)
    return jsonify(vars(done))

"""Whom would a campaign reach today? Below the resource `campaigns`."""

from typing import Any

from flask import Response, current_app, jsonify
from marshmallow import Schema, fields

from customers.people import numbers_of
from journeys.editing.audience import audience, people_in
from web.api.campaigns import blueprint
from web.requests.bodies import Page, Words, listed, page_of
from web.requests.questions import questions
from web.requests.transactions import reading, request_now


class LineAnswer(Schema):
    """One line of the waterfall: `kind` is start, minus, left, channel, held_out or arm."""

    part = fields.String(required=True)
    kind = fields.String(required=True)
    words = fields.String(required=True)
    people = fields.Integer(required=True)


class AudienceAnswer(Schema):
    """The waterfall; lines below the exclusions were worked out for `worked_out_for` of the `left` people."""

    lines = fields.List(fields.Nested(LineAnswer), required=True)
    left = fields.Integer(required=True)
    worked_out_for = fields.Integer(required=True)


class PartQuery(Page):
    """Which line's people."""

    part = Words(longest=140, required=True)


class PersonAnswer(Schema):
    """One person of a line."""

    customer = fields.String(required=True)


class PartPage(Schema):
    """The people of one line, by customer number."""

    items = fields.List(fields.Nested(PersonAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/campaigns/<key>/audience", methods=["GET"])
@blueprint.response(200, AudienceAnswer)
def audience_of(key: str) -> Response:
    """Count the reach of a campaign as things stand: its segment, minus each exclusion, then channels and draws."""
    found = audience(questions(), key.replace("\x00", ""), now=request_now(), secret_key=_secret_key())
    return jsonify({"lines": [vars(line) for line in found.lines], "left": found.left, "worked_out_for": found.of})


@blueprint.route("/campaigns/<key>/audience/people", methods=["GET"])
@blueprint.arguments(PartQuery, location="query")
@blueprint.response(200, PartPage)
def people_of(asked: dict[str, Any], key: str) -> Response:
    """List the people of one line of the waterfall, by customer number."""
    after, limit = page_of(asked)
    _line, ids = people_in(questions(), key.replace("\x00", ""), asked["part"], now=request_now(),
                           secret_key=_secret_key())
    ahead = [customer_id for customer_id in ids if customer_id > after]
    with reading() as session:
        numbers = numbers_of(session, ahead[:limit])
    return jsonify(listed([{"customer": numbers[each]} for each in ahead[:limit] if each in numbers],
                          ahead[limit - 1] if len(ahead) > limit else None))


def _secret_key() -> str:
    return str(current_app.extensions["winback.settings"].secret_key)

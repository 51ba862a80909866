"""Which campaigns lie ready? The resource `plays`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from campaigns.showing import campaign_body, segment_key
from journeys.editing.playbook import play_by_key, plays, use_play
from web.api.campaigns import CampaignAnswer
from web.requests.bodies import Resource, Words
from web.requests.transactions import request_now, writing
from web.security.audit import record

blueprint = Resource("api-plays", __name__, url_prefix="/api/v1",
                     description="Ready campaigns, each with a segment, offers, contents and a journey.")


class PlayAnswer(Schema):
    """One play; `play` is the whole of it."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    says = fields.String(required=True)
    play = fields.Dict()


class PlayPage(Schema):
    """Every play; there are few, so they come in one page."""

    items = fields.List(fields.Nested(PlayAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class UseSchema(Schema):
    """The campaign that the play becomes."""

    key = Words(longest=100, required=True)
    name = Words(longest=200)
    owner = Words(longest=200)


@blueprint.route("/plays", methods=["GET"])
@blueprint.response(200, PlayPage)
def index() -> Response:
    """List the plays."""
    return jsonify({"items": [{"key": each.key, "name": each.name, "says": each.says} for each in plays()],
                    "next": None})


@blueprint.route("/plays/<key>", methods=["GET"])
@blueprint.response(200, PlayAnswer)
def show(key: str) -> Response:
    """Look one play up, with everything in it."""
    play = play_by_key(key)
    return jsonify({"key": play.key, "name": play.name, "says": play.says, "play": play.written})


@blueprint.route("/plays/<key>", methods=["POST"])
@blueprint.arguments(UseSchema)
@blueprint.response(201, CampaignAnswer)
def use(body: dict[str, Any], key: str) -> Response:
    """Plan a campaign from a play; what the house already has under the same keys is used as it is."""
    now, play = request_now(), play_by_key(key)
    with writing() as session:
        campaign = use_play(session, play, body["key"], name=body.get("name", play.name), owner=body.get("owner"),
                            now=now)
        record(session, "campaign.saved", f"campaign:{campaign.key}", now=now, play=play.key)
        response = jsonify(campaign_body(campaign, segment=segment_key(session, campaign)))
    response.status_code = 201
    return response

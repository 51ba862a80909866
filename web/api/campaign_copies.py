"""A campaign as the template of the next one. Below the resource `campaigns`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema

from campaigns.showing import campaign_body, segment_key
from journeys.editing.duplicating import duplicate
from web.api.campaigns import CampaignAnswer, blueprint
from web.requests.bodies import Words
from web.requests.transactions import request_now, writing
from web.security.audit import record


class CopySchema(Schema):
    """The copy's own key and name."""

    key = Words(longest=100, required=True)
    name = Words(longest=200, required=True)
    owner = Words(longest=200)


@blueprint.route("/campaigns/<key>/duplicate", methods=["POST"])
@blueprint.arguments(CopySchema)
@blueprint.response(201, CampaignAnswer)
def copy_of(body: dict[str, Any], key: str) -> Response:
    """Copy a campaign with its journey's draft; the window is left open."""
    now = request_now()
    with writing() as session:
        copy = duplicate(session, key.replace("\x00", ""), new_key=body["key"], name=body["name"],
                         owner=body.get("owner"), now=now)
        record(session, "campaign.saved", f"campaign:{copy.key}", now=now, copy_of=key[:100])
        response = jsonify(campaign_body(copy, segment=segment_key(session, copy)))
    response.status_code = 201
    return response

"""What holds for the whole house? The resource `settings`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from journeys.entry.holding_out import global_percent, set_global_percent
from web.requests.bodies import Resource
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-settings", __name__, url_prefix="/api/v1", description="What holds for the whole house.")


class HoldoutSchema(Schema):
    """The share of all customers whom every journey published from now on leaves alone, 0 to 50."""

    percent = fields.Float(required=True, allow_nan=False)


@blueprint.route("/settings/holdout", methods=["GET"])
@blueprint.response(200, HoldoutSchema)
def show() -> Response:
    """The share left alone everywhere."""
    with reading() as session:
        return jsonify({"percent": global_percent(session)})


@blueprint.route("/settings/holdout", methods=["PUT"])
@blueprint.arguments(HoldoutSchema)
@blueprint.response(200, HoldoutSchema)
def save(body: dict[str, Any]) -> Response:
    """Set that share; versions published before keep theirs."""
    now = request_now()
    with writing() as session:
        found = set_global_percent(session, body["percent"], now=now)
        record(session, "holdout.set", "global-holdout", now=now, percent=found.percent)
        return jsonify({"percent": found.percent})

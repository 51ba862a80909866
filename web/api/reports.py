"""What came of a campaign? The resource `reports`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from core.errors import Invalid
from reporting.histories import past_campaigns
from reporting.reports import campaign_report
from reporting.responders import grid
from web.requests.bodies import Page, Resource, limit_of, listed
from web.requests.transactions import reading, request_now

blueprint = Resource("api-reports", __name__, url_prefix="/api/v1",
                     description="Response (what people did) and effect (what came of writing to them).")


class ReportAnswer(Schema):
    """A campaign report; what is undefined is null."""

    campaign = fields.Dict(required=True)
    arms = fields.List(fields.Dict(), required=True)
    holdout = fields.Dict(required=True)
    effect = fields.Dict(required=True)
    srm = fields.Dict(required=True)
    verdict = fields.Dict()
    integrity = fields.List(fields.Dict())


class PastAnswer(Schema):
    """Campaigns that are over, with their response."""

    items = fields.List(fields.Dict(), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/reports", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, PastAnswer)
def index(asked: dict[str, Any]) -> Response:
    """List campaigns that are over, oldest first, with people, redemptions and the rate with its range."""
    limit, after, now = limit_of(asked), asked["after"], request_now()
    with reading() as session:
        items = [each.to_dict() for each in past_campaigns(session, now=now)]
    keys = [item["key"] for item in items]
    if after is not None and after not in keys:
        raise Invalid("Use the value that the page before gave as next.", place="after")
    first = 0 if after is None else keys.index(after) + 1
    return jsonify(listed(items[first:first + limit], keys[first + limit - 1] if first + limit < len(items) else None))


@blueprint.route("/reports/who-responds", methods=["GET"])
def who_responds() -> Response:
    """The grid of orders and revenue over the campaigns that are over."""
    now = request_now()
    with reading() as session:
        found: dict[str, Any] = grid(session, now=now).to_dict()
    return jsonify(found)


@blueprint.route("/reports/<campaign>", methods=["GET"])
@blueprint.response(200, ReportAnswer)
def show(campaign: str) -> Response:
    """The report of one campaign as of now."""
    now = request_now()
    with reading() as session:
        return jsonify(campaign_report(session, campaign.replace("\x00", ""), now=now).to_dict())

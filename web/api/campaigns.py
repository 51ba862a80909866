"""What is planned, and what runs? The resource `campaigns`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from campaigns.planning import campaign_by_key, save_campaign
from campaigns.showing import campaign_body, page_of_campaigns, segment_key
from core.errors import Conflict, NotFound
from web.requests.bodies import Exact, Page, Resource, Whole, Words, listed, page_of
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-campaigns", __name__, url_prefix="/api/v1",
                     description="What we want from whom, until when. Starting one is publishing its journey.")


class CampaignQuery(Page):
    """Which campaigns are listed."""

    state = Words(longest=12)


class CampaignSchema(Schema):
    """A campaign's plan; what is left out stays as it is. `version` is what the editor saw, so that two editors do not
    overwrite each other."""

    name = Words(longest=200)
    objective = Words(longest=10_000, shortest=0, allow_none=True)
    starts_at = Words(longest=40, allow_none=True)
    ends_at = Words(longest=40, allow_none=True)
    timezone = Words(longest=64)
    goal_categories = fields.List(Words(longest=200))
    segment = Words(longest=100, allow_none=True)
    not_to = fields.List(Words(longest=100))
    standing_off = fields.List(Words(longest=40))
    holdout_percent = Exact(least=0, most=50, places=4)
    budget_cents = Whole(least=1, allow_none=True)
    currency = Words(longest=3)
    planned_people = Whole(least=1, allow_none=True)
    owner = Words(longest=200, shortest=0, allow_none=True)
    version = Whole(least=1, most=2**31 - 1)


class NewCampaignSchema(CampaignSchema):
    """A new campaign and the key that codes and messages carry."""

    key = Words(longest=100, required=True)
    name = Words(longest=200, required=True)


class CampaignAnswer(Schema):
    """A campaign; instants are ISO 8601 in UTC, `ends_at` is exclusive."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    objective = fields.String(allow_none=True)
    kind = fields.String()
    state = fields.String(required=True)
    starts_at = fields.String(allow_none=True)
    ends_at = fields.String(allow_none=True)
    starts_on = fields.String(allow_none=True)
    ends_on = fields.String(allow_none=True)
    timezone = fields.String()
    goal_categories = fields.List(fields.String())
    segment = fields.String(allow_none=True)
    not_to = fields.List(fields.String())
    standing_off = fields.List(fields.String())
    holdout_percent = fields.Float()
    budget_cents = fields.Integer(allow_none=True)
    currency = fields.String()
    planned_people = fields.Integer(allow_none=True)
    owner = fields.String(allow_none=True)
    version = fields.Integer()
    updated_at = fields.String()


class CampaignPage(Schema):
    """One page of campaigns."""

    items = fields.List(fields.Nested(CampaignAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/campaigns", methods=["GET"])
@blueprint.arguments(CampaignQuery, location="query")
@blueprint.response(200, CampaignPage)
def index(asked: dict[str, Any]) -> Response:
    """List campaigns, those imported from the past included, in the order in which they were made."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = page_of_campaigns(session, state=asked.get("state"), after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/campaigns", methods=["POST"])
@blueprint.arguments(NewCampaignSchema)
@blueprint.response(201, CampaignAnswer)
def create(plan: dict[str, Any]) -> Response:
    """Plan a new campaign."""
    response = jsonify(_save(plan.pop("key"), plan, must_be_new=True))
    response.status_code = 201
    return response


@blueprint.route("/campaigns/<key>", methods=["GET"])
@blueprint.response(200, CampaignAnswer)
def show(key: str) -> Response:
    """Look one campaign up."""
    with reading() as session:
        campaign = campaign_by_key(session, key.replace("\x00", ""))
        return jsonify(campaign_body(campaign, segment=segment_key(session, campaign)))


@blueprint.route("/campaigns/<key>", methods=["PUT"])
@blueprint.arguments(CampaignSchema)
@blueprint.response(200, CampaignAnswer)
def replace(plan: dict[str, Any], key: str) -> Response:
    """Change the given fields of a campaign, or plan it."""
    return jsonify(_save(key, plan, must_be_new=False))


def _save(key: str, plan: dict[str, Any], *, must_be_new: bool) -> dict[str, Any]:
    now = request_now()
    seen = plan.pop("version", None)
    if "holdout_percent" in plan:
        plan["holdout_percent"] = float(plan["holdout_percent"])
    with writing() as session:
        if must_be_new:
            _refuse_taken(session, key)
        campaign = save_campaign(session, key, fields=plan, expected_version=0 if must_be_new else seen, now=now)
        record(session, "campaign.saved", f"campaign:{key}", now=now, version=campaign.version,
               standing_off=", ".join(campaign.standing_off) or None)
        return campaign_body(campaign, segment=segment_key(session, campaign))


def _refuse_taken(session: Any, key: str) -> None:
    try:
        campaign_by_key(session, key)
    except NotFound:
        return
    raise Conflict(f"There is a campaign {key} already. Choose another key, or PUT to change it.", place="key")

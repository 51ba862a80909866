"""May a campaign go out, and who said so? Below the resource `campaigns`.

Programs read and ask; approving takes a person who is signed in.
"""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from campaigns.approving import ask
from campaigns.house import house
from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from journeys.editing.approval_parts import parts_of
from reporting.results import instant_text
from web.api.campaigns import blueprint
from web.campaigns.approvals import approval_view, asking_person
from web.requests.bodies import Words
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record


class AskSchema(Schema):
    """What the approver should know."""

    note = Words(longest=2000, shortest=0)


class ChangeAnswer(Schema):
    """One part that is not what was asked about."""

    thing = fields.String(required=True)
    who = fields.String(required=True, allow_none=True)
    at = fields.String(required=True, allow_none=True)


class ApprovalAnswer(Schema):
    """Where a campaign stands: none, asked, approved, refused, or void since `changes`."""

    state = fields.String(required=True)
    needed = fields.Boolean(required=True)
    asked_by = fields.String(required=True, allow_none=True)
    asked_at = fields.String(required=True, allow_none=True)
    decided_by = fields.String(required=True, allow_none=True)
    decided_at = fields.String(required=True, allow_none=True)
    comment = fields.String(required=True, allow_none=True)
    changes = fields.List(fields.Nested(ChangeAnswer), required=True)


class HouseSchema(Schema):
    """How this house plans; `prices` per channel in cents, tiers as [pieces, unit_cents]."""

    approval_required = fields.Boolean(required=True)
    margin_rate = fields.Float(required=True, allow_none=True)
    prices = fields.Dict(required=True)
    print_lead_days = fields.Integer(required=True)


@blueprint.route("/campaigns/<key>/approval", methods=["GET"])
@blueprint.response(200, ApprovalAnswer)
def approval(key: str) -> Response:
    """Say whether the campaign is approved as it stands."""
    with reading() as session:
        return jsonify(_body(session, campaign_by_key(session, key.replace("\x00", ""))))


@blueprint.route("/campaigns/<key>/approval", methods=["POST"])
@blueprint.arguments(AskSchema, required=False)
@blueprint.response(201, ApprovalAnswer)
def ask_for_it(body: dict[str, Any], key: str) -> Response:
    """Ask for approval of the campaign as it stands; a person decides on the campaign's page."""
    now = request_now()
    with writing() as session:
        campaign = campaign_by_key(session, key.replace("\x00", ""))
        asked = ask(session, campaign, parts=parts_of(session, campaign), by=asking_person(), note=body.get("note"),
                    now=now)
        record(session, "approval.asked", f"campaign:{campaign.key}", now=now, approval=asked.id)
        response = jsonify(_body(session, campaign))
    response.status_code = 201
    return response


@blueprint.route("/house", methods=["GET"])
@blueprint.response(200, HouseSchema)
def house_rules() -> Response:
    """Say how this house plans; only an administrator changes it, on the settings page."""
    with reading() as session:
        rules = house(session)
    return jsonify({"approval_required": rules.approval_required, "margin_rate": rules.margin_rate,
                    "prices": {channel: price.to_json() for channel, price in rules.prices.items()},
                    "print_lead_days": rules.print_lead_days})


def _body(session: Session, campaign: Campaign) -> dict[str, Any]:
    view = approval_view(session, campaign)
    newest = view.newest
    return {
        "state": view.state, "needed": view.needed, "asked_by": newest and newest.asked_by,
        "asked_at": instant_text(newest.asked_at if newest else None), "decided_by": newest and newest.decided_by,
        "decided_at": instant_text(newest.decided_at if newest else None),
        "comment": newest and newest.comment,
        "changes": [{"thing": each.thing, "who": each.who, "at": instant_text(each.at)}
                    for each in view.changes]}

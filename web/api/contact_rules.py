"""At which hours, and how often, may customers hear from us? Below the resource `settings`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from delivery.contact_rules import contact_rules, rules_body, save_contact_rules
from web.requests.bodies import Resource
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-contact-rules", __name__, url_prefix="/api/v1",
                     description="Quiet hours and caps that hold over all campaigns.")


class ContactRulesSchema(Schema):
    """Per channel `rest` ({"from": "20:00", "until": "08:00"}), `rest_days` (0 is Monday) and `most`
    ({"count": 2, "days": 7}); `together` is a cap over all channels. What is left out holds nothing back."""

    zone = fields.String()
    channels = fields.Dict()
    together = fields.Dict(allow_none=True)
    rest_for_service = fields.Boolean()


@blueprint.route("/settings/contact-rules", methods=["GET"])
@blueprint.response(200, ContactRulesSchema)
def show() -> Response:
    """The rules as they hold now."""
    with reading() as session:
        return jsonify(rules_body(contact_rules(session.connection())))


@blueprint.route("/settings/contact-rules", methods=["PUT"])
@blueprint.arguments(ContactRulesSchema)
@blueprint.response(200, ContactRulesSchema)
def save(body: dict[str, Any]) -> Response:
    """Replace the rules; they hold for every message that has not left the house."""
    now = request_now()
    with writing() as session:
        saved = rules_body(save_contact_rules(session, body, author=None, now=now))
        record(session, "contact_rules.saved", "contact-rules", now=now, **saved)
        return jsonify(saved)

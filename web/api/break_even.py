"""Would a campaign be worth it? Below the resource `campaigns`."""

from flask import Response, current_app, jsonify
from marshmallow import Schema, fields

from journeys.editing.audience import audience
from reporting.break_even import break_even
from web.api.campaigns import blueprint
from web.requests.questions import questions
from web.requests.transactions import request_now


class PastEffectAnswer(Schema):
    """What an earlier campaign with the same goal caused, as rates."""

    name = fields.String(required=True)
    estimate = fields.Float(required=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)


class BreakEvenAnswer(Schema):
    """Costs against what one order on top brings, in cents; `orders` and `rate` are null where it cannot be told."""

    people = fields.Integer(required=True)
    sends = fields.Integer(required=True)
    cost_cents = fields.Integer(required=True)
    cost_by_channel = fields.Dict(required=True)
    per_order_cents = fields.Integer(required=True, allow_none=True)
    discount_cents = fields.Integer(required=True)
    basis = fields.String(required=True)
    orders = fields.Integer(required=True, allow_none=True)
    rate = fields.Float(required=True, allow_none=True)
    sentence = fields.String(required=True)
    past = fields.List(fields.Nested(PastEffectAnswer), required=True)
    currency = fields.String(required=True)


@blueprint.route("/campaigns/<key>/break-even", methods=["GET"])
@blueprint.response(200, BreakEvenAnswer)
def break_even_of(key: str) -> Response:
    """Say what every message costs and how many orders on top pay for that."""
    now, key = request_now(), key.replace("\x00", "")
    secret = str(current_app.extensions["winback.settings"].secret_key)
    found = break_even(questions(), key, audience(questions(), key, now=now, secret_key=secret), now=now)
    return jsonify({
        "people": found.people, "sends": found.sends, "cost_cents": found.cost_cents,
        "cost_by_channel": {channel: cents for channel, _people, cents in found.by_channel},
        "per_order_cents": found.per_order_cents, "discount_cents": found.discount_cents, "basis": found.basis,
        "orders": found.orders, "rate": found.rate, "sentence": found.sentence,
        "past": [vars(each) for each in found.past], "currency": found.currency})

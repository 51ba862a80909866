"""Which arm goes to the rest, and how often are arms drawn? Below the resource `journeys`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from journeys.arms.best_arms import beliefs
from journeys.arms.deciding import decide, decisions
from journeys.editing.editing import journey_by_key
from web.api.customers import clean
from web.requests.bodies import Resource
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-journey-arms", __name__, url_prefix="/api/v1",
                     description="Winners that go to the rest, and the shares of arms that learn.")


class DecisionSchema(Schema):
    """One split that keeps a rest back. `arm` null: not decided, and `reason` says why not."""

    step = fields.String(required=True)
    arm = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True)
    author = fields.String(required=True, allow_none=True)


class ArmsAnswer(Schema):
    """Decisions, and per best_arm step the share of each arm now."""

    decisions = fields.List(fields.Nested(DecisionSchema), required=True)
    shares = fields.Dict(required=True)


class ChoiceSchema(Schema):
    """The split and the arm that shall go to its rest."""

    step = fields.String(required=True)
    arm = fields.String(required=True)
    author = fields.String()


@blueprint.route("/journeys/<key>/arms", methods=["GET"])
@blueprint.response(200, ArmsAnswer)
def show(key: str) -> Response:
    """Say which arm goes to the rest of each split, and how often arms that learn are drawn."""
    with reading() as session:
        journey = journey_by_key(session, clean(key, "key"))
        found = [{"step": split.key, "arm": row.arm if row else None,
                  "reason": row.reason if row else "Nobody has looked yet.", "author": row.author if row else None}
                 for split, row in decisions(session, journey)]
        return jsonify({"decisions": found, "shares": beliefs(session.connection(), journey.id)})


@blueprint.route("/journeys/<key>/winner", methods=["POST"])
@blueprint.arguments(ChoiceSchema)
@blueprint.response(201, DecisionSchema)
def choose(body: dict[str, Any], key: str) -> Response:
    """Send one arm to everybody who waits for the winner; once."""
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        found = decide(session, key, clean(body["step"], "step"), clean(body["arm"], "arm"),
                       author=clean(body.get("author", "a program"), "author")[:200], now=now)
        record(session, "journey.winner", f"journey:{key}", now=now, step=found.step, arm=found.arm)
        response = jsonify({"step": found.step, "arm": found.arm, "reason": found.reason, "author": found.author})
    response.status_code = 201
    return response

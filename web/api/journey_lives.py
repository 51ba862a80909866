"""How does a program pause a journey, let it go on, or end it? Below the resource `journeys`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from journeys.editing import editing
from journeys.models import Journey
from web.api.customers import clean
from web.requests.bodies import Resource, Words
from web.requests.transactions import request_now, writing
from web.security.audit import record

blueprint = Resource("api-journey-lives", __name__, url_prefix="/api/v1",
                     description="Pausing a journey, letting it go on, ending it.")


class OverdueSchema(Schema):
    """What happens to whatever became due during the pause: it is done now (send), done without its messages (skip),
    or every date moves by the length of the pause (shift)."""

    overdue = Words(longest=10, required=True, validate=validate.OneOf(editing.OVERDUE))


class LifeAnswer(Schema):
    """Where the journey stands now. A large journey still goes on, or ends, part by part: `busy` until all is done."""

    key = fields.String(required=True)
    state = fields.String(required=True)
    busy = fields.Boolean(required=True)


class EndedAnswer(Schema):
    """Where the campaign stands now."""

    key = fields.String(required=True)
    state = fields.String(required=True)


@blueprint.route("/journeys/<key>/pause", methods=["POST"])
@blueprint.response(200, LifeAnswer)
def pause(key: str) -> Response:
    """Freeze everybody inside; what has not left the house is held."""
    return _act(key, "paused", editing.pause)


@blueprint.route("/journeys/<key>/resume", methods=["POST"])
@blueprint.arguments(OverdueSchema)
@blueprint.response(200, LifeAnswer)
def resume(body: dict[str, Any], key: str) -> Response:
    """Let a paused journey go on."""
    def go_on(session: Session, named: str, *, now: datetime) -> Journey:
        return editing.resume(session, named, overdue=body["overdue"], now=now)
    return _act(key, "resumed", go_on, overdue=body["overdue"])


@blueprint.route("/journeys/<key>/end", methods=["POST"])
@blueprint.response(200, LifeAnswer)
def end(key: str) -> Response:
    """End a journey and its campaign for good: everybody inside leaves, and nothing more goes out."""
    return _act(key, "ended", editing.end)


@blueprint.route("/campaigns/<key>/end", methods=["POST"])
@blueprint.response(200, EndedAnswer)
def end_campaign(key: str) -> Response:
    """End a campaign for good, planned or running, with its journey if it has one."""
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        campaign = editing.end_with_campaign(session, key, now=now)
        record(session, "campaign.ended", f"campaign:{key}", now=now)
        return jsonify({"key": key, "state": campaign.state})


def _act(key: str, verb: str, act: Callable[..., Journey], **told: str) -> Response:
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        journey = act(session, key, now=now)
        record(session, f"journey.{verb}", f"journey:{key}", now=now, **told)
        busy = journey.state == "ending" or journey.resuming is not None
        return jsonify({"key": key, "state": journey.state, "busy": busy})

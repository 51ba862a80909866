"""Which programs may journeys tell something? The resource `receivers`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from delivery import receivers
from delivery.hook_models import HookReceiver
from web.api.customers import clean
from web.requests.bodies import Resource
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import settings
from web.security.audit import record

blueprint = Resource("api-receivers", __name__, url_prefix="/api/v1",
                     description="Programs that journeys call with signed requests (Standard Webhooks).")


class ReceiverSchema(Schema):
    """A program; fields that are left out stay as they are. Both name and address are needed for a new one."""

    name = fields.String()
    url = fields.String()
    active = fields.Boolean()


class ReceiverAnswer(Schema):
    """A program and its calls by state. `secret` is there once, when it was made."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    url = fields.String(required=True)
    active = fields.Boolean(required=True)
    calls = fields.Dict(required=True)
    secret = fields.String()


class ReceiverPage(Schema):
    """All programs by name; there are few, so they come in one page."""

    items = fields.List(fields.Nested(ReceiverAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/receivers", methods=["GET"])
@blueprint.response(200, ReceiverPage)
def index() -> Response:
    """List the programs."""
    with reading() as session:
        return jsonify({"items": [_body(session, each) for each in receivers.list_receivers(session)], "next": None})


@blueprint.route("/receivers/<key>", methods=["GET"])
@blueprint.response(200, ReceiverAnswer)
def show(key: str) -> Response:
    """Look one program up."""
    with reading() as session:
        return jsonify(_body(session, receivers.receiver_by_key(session, clean(key, "key"))))


@blueprint.route("/receivers/<key>", methods=["PUT"])
@blueprint.arguments(ReceiverSchema)
@blueprint.response(200, ReceiverAnswer)
def save(body: dict[str, Any], key: str) -> Response:
    """Change a program (200), or add one (201, with its secret)."""
    now, key = request_now(), clean(key, "key")
    with writing() as session:
        secret = None
        if key in receivers.receiver_ids(session, [key]):
            found = receivers.save_receiver(session, key, name=body.get("name"), url=body.get("url"),
                                            active=body.get("active"), now=now)
        else:
            found, secret = receivers.add_receiver(
                session, key, name=body.get("name", ""), url=body.get("url", ""),
                secret_key=settings().secret_key, now=now)
            found.active = body.get("active", True)
        record(session, "receiver.saved", f"receiver:{key}", now=now, url=found.url, active=found.active)
        response = jsonify(_body(session, found) | ({"secret": secret} if secret else {}))
    response.status_code = 201 if secret else 200
    return response


def _body(session: Session, found: HookReceiver) -> dict[str, Any]:
    return {"key": found.key, "name": found.name, "url": found.url, "active": found.active,
            "calls": receivers.calls_by_state(session).get(found.id, {})}

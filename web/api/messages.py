"""What was said to whom, and what was not? The resource `messages`: the ledger, read only."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from delivery.showing import MessageFilter, find_message, list_messages
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import reading

blueprint = Resource("api-messages", __name__, url_prefix="/api/v1",
                     description="Decisions to speak or to stay silent, with what became of them.")


class MessageQuery(Page):
    """Which messages are listed; `state` may be `not_sent`, `channel` may be `none`."""

    state = Words(longest=16)
    channel = Words(longest=16)
    campaign = Words(longest=100)
    customer = Words(longest=200)
    reason = Words(longest=200)
    arm = Words(longest=60)
    step = Words(longest=60)


class MessageAnswer(Schema):
    """One message; instants are ISO 8601 in UTC, null while the thing has not happened."""

    id = fields.String(required=True)
    state = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    channel = fields.String(required=True, allow_none=True)
    customer = fields.String(required=True)
    origin = fields.String(required=True)
    campaign = fields.String(allow_none=True)
    arm = fields.String(required=True, allow_none=True)
    step = fields.String(allow_none=True)
    code = fields.String(allow_none=True)
    attempt = fields.Integer()
    cost_cents = fields.Integer()
    queued_at = fields.String()
    due_at = fields.String()
    sent_at = fields.String(allow_none=True)
    expected_at = fields.String(allow_none=True)


class MessagePage(Schema):
    """One page of messages."""

    items = fields.List(fields.Nested(MessageAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/messages", methods=["GET"])
@blueprint.arguments(MessageQuery, location="query")
@blueprint.response(200, MessagePage)
def index(asked: dict[str, Any]) -> Response:
    """List messages in the order in which they were decided."""
    after, limit = page_of(asked)
    chosen = MessageFilter(**{name: value for name, value in asked.items() if name not in ("after", "limit")})
    with reading() as session:
        items, following = list_messages(session, chosen, after=after, limit=limit)
    return jsonify(listed([_public(item) for item in items], following))


@blueprint.route("/messages/<public_id>", methods=["GET"])
@blueprint.response(200, MessageAnswer)
def show(public_id: str) -> Response:
    """Look one message up."""
    with reading() as session:
        return jsonify(_public(find_message(session, public_id.replace("\x00", ""))))


def _public(body: dict[str, Any]) -> dict[str, Any]:
    """Names are for pages; programs know people by the shop's own number."""
    return {name: value for name, value in body.items() if name not in ("name", "meaning")}

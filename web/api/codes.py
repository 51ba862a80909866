"""Which codes are out, and how do they stand? The resource `codes`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from coupons.codes.showing import find_code, list_codes
from coupons.states import SHOWN_STATES
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import reading, request_now

blueprint = Resource("api-codes", __name__, url_prefix="/api/v1", description="Codes that were issued.")


class CodeFilter(Page):
    """Which codes are listed; `expired` is derived from the validity."""

    state = fields.String(validate=validate.OneOf(SHOWN_STATES, error="Use one of {choices}."))
    campaign = Words(longest=100)
    offer = Words(longest=100)
    customer = Words(longest=200)


class CodeAnswer(Schema):
    """One code; instants are ISO 8601 in UTC, `valid_until` is exclusive and null without an end."""

    code = fields.String(required=True)
    display = fields.String()
    state = fields.String(required=True)
    offer = fields.String(required=True)
    campaign = fields.String(required=True, allow_none=True)
    customer = fields.String(required=True, allow_none=True)
    origin = fields.String()
    currency = fields.String(required=True)
    valid_from = fields.String(required=True)
    valid_until = fields.String(required=True, allow_none=True)
    issued_at = fields.String()
    redeemed_at = fields.String(allow_none=True)
    revoked_at = fields.String(allow_none=True)
    revoked_reason = fields.String(allow_none=True)
    use_limit = fields.Integer()
    used = fields.Integer()
    reserved = fields.Integer()
    region = fields.String(allow_none=True)


class CodePage(Schema):
    """One page of codes."""

    items = fields.List(fields.Nested(CodeAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/codes", methods=["GET"])
@blueprint.arguments(CodeFilter, location="query")
@blueprint.response(200, CodePage)
def index(asked: dict[str, Any]) -> Response:
    """List codes in the order in which they were issued."""
    after, limit = page_of(asked)
    now = request_now()
    with reading() as session:
        items, following = list_codes(
            session, state=asked.get("state"), campaign=asked.get("campaign"), offer=asked.get("offer"),
            customer=asked.get("customer"), after=after, limit=limit, now=now)
    return jsonify(listed(items, following))


@blueprint.route("/codes/<code>", methods=["GET"])
@blueprint.response(200, CodeAnswer)
def show(code: str) -> Response:
    """Look one code up, typed in any way."""
    now = request_now()
    with reading() as session:
        return jsonify(find_code(session, code, now=now))

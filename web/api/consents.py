"""Who said yes or no to which channel? The resource `consents`; statements are added, never changed."""

from datetime import UTC
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from customers.consents import BASES, STATES
from customers.models import CHANNELS
from customers.people import find_customer
from customers.showing import list_consents
from delivery.statements import take_statement
from web.api.customers import secret_key
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-consents", __name__, url_prefix="/api/v1", description="What people said, with its proof.")


class ConsentSchema(Schema):
    """One statement; `at` is when it was made, if not now. A yes needs its proof; a no counts at once."""

    customer = Words(longest=200, required=True)
    channel = fields.String(required=True, validate=validate.OneOf(CHANNELS, error="Use one of {choices}."))
    state = fields.String(required=True, validate=validate.OneOf(STATES, error="Use one of {choices}."))
    basis = fields.String(allow_none=True, load_default=None,
                          validate=validate.OneOf(BASES, error="Use one of {choices}."))
    at = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)
    source = Words(longest=200, allow_none=True, load_default=None)
    proof = Words(longest=10_000, allow_none=True, load_default=None)


class ConsentFilter(Page):
    """Whose statements are listed."""

    customer = Words(longest=200, required=True)


class ConsentAnswer(Schema):
    """One statement."""

    customer = fields.String(required=True)
    channel = fields.String(required=True)
    state = fields.String(required=True)
    basis = fields.String(allow_none=True)
    at = fields.String(required=True)
    source = fields.String(allow_none=True)
    proof = fields.String(allow_none=True)


class ConsentPage(Schema):
    """One page of statements."""

    items = fields.List(fields.Nested(ConsentAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/consents", methods=["GET"])
@blueprint.arguments(ConsentFilter, location="query")
@blueprint.response(200, ConsentPage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's statements in the order in which they were recorded."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_consents(session, asked["customer"], after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/consents", methods=["POST"])
@blueprint.arguments(ConsentSchema)
@blueprint.response(201, ConsentAnswer)
def create(body: dict[str, Any]) -> Response:
    """Record a statement; the same one twice is one."""
    now = request_now()
    with writing() as session:
        customer = find_customer(session, body["customer"])
        take_statement(session, customer.id, channel=body["channel"], state=body["state"], basis=body["basis"],
                       source=body["source"], proof=body["proof"], at=body["at"], now=now, secret_key=secret_key())
        record(session, f"consent.{body['state']}", f"customer:{customer.id}", now=now, channel=body["channel"])
    response = jsonify({**body, "at": (body["at"] or now).astimezone(UTC).isoformat().replace("+00:00", "Z")})
    response.status_code = 201
    return response

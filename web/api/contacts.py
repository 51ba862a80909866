"""When were the shop and a customer in touch? The resource `contacts`: calls, letters, complaints, visits."""

from datetime import UTC
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from customers.contacts import DIRECTIONS
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.showing import list_contacts
from web.api.customers import clean, secret_key
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-contacts", __name__, url_prefix="/api/v1", description="Calls, letters, complaints, visits.")


class ContactSchema(Schema):
    """One contact; a repeated `id` brings it up to date."""

    id = Words(longest=200, required=True)
    customer = Words(longest=200, required=True)
    at = fields.AwareDateTime(default_timezone=UTC, required=True)
    kind = Words(longest=40, required=True)
    direction = fields.String(required=True, validate=validate.OneOf(DIRECTIONS, error="Use one of {choices}."))
    channel = Words(longest=16, allow_none=True)
    subject = Words(longest=10_000, allow_none=True)
    text = Words(longest=100_000, allow_none=True)
    status = Words(longest=40, allow_none=True)


class ContactFilter(Page):
    """Whose contacts are listed."""

    customer = Words(longest=200, required=True)


class ContactPage(Schema):
    """One page of contacts."""

    items = fields.List(fields.Nested(ContactSchema), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/contacts", methods=["GET"])
@blueprint.arguments(ContactFilter, location="query")
@blueprint.response(200, ContactPage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's contacts in the order in which they came."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_contacts(session, asked["customer"], after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/contacts", methods=["POST"])
@blueprint.arguments(ContactSchema)
@blueprint.response(201, ContactSchema)
def report(body: dict[str, Any]) -> Response:
    """Store a contact: new (201) or known (200). An unknown customer number makes a bare customer."""
    at = body["at"].astimezone(UTC).isoformat()
    cells = {name: value for name, value in body.items() if name not in ("id", "customer", "at")}
    record = {"contact_id": body["id"], "customer_id": clean(body["customer"], "customer"), "at": at, **cells}
    stored = store_records(database(), KINDS["contacts"], [record], now=request_now(), secret_key=secret_key())
    response = jsonify({**body, "at": at.replace("+00:00", "Z")})
    response.status_code = 201 if stored.created else 200
    return response

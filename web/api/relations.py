"""What are people to the shop beside customers? The resource `relations`: partners, suppliers, press, employees."""

from datetime import UTC
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from core.errors import Invalid
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.people import find_customer
from customers.relations import relation_bodies
from web.api.customers import clean, secret_key
from web.requests.bodies import Page, Resource, Words, listed
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-relations", __name__, url_prefix="/api/v1",
                     description="Partners, suppliers, press, employees.")


class RelationSchema(Schema):
    """One relation; a repeated `id` brings it up to date. Without `id` it is known by person, kind and organisation."""

    id = Words(longest=200)
    customer = Words(longest=200, required=True)
    kind = Words(longest=40, required=True)
    organisation_id = Words(longest=200, allow_none=True)
    organisation = Words(longest=200, allow_none=True)
    role = Words(longest=100, allow_none=True)
    since = fields.AwareDateTime(default_timezone=UTC, allow_none=True)
    until = fields.AwareDateTime(default_timezone=UTC, allow_none=True)


class RelationFilter(Page):
    """Whose relations are listed."""

    customer = Words(longest=200, required=True)


class RelationPage(Schema):
    """All relations of one person."""

    items = fields.List(fields.Nested(RelationSchema), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/relations", methods=["GET"])
@blueprint.arguments(RelationFilter, location="query")
@blueprint.response(200, RelationPage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's relations, all of them at once: a person has few."""
    with reading() as session:
        items = relation_bodies(session, find_customer(session, asked["customer"]).id)
    return jsonify(listed([{"customer": asked["customer"], **item} for item in items], None))


@blueprint.route("/relations", methods=["POST"])
@blueprint.arguments(RelationSchema)
@blueprint.response(201, RelationSchema)
def report(body: dict[str, Any]) -> Response:
    """Store a relation: new (201) or known (200). An unknown customer number makes a bare customer."""
    moments = {name: body[name].astimezone(UTC).isoformat() for name in ("since", "until") if body.get(name)}
    if not body["kind"].strip():
        raise Invalid("A relation needs its kind, such as partner, supplier or press.", place="kind")
    record: dict[str, str | None] = {
        "relation_id": body.get("id"), "customer_id": clean(body["customer"], "customer"), "kind": body["kind"],
        **{name: body[name] for name in ("organisation_id", "organisation", "role") if name in body},
        **{name: moments.get(name) for name in ("since", "until") if name in body}}
    stored = store_records(database(), KINDS["relations"], [record], now=request_now(), secret_key=secret_key())
    response = jsonify({**body, **{name: text.replace("+00:00", "Z") for name, text in moments.items()}})
    response.status_code = 201 if stored.created else 200
    return response

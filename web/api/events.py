"""What did customers do? The resource `events`: carts abandoned, pages visited, forms filled; one at a time or many."""

import json
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from customers.events import list_events
from customers.importing import KINDS
from customers.importing.records import store_records
from web.api.customers import clean, secret_key
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-events", __name__, url_prefix="/api/v1", description="What customers did.")

MOST = 1000
"""Events in one call."""


class EventSchema(Schema):
    """One event; a repeated `id` brings it up to date. Without `id` it is known by what it says; `at` is now."""

    id = Words(longest=200)
    customer = Words(longest=200, required=True)
    name = Words(longest=100, required=True)
    at = fields.AwareDateTime(default_timezone=UTC)
    source = Words(longest=100, allow_none=True)
    properties = fields.Dict(keys=fields.String(), load_default=dict)


class EventsSchema(Schema):
    """Up to 1,000 events, stored all or none."""

    items = fields.List(fields.Nested(EventSchema), required=True, validate=validate.Length(
        1, MOST, error="Send {min} to {max} events."))


class EventFilter(Page):
    """Whose events are listed, and of which name."""

    customer = Words(longest=200, required=True)
    name = Words(longest=100)


class EventAnswer(EventSchema):
    """One event as stored."""

    recorded_at = fields.String()


class EventPage(Schema):
    """One page of events."""

    items = fields.List(fields.Nested(EventAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class StoredAnswer(Schema):
    """How many things were new and how many were known."""

    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)


@blueprint.route("/events", methods=["GET"])
@blueprint.arguments(EventFilter, location="query")
@blueprint.response(200, EventPage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's events in the order in which they came."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_events(session, asked["customer"], name=asked.get("name"), after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/events", methods=["POST"])
@blueprint.arguments(EventSchema)
@blueprint.response(201, EventSchema)
def report(body: dict[str, Any]) -> Response:
    """Store an event: new (201) or known (200). An unknown customer number makes a bare customer."""
    now = request_now()
    record = _record(body, now)
    stored = store_records(database(), KINDS["events"], [record], now=now, secret_key=secret_key())
    response = jsonify({**body, "at": str(record["at"]).replace("+00:00", "Z")})
    response.status_code = 201 if stored.created else 200
    return response


@blueprint.route("/events/bulk", methods=["POST"])
@blueprint.arguments(EventsSchema)
@blueprint.response(200, StoredAnswer)
def report_many(body: dict[str, Any]) -> Response:
    """Store many events, all or none; those known by their `id` are brought up to date."""
    now = request_now()
    records = [_record(each, now) for each in body["items"]]
    stored = store_records(database(), KINDS["events"], records, now=now, secret_key=secret_key())
    return jsonify({"created": stored.created, "updated": stored.updated})


def _record(body: dict[str, Any], now: datetime) -> dict[str, str | None]:
    """An event as the cells of a file: the importer decides what it means."""
    return {
        "event_id": body.get("id"), "customer_id": clean(body["customer"], "customer"), "name": body["name"],
        "at": body.get("at", now).astimezone(UTC).isoformat(), "source": body.get("source"),
        "properties": json.dumps(body["properties"]),
    }

"""Which numbers do we hold about people? The resource `scores`: computed here or told by the shop."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from customers.importing import KINDS
from customers.importing.records import store_records
from customers.importing.scores_kind import LARGEST
from customers.people import find_customer
from customers.scores.keeping import score_bodies
from web.api.customers import clean, secret_key
from web.api.events import StoredAnswer
from web.requests.bodies import Exact, Page, Resource, Words, listed
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-scores", __name__, url_prefix="/api/v1", description="Numbers about people.")

MOST = 1000
"""Scores in one call."""


class ScoreSchema(Schema):
    """One score of one person; there is one value per name, the newest."""

    customer = Words(longest=200, required=True)
    name = Words(longest=60, required=True)
    value = Exact(least=-LARGEST, most=LARGEST, places=12, required=True)
    computed_at = fields.AwareDateTime(default_timezone=UTC)


class ScoresSchema(Schema):
    """Up to 1,000 scores, stored all or none."""

    items = fields.List(fields.Nested(ScoreSchema), required=True, validate=validate.Length(
        1, MOST, error="Send {min} to {max} scores."))


class ScoreFilter(Page):
    """Whose scores are listed."""

    customer = Words(longest=200, required=True)


class ScorePage(Schema):
    """All scores of one person."""

    items = fields.List(fields.Nested(ScoreSchema), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/scores", methods=["GET"])
@blueprint.arguments(ScoreFilter, location="query")
@blueprint.response(200, ScorePage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's scores by name, all of them at once: a person has few."""
    with reading() as session:
        items = score_bodies(session, find_customer(session, asked["customer"]).id)
    return jsonify(listed([{"customer": asked["customer"], **item} for item in items], None))


@blueprint.route("/scores", methods=["POST"])
@blueprint.arguments(ScoreSchema)
@blueprint.response(201, ScoreSchema)
def report(body: dict[str, Any]) -> Response:
    """Store a score: new (201) or known (200). The name is then the shop's own; we do not compute it any more."""
    now = request_now()
    record = _record(body, now)
    stored = store_records(database(), KINDS["scores"], [record], now=now, secret_key=secret_key())
    response = jsonify({**body, "value": float(body["value"]),
                        "computed_at": str(record["computed_at"]).replace("+00:00", "Z")})
    response.status_code = 201 if stored.created else 200
    return response


@blueprint.route("/scores/bulk", methods=["POST"])
@blueprint.arguments(ScoresSchema)
@blueprint.response(200, StoredAnswer)
def report_many(body: dict[str, Any]) -> Response:
    """Store many scores, all or none."""
    now = request_now()
    records = [_record(each, now) for each in body["items"]]
    stored = store_records(database(), KINDS["scores"], records, now=now, secret_key=secret_key())
    return jsonify({"created": stored.created, "updated": stored.updated})


def _record(body: dict[str, Any], now: datetime) -> dict[str, str | None]:
    """A score as the cells of a file."""
    value: Decimal = body["value"]
    return {"customer_id": clean(body["customer"], "customer"), "name": body["name"], "value": format(value, "f"),
            "computed_at": body.get("computed_at", now).astimezone(UTC).isoformat()}

"""Whom does the shop know? The resource `customers`: find, look up, report."""

import json
from typing import Any

from flask import Response, current_app, jsonify
from marshmallow import Schema, ValidationError, fields, validates_schema

from core.errors import Invalid
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.showing import list_customers, show_customer
from web.requests.bodies import Page, Resource, Whole, Words, listed, page_of
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-customers", __name__, url_prefix="/api/v1", description="People the shop knows by number.")

MOST_ATTRIBUTES = 100


class Value(fields.Field[Any]):
    """A single value of an attribute: text, number, truth value or null."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return json.dumps(value)
        return Words(longest=1000)._deserialize(value, attr, data)


class CustomerSchema(Schema):
    """What is known of a customer. A field left out keeps what is stored, null clears it."""

    email = Words(longest=320, allow_none=True)
    phone = Words(longest=60, allow_none=True)
    salutation = Words(longest=100, allow_none=True)
    first_name = Words(longest=200, allow_none=True)
    last_name = Words(longest=200, allow_none=True)
    company = Words(longest=200, allow_none=True)
    street = Words(longest=320, allow_none=True)
    postal_code = Words(longest=20, allow_none=True)
    city = Words(longest=200, allow_none=True)
    country = Words(longest=2, allow_none=True)
    latitude = fields.Float(allow_none=True, metadata={"minimum": -90, "maximum": 90})
    longitude = fields.Float(allow_none=True, metadata={"minimum": -180, "maximum": 180})
    birthday = Words(longest=40, allow_none=True)
    language = Words(longest=16, allow_none=True)
    timezone = Words(longest=64, allow_none=True)
    preferred_channel = Words(longest=16, allow_none=True)
    household_id = Words(longest=200, allow_none=True)
    dunning_level = Whole(least=0, most=1000, allow_none=True)
    created_at = Words(longest=40, allow_none=True)
    attributes = fields.Dict(keys=Words(longest=100), values=Value(allow_none=True))

    @validates_schema
    def _few(self, data: dict[str, Any], **_options: Any) -> None:
        given = data.get("attributes", {})
        if len(given) > MOST_ATTRIBUTES:
            raise ValidationError(f"Use at most {MOST_ATTRIBUTES} attributes.", "attributes")


class CustomerFilter(Page):
    """Which customers are listed: those in whom every word of `search` occurs."""

    search = Words(longest=200)


class CustomerAnswer(Schema):
    """One customer."""

    external_id = fields.String(required=True)
    email = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    first_name = fields.String(allow_none=True)
    last_name = fields.String(allow_none=True)
    preferred_channel = fields.String(allow_none=True)
    attributes = fields.Dict()
    forgotten_at = fields.String(allow_none=True)


class CustomerPage(Schema):
    """One page of customers."""

    items = fields.List(fields.Nested(CustomerAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/customers", methods=["GET"])
@blueprint.arguments(CustomerFilter, location="query")
@blueprint.response(200, CustomerPage)
def index(asked: dict[str, Any]) -> Response:
    """List customers in the order in which they came."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_customers(session, asked.get("search", ""), after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/customers/<path:external_id>", methods=["GET"])
@blueprint.response(200, CustomerAnswer)
def show(external_id: str) -> Response:
    """Look one customer up by the shop's own number."""
    with reading() as session:
        return jsonify(show_customer(session, external_id.replace("\x00", "")))


@blueprint.route("/customers/<path:external_id>", methods=["PUT"])
@blueprint.arguments(CustomerSchema)
@blueprint.response(200, CustomerAnswer)
def report(body: dict[str, Any], external_id: str) -> Response:
    """Make a customer (201), or bring one up to date (200)."""
    attributes = body.pop("attributes", {})
    ours = {field.name for field in KINDS["customers"].fields}
    if taken := [name for name in attributes if name.casefold() in ours]:
        raise Invalid(f"{taken[0]} is a field of its own, not an attribute.", place=f"attributes.{taken[0]}")
    cells = {name: text_of(value) for name, value in body.items()}
    record = {"customer_id": clean(external_id, "external_id"), **cells, **attributes}
    now = request_now()
    stored = store_records(database(), KINDS["customers"], [record], now=now, secret_key=secret_key())
    with reading() as session:
        response = jsonify(show_customer(session, record["customer_id"].strip()))
    response.status_code = 201 if stored.created else 200
    return response


def text_of(value: Any) -> str | None:
    """A JSON value as the cell of a file."""
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


def clean(number: str, place: str) -> str:
    """A number from the address. Raises Invalid for what no number can be."""
    if not number.strip() or "\x00" in number or len(number) > 200 or number.startswith("forgotten:"):
        raise Invalid("This is no customer number.", place=place)
    return number


def secret_key() -> str:
    """The installation's key, by which forgotten people are recognised."""
    return str(current_app.extensions["winback.settings"].secret_key)

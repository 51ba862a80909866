"""What was ordered, delivered and sent back? The resource `orders`: one call tells an order as it now stands."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from core.errors import Invalid, NotFound
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.showing import list_orders, show_order
from web.api.customers import clean, secret_key
from web.requests.bodies import Exact, Page, Resource, Whole, Words, listed, page_of
from web.requests.transactions import database, reading, request_now

blueprint = Resource("api-orders", __name__, url_prefix="/api/v1", description="Orders as the shop reports them.")

MOST_LINES = 1000


class ReportedLineSchema(Schema):
    """One line; `total_cents` wins over quantity times price."""

    sku = Words(longest=100, allow_none=True)
    product = Words(longest=300, allow_none=True)
    category = Words(longest=200, allow_none=True)
    brand = Words(longest=200, allow_none=True)
    quantity = Exact(least=0, most=1_000_000, places=3, load_default=Decimal(1))
    unit_price_cents = Whole(allow_none=True)
    total_cents = Whole(allow_none=True)
    discount_cents = Whole(allow_none=True)
    unit_cost_cents = Whole(allow_none=True)
    tax_rate = Exact(least=0, most=1, places=6, allow_none=True)
    delivered_at = fields.AwareDateTime(default_timezone=UTC, allow_none=True)
    returned_quantity = Exact(least=0, most=1_000_000, places=3, allow_none=True)
    returned_at = fields.AwareDateTime(default_timezone=UTC, allow_none=True)

    @validates_schema
    def _priced(self, data: dict[str, Any], **_options: Any) -> None:
        if data.get("unit_price_cents") is None and data.get("total_cents") is None:
            raise ValidationError("A line needs unit_price_cents or total_cents.", "unit_price_cents")


class ReportedOrderSchema(Schema):
    """One order with all its lines; the lines stored before are replaced."""

    id = Words(longest=200, required=True)
    shop = Words(longest=100, shortest=0, load_default="")
    customer = Words(longest=200, required=True)
    ordered_at = fields.AwareDateTime(default_timezone=UTC, required=True)
    status = Words(longest=40, allow_none=True)
    currency = Words(longest=3, load_default="EUR")
    coupon_code = Words(longest=64, allow_none=True)
    ordered_via = fields.String(allow_none=True, validate=validate.OneOf(("web", "phone", "letter", "store"),
                                                                         error="Use one of {choices}."))
    payment = Words(longest=40, allow_none=True)
    lines = fields.List(fields.Nested(ReportedLineSchema), required=True, validate=validate.Length(1, MOST_LINES))


class OrderFilter(Page):
    """Whose orders are listed."""

    customer = Words(longest=200, required=True)


class OrderAnswer(Schema):
    """One order as it stands."""

    id = fields.String(required=True)
    shop = fields.String(required=True)
    customer = fields.String(required=True)
    ordered_at = fields.String(required=True)
    status = fields.String(allow_none=True)
    cancelled = fields.Boolean(required=True)
    currency = fields.String(required=True)
    total_cents = fields.Integer(required=True)
    lines = fields.List(fields.Dict())


class OrderPage(Schema):
    """One page of orders."""

    items = fields.List(fields.Nested(OrderAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/orders", methods=["GET"])
@blueprint.arguments(OrderFilter, location="query")
@blueprint.response(200, OrderPage)
def index(asked: dict[str, Any]) -> Response:
    """List one customer's orders in the order in which they came."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_orders(session, asked["customer"], after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/orders", methods=["POST"])
@blueprint.arguments(ReportedOrderSchema)
@blueprint.response(201, OrderAnswer)
def report(body: dict[str, Any]) -> Response:
    """Store an order as it now stands: new (201) or known (200). An unknown customer number makes a bare customer."""
    number, shop = body["id"].strip(), body["shop"].strip()
    head: dict[str, str | None] = {
        "order_id": number, "shop": shop or None, "customer_id": clean(body["customer"], "customer"),
        "ordered_at": _cell(body["ordered_at"]), "currency": body["currency"],
        **{name: body[name] for name in ("status", "coupon_code", "ordered_via", "payment") if name in body},
    }
    if not number:
        raise Invalid("An order needs its number.", place="id")
    records = [{**head, **_line(line)} for line in body["lines"]]
    stored = store_records(database(), KINDS["orders"], records, now=request_now(), secret_key=secret_key())
    with reading() as session:
        answered = show_order(session, shop=shop, number=number)
    if answered is None:
        raise NotFound("There is no such order.")
    response = jsonify(answered)
    response.status_code = 201 if stored.created else 200
    return response


def _line(line: dict[str, Any]) -> dict[str, str | None]:
    """A line as the cells of a file: the importer decides what it means."""
    cells: dict[str, Any] = {name: line.get(name) for name in (
        "sku", "product", "category", "brand", "quantity", "tax_rate", "delivered_at", "returned_quantity",
        "returned_at")}
    amounts = {"unit_price": "unit_price_cents", "line_total": "total_cents", "discount": "discount_cents",
               "unit_cost": "unit_cost_cents"}
    cells |= {ours: None if line.get(theirs) is None else Decimal(line[theirs]).scaleb(-2)
              for ours, theirs in amounts.items()}
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return format(value, "f")

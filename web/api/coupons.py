"""What would this code be worth, and can it be held for a basket? The resource `coupons`."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from flask import Response, g, jsonify, request
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from core.codes import canonical
from core.errors import Forbidden, Invalid
from coupons.locking import in_turn
from coupons.offers.discount import Line
from coupons.refusals import refusal_words
from coupons.till.redeeming import validate as foresee
from coupons.till.requests import Answer, Order, RedemptionRequest
from coupons.till.reserving import LONGEST_SECONDS, asking, deciding, release, reserve
from web.requests.bodies import Exact, Few, Resource, Truth, Whole, Words
from web.requests.errors import Problem, answer
from web.requests.transactions import database, request_now
from web.security.access import needs_scope
from web.security.guessing import note_unknown, refuse_guessers

blueprint = Resource("api-coupons", __name__, url_prefix="/api/v1",
                     description="Asking what a code would be worth, and holding it for a basket.")

MOST_LINES = 1000
MOST_QUANTITY = 10**9
CURRENCY = re.compile(r"[A-Z]{3}\Z")


class LineSchema(Schema):
    """One line of an order."""

    sku = Words(longest=100, required=True)
    category = Words(longest=200, shortest=0, required=True, allow_none=True)
    brand = Words(longest=200, shortest=0, allow_none=True, load_default=None)
    quantity = Exact(least=0, most=MOST_QUANTITY, places=3, required=True)
    unit_price_cents = Whole(required=True)
    sale = Truth(allow_none=True, load_default=None)
    non_discountable = Truth(allow_none=True, load_default=None)


class OrderSchema(Schema):
    """The order as it stands; `total_cents` is goods before this discount, VAT in, shipping out."""

    id = Words(longest=200, required=True)
    total_cents = Whole(required=True)
    currency = fields.String(required=True, validate=validate.Regexp(
        CURRENCY, error="Use three capital letters, for example EUR."))
    lines = Few(fields.Nested(LineSchema), required=True, most=MOST_LINES)
    shipping_cents = Whole(allow_none=True, load_default=None)


class NamedCustomer(Schema):
    """Who orders: one of the two."""

    external_id = Words(longest=200)
    email = Words(longest=320)

    @validates_schema
    def _one(self, data: dict[str, Any], **_options: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Name the customer by external_id or by email.", "external_id")


class RedemptionSchema(Schema):
    """A code and the order it is meant for."""

    code = Words(longest=200, required=True)
    shop = Words(longest=100, shortest=0, allow_none=True, load_default=None)
    order = fields.Nested(OrderSchema, required=True)
    customer = fields.Nested(NamedCustomer, allow_none=True, load_default=None)
    reservation = Words(longest=40, allow_none=True, load_default=None)


class ForeseenSchema(RedemptionSchema):
    """The same body; the code stands in the address and may be repeated."""

    code = Words(longest=200, load_default=None)


class ReservationSchema(ForeseenSchema):
    """The same body and for how long; asking again for the same order renews its reservation."""

    ttl_seconds = Whole(least=1, most=LONGEST_SECONDS, load_default=900)


class ReservationAnswer(Schema):
    """One use of a code held for an order; `state` is held, spent, released or lapsed."""

    id = fields.String(required=True)
    code = fields.String()
    order_id = fields.String(required=True)
    shop = fields.String()
    discount_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    state = fields.String(required=True)
    expires_at = fields.String(required=True)
    settled_at = fields.String(allow_none=True)


class ForeseenAnswer(Schema):
    """What redeeming would answer now; `detail` says why not, in the language that the till prefers."""

    valid = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True)
    detail = fields.String()
    discount_cents = fields.Integer(required=True)
    line_discounts_cents = fields.List(fields.Integer(), allow_none=True)
    free_shipping = fields.Boolean()


def request_of(body: dict[str, Any]) -> RedemptionRequest:
    """The checked body as the value that redeeming takes."""
    order, customer = body["order"], body["customer"] or {}
    lines = tuple(
        Line(line["sku"], line["category"] or "", int(line["quantity"] * Decimal(1000)), line["unit_price_cents"],
             line["brand"], line["sale"], line["non_discountable"])
        for line in order["lines"])
    return RedemptionRequest(
        body["code"], Order(order["id"], order["total_cents"], order["currency"], lines, order["shipping_cents"]),
        body["shop"] or "",
        customer.get("external_id"), customer.get("email"), body["reservation"])


def of_its_shop(asked: RedemptionRequest) -> RedemptionRequest:
    """The request as the key's own shop makes it. Raises Forbidden when it names another."""
    shop: str | None = g.api_key.shop
    if shop is None or asked.shop == shop:
        return asked
    if asked.shop:
        raise Forbidden(f"This key is for the shop {shop} alone, and the request names another. "
                        "Leave shop out, or use a key of that shop.")
    return replace(asked, shop=shop)


def written(given: Answer) -> Response:
    """A decision as the shop reads it; a refusal's sentence in German where the shop prefers it."""
    if given.reason is not None:
        return answer(Problem(given.status, given.reason, refusal_words(given.reason, _language())))
    response = jsonify(given.body)
    response.status_code = given.status
    return response


def _language() -> str:
    """In which language the till wants to read why not."""
    return request.accept_languages.best_match(["en", "de"], default="en")


def caller_of(asked: RedemptionRequest) -> str:
    """Whose unknown codes are counted together: one key, one address, one customer named."""
    return caller_name(g.api_key.id, request.remote_addr, asked)


def caller_name(key_id: int, address: str | None, asked: RedemptionRequest) -> str:
    """The same for who came through a door that is not Flask's."""
    who = asked.customer_external_id or asked.customer_email or ""
    return f"{key_id} {address} {who}"


@blueprint.route("/coupons/<code>/validate", methods=["POST"])
@blueprint.arguments(ForeseenSchema())
@blueprint.response(200, ForeseenAnswer)
@needs_scope("redemptions")
def validate_code(body: dict[str, Any], code: str) -> Response:
    """Say whether the code would be accepted for this order, and what it would take off. Changes nothing."""
    asked = of_its_shop(_asked(body, code))
    caller = caller_of(asked)
    refuse_guessers(caller)
    now = request_now()
    foreseen = asking(database(), lambda connection: foresee(connection, code, asked, now=now), now=now)
    if foreseen["reason"] == "unknown_code":
        note_unknown(caller)
    return jsonify(foreseen if foreseen["valid"] or foreseen["reason"] is None else {
        **foreseen, "detail": refusal_words(foreseen["reason"], _language())})


@blueprint.route("/coupons/<code>/reservations", methods=["POST"])
@blueprint.arguments(ReservationSchema())
@blueprint.response(201, ReservationAnswer)
@needs_scope("redemptions")
def reserve_code(body: dict[str, Any], code: str) -> Response:
    """Hold one use of the code for this order until it is paid, or say why not. Redeeming the order spends it."""
    asked = of_its_shop(_asked(body, code))
    caller = caller_of(asked)
    refuse_guessers(caller)
    now = request_now()
    ttl = body["ttl_seconds"]
    given = deciding(database(), lambda connection: reserve(connection, asked, ttl_seconds=ttl, now=now), now=now)
    if given.reason == "unknown_code":
        note_unknown(caller)
    return written(given)


@blueprint.route("/reservations/<public_id>", methods=["DELETE"])
@blueprint.response(200, ReservationAnswer)
@needs_scope("redemptions")
def give_up(public_id: str) -> Response:
    """Give a reservation up before its time. Repeated it changes nothing."""
    wanted = public_id if public_id.isascii() and public_id.isprintable() else ""
    now, shop = request_now(), g.api_key.shop
    return jsonify(in_turn(database(), lambda connection: release(connection, wanted, shop=shop, now=now)))


def _asked(body: dict[str, Any], code: str) -> RedemptionRequest:
    if body["code"] is not None and canonical(body["code"]) != canonical(code):
        raise Invalid("The body names another code than the address.", place="code")
    # What no database stores is no code of ours: it is unknown like any other.
    return request_of({**body, "code": code if code.isprintable() else ""})

"""May a shop's customer use this code? The resource `redemptions`: redeem, roll back, look up."""

from typing import Any

from flask import Response, g, jsonify, request
from marshmallow import Schema, fields, validate

from core.errors import Invalid, NotFound
from coupons.codes.showing import instant_text, list_redemptions, stored_redemption
from coupons.locking import in_turn
from coupons.states import REDEMPTION_MOVES
from coupons.till.at_once import redeem_for
from coupons.till.redeeming import roll_back
from coupons.till.till import OUTCOMES, AtTheTill, TillFilter, at_the_till
from web.api.coupons import RedemptionSchema, caller_of, of_its_shop, request_of, written
from web.requests.bodies import Page, Resource, Whole, Words, limit_of, listed, page_of
from web.requests.express import DECIDED
from web.requests.transactions import database, reading, request_now
from web.security.access import needs_scope
from web.security.guessing import note_unknown, refuse_guessers

blueprint = Resource("api-redemptions", __name__, url_prefix="/api/v1",
                     description="Codes used for orders: asked for, answered, taken back.")

_KEY_HEADER = {"in": "header", "name": "Idempotency-Key",
               "schema": {"type": "string", "minLength": 1, "maxLength": 255},
               "description": "Names this request; the same key and body get the same answer."}


class RedemptionAnswer(Schema):
    """One redemption."""

    id = fields.String(required=True)
    code = fields.String(required=True)
    order_id = fields.String(required=True, allow_none=True)
    shop = fields.String()
    discount_cents = fields.Integer(required=True)
    rolled_back_cents = fields.Integer()
    currency = fields.String(required=True)
    customer = fields.String(required=True, allow_none=True)
    campaign = fields.String(allow_none=True)
    redeemed_at = fields.String(required=True)
    state = fields.String(required=True)


class RollbackSchema(Schema):
    """How much of the discount is taken back; nothing said: all of it."""

    amount_cents = Whole(least=1, allow_none=True, load_default=None)


class RedemptionFilter(Page):
    """Which redemptions are listed."""

    campaign = Words(longest=100)
    customer = Words(longest=200)
    code = Words(longest=200)
    state = fields.String(validate=validate.OneOf(tuple(REDEMPTION_MOVES), error="Use one of {choices}."))


class RedemptionPage(Schema):
    """One page of redemptions."""

    items = fields.List(fields.Nested(RedemptionAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class TillQuery(Page):
    """Which part of the feed is listed; `offer` and `campaign` are keys, `shop` is a label."""

    offer = Words(longest=100)
    campaign = Words(longest=100)
    shop = Words(longest=100)
    outcome = fields.String(validate=validate.OneOf(OUTCOMES, error="Use one of {choices}."))


class TillAnswer(Schema):
    """One redemption or refusal. `reason` is that of a refusal, `redemption` the id of what was accepted; `display` is
    the code as people read it, null when it is none of ours."""

    at = fields.String(required=True)
    outcome = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    code = fields.String(required=True)
    display = fields.String(required=True, allow_none=True)
    offer = fields.String(required=True, allow_none=True)
    campaign = fields.String(required=True, allow_none=True)
    customer = fields.String(required=True, allow_none=True)
    shop = fields.String(required=True)
    order_id = fields.String(required=True, allow_none=True)
    order_total_cents = fields.Integer(required=True, allow_none=True)
    discount_cents = fields.Integer(required=True)
    rolled_back_cents = fields.Integer(required=True)
    currency = fields.String(required=True)
    flags = fields.List(fields.String(), required=True)
    redemption = fields.String(required=True, allow_none=True)


class TillPage(Schema):
    """One page of the feed, newest first."""

    items = fields.List(fields.Nested(TillAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


def _idempotency_key(*, required: bool) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None and not required:
        return None
    if not key or len(key) > 255 or "\x00" in key:
        raise Invalid("Send this header with 1 to 255 characters, a new value for each new request.",
                      place="Idempotency-Key")
    return key


@blueprint.route("/redemptions", methods=["POST"], parameters=[{**_KEY_HEADER, "required": True}])
@blueprint.arguments(RedemptionSchema())
@blueprint.response(201, RedemptionAnswer)
@needs_scope("redemptions")
def create(body: dict[str, Any]) -> Response:
    """Redeem a code for an order, or say why not."""
    key = _idempotency_key(required=True)
    asked = of_its_shop(request_of(body))
    caller = caller_of(asked)
    given = request.environ.get(DECIDED)  # by web/requests/express.py, which a plain request met first
    if isinstance(given, Exception):
        raise given
    if given is None:
        refuse_guessers(caller)
        client = f"key:{g.api_key.id}"
        now = request_now()
        given = redeem_for(database(), asked, client=client, key=key or "", now=now)
    if given.reason == "unknown_code":
        note_unknown(caller)
    return written(given)


@blueprint.route("/redemptions", methods=["GET"])
@blueprint.arguments(RedemptionFilter, location="query")
@blueprint.response(200, RedemptionPage)
def index(asked: dict[str, Any]) -> Response:
    """List redemptions in the order in which they were recorded."""
    after, limit = page_of(asked)
    with reading() as session:
        items, following = list_redemptions(
            session, campaign=asked.get("campaign"), customer=asked.get("customer"), code=asked.get("code"),
            state=asked.get("state"), after=after, limit=limit)
    return jsonify(listed(items, following))


@blueprint.route("/redemptions/feed", methods=["GET"])
@blueprint.arguments(TillQuery, location="query")
@blueprint.response(200, TillPage)
def feed(asked: dict[str, Any]) -> Response:
    """List redemptions and refusals together, newest first, as they happen at the till."""
    limit = limit_of(asked)
    chosen = TillFilter(asked.get("offer"), asked.get("campaign"), asked.get("shop"), asked.get("outcome"))
    with reading() as session:
        events, following = at_the_till(session, chosen, after=asked["after"], limit=limit)
    return jsonify(listed([_told(event) for event in events], following))


def _told(event: AtTheTill) -> dict[str, Any]:
    return {
        "at": instant_text(event.at), "outcome": event.outcome, "reason": event.refused, "code": event.code,
        "display": event.display,
        "offer": event.offer_key, "campaign": event.campaign, "customer": event.customer, "shop": event.shop,
        "order_id": event.order_ref, "order_total_cents": event.amount_cents,
        "discount_cents": event.discount_cents, "rolled_back_cents": event.rolled_back_cents,
        "currency": event.currency, "flags": list(event.flags), "redemption": event.redemption,
    }


@blueprint.route("/redemptions/<public_id>", methods=["GET"])
@blueprint.response(200, RedemptionAnswer)
def show(public_id: str) -> Response:
    """Look one redemption up."""
    with reading() as session:
        body = stored_redemption(session.connection(), public_id=_storable(public_id))
    if body is None:
        raise NotFound("There is no such redemption.")
    return jsonify(body)


@blueprint.route("/redemptions/<public_id>/rollback", methods=["POST"], parameters=[{**_KEY_HEADER, "required": False}])
@blueprint.arguments(RollbackSchema(), required=False)
@blueprint.response(200, RedemptionAnswer)
@needs_scope("redemptions")
def rollback(body: dict[str, Any], public_id: str) -> Response:
    """Take a redemption back, all or in part. Without a key the same amount again is the same request."""
    key = _idempotency_key(required=False)
    wanted = _storable(public_id)
    now, shop = request_now(), g.api_key.shop
    return jsonify(in_turn(database(), lambda connection: roll_back(
        connection, wanted, amount_cents=body["amount_cents"], key=key, shop=shop, now=now)))


def _storable(public_id: str) -> str:
    return public_id if public_id.isascii() and public_id.isprintable() else ""

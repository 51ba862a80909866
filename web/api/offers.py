"""Which offers are there, and on what terms? The resource `offers`."""

from datetime import UTC
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from coupons.offers import list_offers, offer_by_key, save_offer
from coupons.showing import offer_body
from web.audit import record
from web.bodies import Exact, Page, Resource, Whole, Words, listed, page_of
from web.transactions import reading, request_now, writing

blueprint = Resource("api-offers", __name__, url_prefix="/api/v1", description="What codes are worth.")

_COUNT = 2**31 - 1


class OfferSchema(Schema):
    """An offer's terms; `updated_at` is what the editor saw, so that two editors do not overwrite each other."""

    name = Words(longest=200, required=True)
    kind = Words(longest=16, required=True)
    percent = Exact(least=0, most=100, places=2, allow_none=True, load_default=None)
    amount_cents = Whole(least=1, allow_none=True, load_default=None)
    currency = Words(longest=3, load_default="EUR")
    minimum_cents = Whole(least=1, allow_none=True, load_default=None)
    cap_cents = Whole(least=1, allow_none=True, load_default=None)
    categories = fields.List(Words(longest=200), load_default=list)
    excluded_categories = fields.List(Words(longest=200), load_default=list)
    limit_per_code = Whole(least=1, most=_COUNT, load_default=1)
    limit_per_customer = Whole(least=1, most=_COUNT, allow_none=True, load_default=None)
    limit_total = Whole(least=1, allow_none=True, load_default=None)
    budget_cents = Whole(least=1, allow_none=True, load_default=None)
    valid_days = Whole(least=1, most=3650, allow_none=True, load_default=None)
    valid_from = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)
    valid_until = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)
    holder = Words(longest=8, load_default="off")
    prefix = Words(longest=12, shortest=0, load_default="")
    active = fields.Boolean(truthy={True}, falsy={False}, load_default=True)
    expected_updated_at = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None,
                                               data_key="updated_at")


class NewOfferSchema(OfferSchema):
    """A new offer and the key that journeys name it by."""

    key = Words(longest=100, required=True)


class OfferAnswer(Schema):
    """An offer with its words, its conditions and its use."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    percent = fields.Float(allow_none=True)
    amount_cents = fields.Integer(allow_none=True)
    currency = fields.String(required=True)
    words = fields.Dict(keys=fields.String(), values=fields.String())
    terms = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    codes_issued = fields.Integer()
    redemptions = fields.Integer()
    updated_at = fields.String(required=True)


class OfferPage(Schema):
    """One page of offers."""

    items = fields.List(fields.Nested(OfferAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


@blueprint.route("/offers", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, OfferPage)
def index(asked: dict[str, Any]) -> Response:
    """List offers in the order of their keys."""
    _start, limit = page_of({**asked, "after": None})
    after = (asked["after"] or "").replace("\x00", "")
    with reading() as session:
        offers = list_offers(session, after=after or None, limit=limit + 1)
        items = [offer_body(session, offer) for offer in offers[:limit]]
    return jsonify(listed(items, items[-1]["key"] if len(offers) > limit else None))


@blueprint.route("/offers", methods=["POST"])
@blueprint.arguments(NewOfferSchema)
@blueprint.response(201, OfferAnswer)
def create(terms: dict[str, Any]) -> Response:
    """Make a new offer."""
    response = jsonify(_save(terms.pop("key"), terms, must_be_new=True))
    response.status_code = 201
    return response


@blueprint.route("/offers/<key>", methods=["GET"])
@blueprint.response(200, OfferAnswer)
def show(key: str) -> Response:
    """Look one offer up."""
    with reading() as session:
        return jsonify(offer_body(session, offer_by_key(session, key.replace("\x00", ""))))


@blueprint.route("/offers/<key>", methods=["PUT"])
@blueprint.arguments(OfferSchema)
@blueprint.response(200, OfferAnswer)
def replace(terms: dict[str, Any], key: str) -> Response:
    """Replace an offer's terms, or make it. What codes already out are worth cannot change."""
    return jsonify(_save(key, terms, must_be_new=False))


def _save(key: str, terms: dict[str, Any], *, must_be_new: bool) -> dict[str, Any]:
    now = request_now()
    with writing() as session:
        offer = save_offer(session, key, must_be_new=must_be_new, now=now, **terms)
        record(session, "offer.saved", f"offer:{offer.key}", now=now)
        return offer_body(session, offer)

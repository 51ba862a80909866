"""Which offers are there, and on what terms? The resource `offers`."""

from datetime import UTC
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from coupons.codes.showing import offer_body
from coupons.offers.checking import minute_of
from coupons.offers.deleting import delete_offer
from coupons.offers.offers import list_offers, offer_by_key, save_offer
from journeys.uses import journeys_with_offer
from web.requests.bodies import Exact, Page, Resource, Truth, Whole, Words, listed, page_of
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-offers", __name__, url_prefix="/api/v1", description="What codes are worth.")

_COUNT = 2**31 - 1


class Hours(Schema):
    """Hours of the day, as HH:MM in the offer's zone; `until` is exclusive and may lie on the next day."""

    from_ = Words(longest=5, required=True, data_key="from")
    until = Words(longest=5, required=True)


def _cents() -> Whole:
    return Whole(least=1, allow_none=True, load_default=None)


def _count() -> Whole:
    return Whole(least=1, most=_COUNT, allow_none=True, load_default=None)


def _names(longest: int = 200) -> Any:
    return fields.List(Words(longest=longest), load_default=list)


def _switch(*, usually: bool) -> Truth:
    return Truth(load_default=usually)


class OfferTerms(Schema):
    """What an offer gives, to whom, when and how often."""

    name = Words(longest=200, required=True)
    kind = Words(longest=16, required=True)
    percent = Exact(least=0, most=100, places=2, allow_none=True, load_default=None)
    amount_cents = _cents()
    price_cents = _cents()
    free_skus = _names(100)
    free_items = _count()
    currency = Words(longest=3, load_default="EUR")
    minimum_cents = _cents()
    minimum_items = _count()
    cap_cents = _cents()
    categories = _names()
    excluded_categories = _names()
    skus = _names(100)
    excluded_skus = _names(100)
    brands = _names()
    excluded_brands = _names()
    shops = _names(100)
    excludes_sale = _switch(usually=False)
    first_order_only = _switch(usually=False)
    offer_class = Words(longest=40, shortest=0, load_default="")
    combines = Words(longest=8, load_default="any")
    combines_with = _names(40)
    limit_per_code = Whole(least=1, most=_COUNT, load_default=1)
    limit_per_customer = _count()
    customer_period = Words(longest=8, allow_none=True, load_default=None)
    customer_is = Words(longest=8, load_default="id")
    limit_total = _cents()
    limit_per_day = _cents()
    limit_per_week = _cents()
    limit_per_month = _cents()
    budget_cents = _cents()
    budget_per_day_cents = _cents()
    budget_per_week_cents = _cents()
    budget_per_month_cents = _cents()
    valid_days = Whole(least=1, most=3650, allow_none=True, load_default=None)
    weekdays = fields.List(Whole(least=1, most=7), load_default=list)
    hours = fields.Nested(Hours, allow_none=True, load_default=None)
    zone = Words(longest=64, load_default="UTC")
    holder = Words(longest=8, allow_none=True, load_default=None)
    return_rule = Words(longest=12, load_default="keep")
    prefix = Words(longest=12, shortest=0, load_default="")
    pattern = Words(longest=40, shortest=0, load_default="")
    active = _switch(usually=True)


class OfferSchema(OfferTerms):
    """An offer to save; `updated_at` is what the editor saw, so that two editors do not overwrite each other."""

    valid_from = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)
    valid_until = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None)
    expected_updated_at = fields.AwareDateTime(default_timezone=UTC, allow_none=True, load_default=None,
                                               data_key="updated_at")


class NewOfferSchema(OfferSchema):
    """A new offer and the key that journeys name it by."""

    key = Words(longest=100, required=True)


class OfferAnswer(OfferTerms):
    """An offer with its words, its conditions and its use."""

    key = fields.String(required=True)
    words = fields.Dict(keys=fields.String(), values=fields.String())
    terms = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    valid_from = fields.String(allow_none=True)
    valid_until = fields.String(allow_none=True)
    codes_issued = fields.Integer()
    redemptions = fields.Integer()
    created_at = fields.String(required=True)
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


@blueprint.route("/offers/<key>", methods=["DELETE"])
@blueprint.response(204)
def delete(key: str) -> tuple[str, int]:
    """Delete an offer that was never used. 409 with what keeps it; such an offer can be switched off."""
    now = request_now()
    with writing() as session:
        delete_offer(session, key.replace("\x00", ""), above=journeys_with_offer)
        record(session, "offer.deleted", f"offer:{key}"[:200], now=now)
    return "", 204


def _save(key: str, terms: dict[str, Any], *, must_be_new: bool) -> dict[str, Any]:
    now = request_now()
    hours = terms.pop("hours")
    if hours is not None:
        terms |= {"from_minute": minute_of(hours["from_"], "hours"), "until_minute": minute_of(hours["until"], "hours")}
    with writing() as session:
        offer = save_offer(session, key, must_be_new=must_be_new, now=now, **terms)
        record(session, "offer.saved", f"offer:{offer.key}", now=now)
        return offer_body(session, offer)

"""Which codes lie ready to be handed out? The resource `pools`: stock, and filling it."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from coupons.codes.pools import Pool, discard_empty, find_pool, generate_pool, import_pool, list_pools
from coupons.codes.showing import instant_text
from web.requests.bodies import Page, Resource, Whole, Words, listed, page_of
from web.requests.transactions import database, reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-pools", __name__, url_prefix="/api/v1", description="Codes that lie ready, by batch.")

MOST_IN_ONE_REQUEST = 100_000
MOST_GENERATED_IN_ONE_REQUEST = 100_000


class PoolSchema(Schema):
    """A batch to be filled: by `count` from the generator, or with `codes` of one's own."""

    offer = Words(longest=100, required=True)
    name = Words(longest=200, shortest=0, load_default="")
    count = Whole(least=1, most=MOST_GENERATED_IN_ONE_REQUEST)
    codes = fields.List(fields.String(), validate=validate.Length(min=1, max=MOST_IN_ONE_REQUEST))

    @validates_schema
    def _one(self, data: dict[str, Any], **_options: Any) -> None:
        if ("count" in data) == ("codes" in data):
            raise ValidationError("Send either count or codes.", "count")


class PoolAnswer(Schema):
    """One batch; `rejected_lines` names places in `codes`, counted from 1. No `id`: none was new, nothing is kept."""

    id = fields.Integer(required=True, allow_none=True)
    offer = fields.String(required=True)
    kind = fields.String(required=True)
    name = fields.String(required=True)
    codes = fields.Integer(required=True)
    stock = fields.Integer(required=True)
    redeemed = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    created_at = fields.String(required=True)
    rejected_lines = fields.List(fields.Dict())


class PoolList(Schema):
    """One page of batches."""

    items = fields.List(fields.Nested(PoolAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


class PoolFilter(Page):
    """Which batches are listed."""

    offer = Words(longest=100)


def _body(pool: Pool) -> dict[str, Any]:
    return {"id": pool.id, "offer": pool.offer, "kind": pool.kind, "name": pool.name, "codes": pool.codes,
            "stock": pool.stock, "redeemed": pool.redeemed, "rejected": pool.rejected,
            "created_at": instant_text(pool.created_at)}


@blueprint.route("/pools", methods=["GET"])
@blueprint.arguments(PoolFilter, location="query")
@blueprint.response(200, PoolList)
def index(asked: dict[str, Any]) -> Response:
    """List batches in the order in which they came, with what is left of each."""
    after, limit = page_of(asked)
    with reading() as session:
        found = list_pools(session, offer=asked.get("offer"), after=after, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return jsonify(listed([_body(pool) for pool in found[:limit]], following))


@blueprint.route("/pools", methods=["POST"])
@blueprint.arguments(PoolSchema())
@blueprint.response(201, PoolAnswer)
def fill(body: dict[str, Any]) -> tuple[Response, int]:
    """Fill an offer's pool (201). Codes that cannot be taken are named; sending them again changes nothing (200)."""
    now = request_now()
    rejected: list[dict[str, Any]] = []
    if "count" in body:
        batch = generate_pool(database(), body["offer"], body["count"], name=body["name"], now=now)
    else:
        batch = import_pool(
            database(), body["offer"], enumerate(body["codes"], start=1), name=body["name"], now=now,
            reject=lambda number, text, why: rejected.append({"line": number, "code": text[:64], "reason": why}))
    with writing() as session:
        told = {**_body(find_pool(session, batch)), "rejected_lines": rejected}
        if not told["codes"]:
            discard_empty(session, batch)
            return jsonify({**told, "id": None}), 200
        record(session, "pool.filled", f"pool:{batch}", now=now, offer=body["offer"])
    return jsonify(told), 201

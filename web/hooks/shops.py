"""What does a shop tell us? The addresses of its webhooks.

Owns reception: size, signature on the raw bytes, storing, answer. Nothing is decided here; the worker reads the inbox.
"""

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from core.clock import wall_now
from core.errors import NotFound, Unauthorised
from web.requests.transactions import database, request_now
from web.requests.wired import settings
from web.shops.connections import known_shop, note_refused
from web.shops.inbox import store
from web.shops.shopware_app import secrets_at
from web.shops.systems import SYSTEMS, Received

blueprint = Blueprint("hooks-shops", __name__)

LARGEST_BODY_BYTES = 4 * 1024 * 1024
"""Larger bodies are refused with 413: an order of a thousand lines is far smaller."""
READ_AWAY_BYTES = 32 * 1024 * 1024
"""So much of a body that is too large is read and forgotten before the answer."""


@blueprint.post("/hooks/<any(shopify, woocommerce, shopware, standard):kind>/<public_id>")
def receive(kind: str, public_id: str) -> Response:
    """Take one webhook: 200 once it is stored, 401 for a wrong signature, 413 when it is too large."""
    body = body_up_to(LARGEST_BODY_BYTES)
    shop = known_shop(database(), kind, public_id, secret_key=settings().secret_key)
    if shop is None:
        raise NotFound("No shop is connected at this address.")
    system = SYSTEMS[kind]
    received = Received({name.lower(): value for name, value in request.headers.items()}, body)
    if system.is_ping(received):
        return jsonify(stored=False, reason="ping")
    now = request_now()
    if not system.fits(received, secrets_at(shop, now), int(wall_now().timestamp())):
        database().small(lambda connection: note_refused(connection, shop.id, now=now))
        raise Unauthorised("The signature does not fit the body, or its time is too far from now. Check the secret.")
    payload = _loose(body)
    topic = system.topic(received, payload)[:80]
    key = system.delivery_key(received, payload)
    kept = {name: value[:300] for name in system.kept_headers if (value := received.header(name)) is not None}
    fresh = database().small(lambda connection: store(
        connection, shop.id, key=_storable(key), topic=_storable(topic), headers=_all_storable(kept), body=body,
        now=now))
    return jsonify(stored=fresh) if fresh else jsonify(stored=False, reason="duplicate")


def body_up_to(most: int) -> bytes:
    """The raw body. Raises RequestEntityTooLarge for a larger one, once enough of it was read away to be heard.

    Who is still sending when the connection closes sees it break and not the answer.
    """
    request.max_content_length = most
    try:
        return request.get_data(cache=True)
    except RequestEntityTooLarge:
        stream, left = request.environ["wsgi.input"], READ_AWAY_BYTES
        while left > 0 and (piece := stream.read(min(left, 65_536))):
            left -= len(piece)
        raise


def _loose(body: bytes) -> Any:
    """The body as JSON if it is some; what cannot be read is stored all the same and fails where it can be seen."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _storable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _all_storable(headers: dict[str, str]) -> dict[str, str]:
    return {name: _storable(value) for name, value in headers.items()}

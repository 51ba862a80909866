"""A shop that talks to our hooks, in every system's own way: bodies written for these tests, signed as documented."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from core.clock import stand_at
from core.database import Database
from web.shops import processing
from web.shops.connections import create_connection

SECRET_KEY = "test-secret-key-0123456789"
_numbers = itertools.count(1)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Shop:
    """One connected shop and its secret."""

    app: Flask
    database: Database
    kind: str
    public_id: str
    secret: str
    answers: list[int] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"/hooks/{self.kind}/{self.public_id}"

    def post(self, body: bytes, headers: dict[str, str]) -> TestResponse:
        return self.app.test_client().post(self.address, data=body, headers=headers)

    def tell(self, order: dict[str, Any], topic: str = "order.updated", *, secret: str | None = None,
             message_id: str | None = None, at: int | None = None) -> TestResponse:
        """An order in our own form, signed after Standard Webhooks."""
        body = json.dumps({"type": topic, "data": order}).encode()
        stamp, name = int(time.time()) if at is None else at, message_id or f"msg_{next(_numbers)}"
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        return self.post(body, {"webhook-id": name, "webhook-timestamp": str(stamp), "webhook-signature": f"v1,{mac}"})

    def shopify(self, body: dict[str, Any], topic: str, event: str | None = None) -> TestResponse:
        raw = json.dumps(body).encode()
        return self.post(raw, {"X-Shopify-Topic": topic, "X-Shopify-Event-Id": event or f"event-{next(_numbers)}",
                               "X-Shopify-Hmac-Sha256": self._base64(raw)})

    def woo(self, body: dict[str, Any], topic: str, delivery: str = "same") -> TestResponse:
        raw = json.dumps(body).encode()
        return self.post(raw, {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Delivery-ID": delivery,
                               "X-WC-Webhook-Signature": self._base64(raw)})

    def shopware(self, order: dict[str, Any], event: str, *, event_id: str | None = None,
                 at: int | None = None) -> TestResponse:
        raw = json.dumps({"data": {"event": event, "payload": {"order": order}},
                          "source": {"eventId": event_id or f"event-{next(_numbers)}", "shopId": "s"},
                          "timestamp": int(time.time()) if at is None else at}).encode()
        mac = hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        return self.post(raw, {"shopware-shop-signature": mac})

    def _base64(self, raw: bytes) -> str:
        return base64.b64encode(hmac.new(self.secret.encode(), raw, hashlib.sha256).digest()).decode()

    def work(self, now: datetime) -> int:
        """What the worker does with the inbox."""
        return processing.tick(self.database, now=now, limit=100, secret_key=SECRET_KEY)


def connect(app: Flask, database: Database, *, now: datetime, kind: str = "standard", shop: str = "s1") -> Shop:
    """A fresh connection, at an installation whose clock stands at `now`."""
    with database.writing() as session:
        stand_at(session.connection(), now)
        made, secret = create_connection(session, kind, name=f"Shop {shop}", shop=shop, zone="Europe/Berlin",
                                         currency="EUR", shop_url="https://shop.example", secret_key=SECRET_KEY,
                                         now=now)
        return Shop(app, database, kind, made.public_id, secret)


def order(now: datetime, **changes: Any) -> dict[str, Any]:
    """A sofa for 500 and two lamps for 40 each, by customer c1."""
    return {
        "id": "o1", "ordered_at": iso(now), "modified_at": iso(now), "status": "paid", "currency": "EUR",
        "total_cents": 58_000, "customer": {"external_id": "c1"},
        "lines": [{"sku": "SOFA-1", "category": "furniture", "quantity": 1, "unit_price_cents": 50_000},
                  {"sku": "LAMP-1", "category": "lighting", "quantity": 2, "unit_price_cents": 4_000}],
        "coupons": [], **changes,
    }

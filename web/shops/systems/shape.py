"""What must be known of a shop system to take its webhooks?

Owns the shape of an adapter: pure functions over what was received, so that each can be tested with a body in hand.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.shops.told import NotOurs, Told

LONGEST_KEY = 200


@dataclass(frozen=True)
class Received:
    """One request as it came: header names in lower case, the raw body."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's value, cut to a sane length; None when it is not there."""
        value = self.headers.get(name)
        return None if value is None else value[:500]

    def body_hash(self) -> str:
        """The SHA-256 of the raw body."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Reading:
    """What reading a body needs to know: whose it is, when it came, and what else came for the same order."""

    shop: str
    zone: str
    topic: str
    received_at: datetime
    refunds: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Sample:
    """A signed example delivery."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class System:
    """One shop system. `secret_from`: who makes the secret, `shop` or `us`."""

    kind: str
    title: str
    secret_from: str
    link_template: str
    steps: tuple[str, ...]
    kept_headers: tuple[str, ...]
    fits: Callable[[Received, Sequence[str], int], bool]
    topic: Callable[[Received, Any], str]
    key: Callable[[Received, Any], str]
    read: Callable[[Any, Reading], Told | NotOurs]
    sample: Callable[[str, str, datetime, int], Sample]
    is_ping: Callable[[Received], bool] = lambda _received: False
    order_of_refund: Callable[[Any, str], str | None] = lambda _payload, _topic: None

    def delivery_key(self, received: Received, payload: Any) -> str:
        """The key under which a delivery is stored once; long ones are hashed."""
        key = self.key(received, payload)
        return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


SAMPLE_ORDER = "winback-test"
"""The order number of a test; a delivery about it is read and not recorded."""

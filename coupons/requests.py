"""What does a shop ask when a customer enters a code, and what does it get back?

Owns the request and the answer as values, checked by the door that reads them. The digest identifies a request for
its idempotency key: the same key with another digest is a mistake, not a repetition.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from coupons.discount import Line


@dataclass(frozen=True)
class Order:
    """The order at the time of asking; `total_cents` is goods before this discount, VAT in, shipping out."""

    id: str
    total_cents: int
    currency: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class RedemptionRequest:
    """One request: the code as typed, the order, and who orders, as far as the shop says."""

    code: str
    order: Order
    shop: str = ""
    customer_external_id: str | None = None
    customer_email: str | None = None

    def digest(self) -> str:
        """SHA-256 of everything asked."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What the shop gets: an HTTP-like status that is kept with it, and the body (a refusal: reason and detail)."""

    status: int
    body: Mapping[str, Any]

    @property
    def reason(self) -> str | None:
        """The reason of a refusal, None when it succeeded."""
        return self.body.get("reason") if self.status >= 400 else None

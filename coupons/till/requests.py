"""What does a shop ask when a customer enters a code, and what does it get back?

Owns the request and the answer as values, checked by the door that reads them. The digest identifies a request for
its idempotency key: the same key with another digest is a mistake, not a repetition.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from coupons.offers.discount import Line


@dataclass(frozen=True)
class Order:
    """The order at the time of asking; `total_cents` is goods before this discount, VAT in, shipping out.

    `shipping_cents` is what sending it costs, None where the shop does not say.
    """

    id: str
    total_cents: int
    currency: str
    lines: tuple[Line, ...] = ()
    shipping_cents: int | None = None


@dataclass(frozen=True)
class RedemptionRequest:
    """One request: the code as typed, the order, and who orders, as far as the shop says."""

    code: str
    order: Order
    shop: str = ""
    customer_external_id: str | None = None
    customer_email: str | None = None
    reservation: str | None = None

    @property
    def names_customer(self) -> bool:
        """Whether the shop says who orders, be it somebody we do not know yet."""
        return self.customer_external_id is not None or self.customer_email is not None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything asked."""
        order = self.order
        said = {**_said(self), "order": {**_said(order), "lines": [_said(line) for line in order.lines]}}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_LATER = frozenset({"reservation", "sale", "non_discountable", "shipping_cents"})
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in (Line, Order, RedemptionRequest)}


def _said(value: Line | Order | RedemptionRequest) -> dict[str, Any]:
    """The fields of one value; what shops may say only since later is left out unsaid, so that old digests stay."""
    kept = value.__dict__
    return {name: kept[name] for name in _FIELDS[type(value)] if kept[name] is not None or name not in _LATER}


@dataclass(frozen=True)
class Answer:
    """What the shop gets: an HTTP-like status that is kept with it, and the body (a refusal: reason and detail)."""

    status: int
    body: Mapping[str, Any]

    @property
    def reason(self) -> str | None:
        """The reason of a refusal, None when it succeeded."""
        return self.body.get("reason") if self.status >= 400 else None

"""How does a shop talk to Winback? Four calls, written with the standard library only, to be copied.

Nothing here raises when Winback cannot be reached: the caller gets None and sells at the full price.
"""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

Answer = tuple[int, dict[str, Any]]

TIMEOUT_SECONDS = 15
"""Longer than a busy shop would wait: the demo's Winback may just be starting."""


@dataclass(frozen=True)
class Winback:
    """Where Winback is, with which key the shop asks, and where and with which secret it tells of orders."""

    address: str
    key: str
    hook: str
    secret: str
    label: str

    def validate(self, code: str, order: dict[str, Any], customer: dict[str, str] | None) -> Answer | None:
        """Would this code be accepted, and what would it take off? Changes nothing."""
        return self._ask(f"/api/v1/coupons/{urllib.parse.quote(code, safe='')}/validate",
                         self._body(code, order, customer))

    def redeem(self, code: str, order: dict[str, Any], customer: dict[str, str] | None) -> Answer | None:
        """Redeem for good. The order's number is the key, so that a repeated click or request is one redemption."""
        return self._ask("/api/v1/redemptions", self._body(code, order, customer),
                         {"Idempotency-Key": f"{self.label}-{order['id']}-{code}"[:255]})

    def roll_back(self, redemption_id: str) -> Answer | None:
        """Take the redemption back; the code is free again. Repeating it is harmless."""
        return self._ask(f"/api/v1/redemptions/{redemption_id}/rollback", {})

    def tell(self, topic: str, order: dict[str, Any], message_id: str | None = None) -> bool:
        """Tell the whole order as it now stands, signed after Standard Webhooks; True once it is stored there."""
        body = json.dumps({"type": topic, "data": order}).encode()
        name, stamp = message_id or f"msg_{uuid.uuid4().hex}", int(time.time())
        secret = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = hmac.new(secret, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        answer = _post(self.hook, body, {"webhook-id": name, "webhook-timestamp": str(stamp),
                                         "webhook-signature": f"v1,{base64.b64encode(mac).decode()}"})
        return answer is not None and answer[0] == 200

    def _body(self, code: str, order: dict[str, Any], customer: dict[str, str] | None) -> dict[str, Any]:
        asked = {name: order[name] for name in ("id", "total_cents", "currency")}
        asked["lines"] = [{name: line[name] for name in ("sku", "category", "brand", "quantity", "unit_price_cents")}
                          for line in order["lines"]]
        body: dict[str, Any] = {"code": code, "shop": self.label, "order": asked}
        return {**body, "customer": customer} if customer else body

    def _ask(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer | None:
        return _post(self.address + path, json.dumps(body).encode(),
                     {"Authorization": f"Bearer {self.key}", **(headers or {})})


def _post(url: str, body: bytes, headers: dict[str, str]) -> Answer | None:
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers}, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.loads(error.read())
        except ValueError:
            return error.code, {}
    except (urllib.error.URLError, OSError, ValueError):
        return None

"""What does a shop without an adapter of its own send?

Owns our own order webhook, signed after Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`): the
full state of an order in the words of the API's orders and redemptions, with its coupons. `webhook-id` names the
delivery. docs/shops.md describes it for those who write it.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from customers.reported import ReportedLine, ReportedOrder, ReportedPerson
from web.shops import signatures, told
from web.shops.systems.shape import SAMPLE_ORDER, Reading, Received, Sample, System

TYPES = ("order.created", "order.updated", "order.cancelled", "order.refunded", "order.deleted")
CALLED_OFF = ("cancelled", "canceled", "voided")
VIA = ("web", "phone", "letter", "store")


def _fits(received: Received, secrets: Sequence[str], wall_seconds: int) -> bool:
    return signatures.standard(
        received.body, message_id=received.header("webhook-id"), timestamp=received.header("webhook-timestamp"),
        presented=received.headers.get("webhook-signature", "")[:2000], secrets=secrets, wall_seconds=wall_seconds)


def _topic(_received: Received, payload: Any) -> str:
    return told.clipped(told.some(payload).get("type"), 80) or "unknown"


def _key(received: Received, _payload: Any) -> str:
    return received.header("webhook-id") or received.body_hash()


def _read(payload: Any, reading: Reading) -> told.Told | told.NotOurs:
    if reading.topic not in TYPES:
        return told.NotOurs(f"Nothing is taken from {reading.topic}; the types are {', '.join(TYPES)}.")
    data = told.part(told.part(payload, "body").get("data"), "data")
    body = told.part(data.get("order", data), "data.order")
    order_ref = told.needed(body.get("id"), "data.id")
    ordered = told.instant(body.get("ordered_at"), "data.ordered_at", zone=reading.zone)
    # An order that was just made is as it was made, however late we hear of it.
    modified = (told.instant(body.get("modified_at"), "data.modified_at", zone=reading.zone)
                or told.instant(payload.get("timestamp"), "timestamp", zone=reading.zone)
                or (ordered if reading.topic == "order.created" else None) or reading.received_at)
    if reading.topic == "order.deleted":
        return told.Told(order_ref, modified, None, removed=True)
    odd = told.Oddities()
    lines = _lines(body, odd)
    if body.get("total_cents") is not None:
        odd.check_total(told.whole(body.get("total_cents"), "data.total_cents"),
                        sum(line.total_cents for line in lines), lines=len(lines))
    codes = tuple(told.ToldCode(told.needed(each.get("code"), "data.coupons.code"),
                           max(0, told.whole(each.get("discount_cents"), "data.coupons.discount_cents")))
                  for each in told.parts(body.get("coupons"), "data.coupons"))
    refunded = body.get("refunded_cents")
    status = told.clipped(body.get("status"), 40)
    via = told.clipped(body.get("ordered_via"), 16)
    order = ReportedOrder(
        shop=reading.shop, number=order_ref, modified_at=modified,
        ordered_at=ordered or modified,
        currency=told.currency_of(body.get("currency"), "data.currency"), person=_person(body), lines=tuple(lines),
        status=status, cancelled=reading.topic == "order.cancelled" or (status or "").casefold() in CALLED_OFF,
        coupon_code=codes[0].code[:64] if codes else None, ordered_via=via if via in VIA else "web",
        payment=told.clipped(body.get("payment"), 40),
        delivered_at=told.instant(body.get("delivered_at"), "data.delivered_at", zone=reading.zone),
        returned_at=told.instant(body.get("returned_at"), "data.returned_at", zone=reading.zone))
    return told.Told(order_ref, modified, order, codes, odd=odd.as_told(),
                refunded_cents=None if refunded is None else max(0, told.whole(refunded, "data.refunded_cents")))


def _lines(body: dict[str, Any], odd: told.Oddities) -> list[ReportedLine]:
    found = []
    for item in told.parts(body.get("lines"), "data.lines"):
        quantity = told.number(item.get("quantity", 1), "data.lines.quantity")
        price = told.whole(item.get("unit_price_cents"), "data.lines.unit_price_cents")
        total = int(quantity * price + Decimal("0.5"))
        if item.get("total_cents") is not None:
            total = told.whole(item.get("total_cents"), "data.lines.total_cents")
        if quantity < 0 or price < 0 or total < 0:
            odd.note("negative_line")
            continue
        returned = told.number(item.get("returned_quantity"), "data.lines.returned_quantity")
        if returned > quantity:
            odd.note("refund_too_large")
        rate = told.number(item.get("tax_rate"), "data.lines.tax_rate")
        off = item.get("discount_cents")
        found.append(ReportedLine(
            sku=told.clipped(item.get("sku"), 100), product=told.clipped(item.get("product"), 300),
            category=told.clipped(item.get("category"), 200), brand=told.clipped(item.get("brand"), 200),
            quantity=quantity, unit_price_cents=price, total_cents=total,
            discount_cents=None if off is None else max(0, told.whole(off, "data.lines.discount_cents")),
            tax_rate=rate if item.get("tax_rate") is not None and 0 <= rate <= 1 else None,
            returned_quantity=max(Decimal(0), returned) or None))
    return found


def _person(body: dict[str, Any]) -> ReportedPerson:
    customer = body.get("customer")
    who = customer if isinstance(customer, dict) else {"external_id": customer}
    return told.person(told.words(who.get("external_id"), "data.customer.external_id"), who.get("email"),
                       who.get("first_name"), who.get("last_name"))


def _sample(secret: str, code: str, at: datetime, wall_seconds: int) -> Sample:
    stamp = at.astimezone(UTC).isoformat()
    body = json.dumps({"type": "order.created", "timestamp": stamp, "data": {
        "id": SAMPLE_ORDER, "ordered_at": stamp, "modified_at": stamp, "status": "paid", "currency": "EUR",
        "total_cents": 8000, "customer": {"external_id": "test", "email": "test@example.com"},
        "lines": [{"sku": "LAMP-1", "product": "Lamp", "category": "lighting", "quantity": 2,
                   "unit_price_cents": 4000}],
        "coupons": [{"code": code, "discount_cents": 800}]}}).encode()
    message_id = f"test_{int(at.timestamp())}_{wall_seconds}"
    return Sample({"webhook-id": message_id, "webhook-timestamp": str(wall_seconds),
                   "webhook-signature": signatures.sign_standard(
                       body, message_id=message_id, timestamp=wall_seconds, secret=secret)}, body)


SYSTEM = System(
    kind="standard", title="Any shop (Standard Webhooks)", secret_from="us", link_template="{shop}/cart?code={code}",
    steps=(
        "Send a POST to this address when an order is made and whenever it changes, always with the whole order.",
        "Sign it after Standard Webhooks with the secret shown here; libraries exist for most languages.",
        "Send the same webhook-id again when you got no answer of 2xx: it is taken once.",
        "Ask the API to redeem a code at the checkout; the order reported here is then the same redemption.",
    ),
    kept_headers=("webhook-id", "webhook-timestamp"),
    fits=_fits, topic=_topic, key=_key, read=_read, sample=_sample,
)

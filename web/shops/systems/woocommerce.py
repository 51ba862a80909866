"""What does WooCommerce send of an order?

Owns reading its order webhooks, each of them the full state. Its Delivery-ID is made of the webhook and the second, so
two orders of one second share it: the topic and the body tell deliveries apart instead. It never sends again by itself.
Refunds come as amounts without lines.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from customers.reported import ReportedLine, ReportedOrder, ReportedPerson
from web.shops import signatures, told
from web.shops.systems.shape import SAMPLE_ORDER, Reading, Received, Sample, System

NEVER_AN_ORDER = ("checkout-draft", "auto-draft", "draft")
CALLED_OFF = ("cancelled", "failed", "trash")


def _fits(received: Received, secrets: Sequence[str], _wall_seconds: int) -> bool:
    return signatures.base64_hmac(received.body, received.header("x-wc-webhook-signature"), secrets)


def _topic(received: Received, _payload: Any) -> str:
    return received.header("x-wc-webhook-topic") or "order.updated"


def _key(received: Received, payload: Any) -> str:
    known = payload if isinstance(payload, dict) else {}
    modified = known.get("date_modified_gmt") or known.get("date_modified") or ""
    return f"{_topic(received, payload)} {str(known.get('id'))[:40]} {str(modified)[:30]} {received.body_hash()}"


def _is_ping(received: Received) -> bool:
    """Saving a webhook sends a form with its number, unsigned, which has to be answered with 200."""
    return (received.header("x-wc-webhook-signature") is None and len(received.body) <= 100
            and received.body.startswith(b"webhook_id="))


def _read(payload: Any, reading: Reading) -> told.Told | told.NotOurs:
    body = told.part(payload, "body")
    if not reading.topic.startswith("order."):
        return told.NotOurs(f"Nothing is taken from {reading.topic}.")
    order_ref = told.needed(body.get("id"), "id")
    if reading.topic == "order.deleted":
        return told.Told(order_ref, reading.received_at, None, removed=True)
    status = told.clipped(body.get("status"), 40) or ""
    if status in NEVER_AN_ORDER:
        return told.NotOurs(f"A basket in the state {status} is no order yet.", order_ref)
    odd = told.Oddities()
    lines = _lines(body, odd, whole_returned=status == "refunded")
    modified = told.must_be(_moment(body, "date_modified", reading) or _moment(body, "date_created", reading),
                       "date_modified_gmt")
    if body.get("total") is not None:
        odd.check_total(_goods_after_discount(body),
                        sum(line.total_cents - (line.discount_cents or 0) for line in lines), lines=len(lines))
    codes = tuple(
        told.ToldCode(told.needed(each.get("code"), "coupon_lines.code"), abs(_with_tax(each, "discount")))
        for each in told.parts(body.get("coupon_lines"), "coupon_lines"))
    refunded = sum(abs(told.cents(each.get("total"), "refunds.total"))
                   for each in told.parts(body.get("refunds"), "refunds"))
    if refunded > told.cents(body.get("total"), "total") and body.get("total") is not None:
        odd.note("refund_too_large")
    order = ReportedOrder(
        shop=reading.shop, number=order_ref, modified_at=modified,
        ordered_at=_moment(body, "date_created", reading) or modified,
        currency=told.currency_of(body.get("currency"), "currency"), person=_person(body), lines=tuple(lines),
        status=status or None, cancelled=status in CALLED_OFF, coupon_code=codes[0].code[:64] if codes else None,
        payment=told.clipped(body.get("payment_method"), 40), returned_at=modified if refunded else None)
    return told.Told(order_ref, modified, order, codes, refunded_cents=refunded or None, odd=odd.as_told())


def _moment(body: dict[str, Any], name: str, reading: Reading) -> datetime | None:
    """The `_gmt` field is UTC without saying so; the plain one is the shop's own time."""
    return (told.instant(body.get(f"{name}_gmt"), f"{name}_gmt")
            or told.instant(body.get(name), name, zone=reading.zone))


def _with_tax(thing: dict[str, Any], name: str) -> int:
    """An amount and its tax, which stands beside it as `<name>_tax`."""
    return told.cents(thing.get(name), name) + told.cents(thing.get(f"{name}_tax"), f"{name}_tax")


def _goods_after_discount(body: dict[str, Any]) -> int:
    fees = sum(_with_tax(fee, "total") for fee in told.parts(body.get("fee_lines"), "fee_lines"))
    return (told.cents(body.get("total"), "total") - told.cents(body.get("shipping_total"), "shipping_total")
            - told.cents(body.get("shipping_tax"), "shipping_tax") - fees)


def _lines(body: dict[str, Any], odd: told.Oddities, *, whole_returned: bool) -> list[ReportedLine]:
    found = []
    for item in told.parts(body.get("line_items"), "line_items"):
        quantity = told.number(item.get("quantity"), "quantity")
        paid = _with_tax(item, "total")
        before = paid if item.get("subtotal") is None else _with_tax(item, "subtotal")
        if quantity < 0 or before < 0:
            odd.note("negative_line")
            continue
        each = int(Decimal(before) / quantity + Decimal("0.5")) if quantity else before
        found.append(ReportedLine(
            sku=told.clipped(item.get("sku") or item.get("product_id"), 100),
            product=told.clipped(item.get("name"), 300), quantity=quantity, unit_price_cents=each, total_cents=before,
            discount_cents=max(0, before - paid) or None,
            returned_quantity=quantity if whole_returned and quantity else None))
    return found


def _person(body: dict[str, Any]) -> ReportedPerson:
    who = told.some(body.get("billing"))
    number = told.words(body.get("customer_id"), "customer_id")
    return told.person(None if number == "0" else number, who.get("email"), who.get("first_name"), who.get("last_name"))


def _sample(secret: str, code: str, at: datetime, _wall_seconds: int) -> Sample:
    stamp = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    body = json.dumps({
        "id": SAMPLE_ORDER, "status": "processing", "currency": "EUR", "date_created_gmt": stamp,
        "date_modified_gmt": stamp, "total": "72.00", "shipping_total": "0.00", "customer_id": 0,
        "billing": {"first_name": "Test", "last_name": "Order", "email": "test@example.com"},
        "line_items": [{"id": 1, "name": "Lamp", "sku": "LAMP-1", "quantity": 2, "subtotal": "67.23",
                        "subtotal_tax": "12.77", "total": "60.50", "total_tax": "11.50"}],
        "coupon_lines": [{"id": 1, "code": code.lower(), "discount": "6.72", "discount_tax": "1.28"}], "refunds": [],
    }).encode()
    return Sample({"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Resource": "order",
                   "X-WC-Webhook-Event": "created",
                   "X-WC-Webhook-Signature": signatures.sign_base64(body, secret)}, body)


SYSTEM = System(
    kind="woocommerce", title="WooCommerce", secret_from="us", link_template="{shop}/?coupon={code}",
    steps=(
        "In WordPress open WooCommerce, Settings, Advanced, Webhooks and add a webhook for each topic: Order created, "
        "Order updated, Order deleted, Order restored. Status active.",
        "Delivery URL and secret as shown here, API version “WP REST API Integration v3”.",
        "WooCommerce sends each message once and switches a webhook off after five failures in a row: look at its "
        "status now and then.",
        "A link with ?coupon= needs an extension that reads it; change the link below if yours is another one.",
    ),
    kept_headers=("x-wc-webhook-topic", "x-wc-webhook-resource", "x-wc-webhook-event", "x-wc-webhook-source",
                  "x-wc-webhook-id", "x-wc-webhook-delivery-id"),
    fits=_fits, topic=_topic, key=_key, read=_read, sample=_sample, is_ping=_is_ping,
)

"""What does Shopify send of an order?

Owns reading its order and refund webhooks. Each order webhook is the full state; `refunds/create` tells of one refund
only and is merged into the order by its id. The same event sent twice has the same `X-Shopify-Event-Id`. Shopify
decides about codes by itself, so what comes here are facts.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from customers.reported import ReportedLine, ReportedOrder, ReportedPerson
from web.shops import signatures, told
from web.shops.systems.shape import SAMPLE_ORDER, Reading, Received, Sample, System


def _fits(received: Received, secrets: Sequence[str], _wall_seconds: int) -> bool:
    return signatures.base64_hmac(received.body, received.header("x-shopify-hmac-sha256"), secrets)


def _topic(received: Received, _payload: Any) -> str:
    return received.header("x-shopify-topic") or "orders/updated"


def _key(received: Received, payload: Any) -> str:
    event = received.header("x-shopify-event-id") or received.header("x-shopify-webhook-id")
    return f"{_topic(received, payload)} {event or received.body_hash()}"


def _order_of_refund(payload: Any, topic: str) -> str | None:
    if topic != "refunds/create" or not isinstance(payload, dict):
        return None
    return told.words(payload.get("order_id"), "order_id")


def _read(payload: Any, reading: Reading) -> told.Told | told.NotOurs:
    body = told.part(payload, "body")
    if reading.topic == "refunds/create":
        return told.NotOurs("Kept until its order comes.", told.needed(body.get("order_id"), "order_id"))
    if not reading.topic.startswith("orders/"):
        return told.NotOurs(f"Nothing is taken from {reading.topic}.")
    order_ref = told.needed(body.get("id"), "id")
    if reading.topic == "orders/delete":
        return told.Told(order_ref, reading.received_at, None, removed=True)
    odd = told.Oddities()
    refunds = _refunds(body, reading)
    lines = _lines(body, refunds, odd)
    updated = told.instant(body.get("updated_at") or body.get("created_at"), "updated_at", zone=reading.zone)
    modified = told.must_be(updated, "updated_at")
    for refund in refunds.values():
        at = told.instant(refund.get("created_at"), "refunds.created_at", zone=reading.zone)
        modified = max(modified, at or modified)
    stated = body.get("total_line_items_price")
    if body.get("taxes_included", True) and stated is not None:
        odd.check_total(told.cents(stated, "total_line_items_price"), sum(line.total_cents for line in lines),
                        lines=len(lines))
    codes = tuple(
        told.ToldCode(told.needed(each.get("code"), "discount_codes.code"),
                      abs(told.cents(each.get("amount"), "amount")))
        for each in told.parts(body.get("discount_codes"), "discount_codes"))
    order = ReportedOrder(
        shop=reading.shop, number=order_ref, modified_at=modified,
        ordered_at=told.must_be(told.instant(body.get("created_at"), "created_at", zone=reading.zone), "created_at"),
        currency=told.currency_of(body.get("currency"), "currency"), person=_person(body), lines=tuple(lines),
        status=told.clipped(body.get("financial_status"), 40), cancelled=body.get("cancelled_at") is not None,
        coupon_code=codes[0].code[:64] if codes else None,
        ordered_via={"pos": "store"}.get(told.clipped(body.get("source_name"), 40) or "", "web"),
        delivered_at=None, returned_at=modified if refunds else None)
    return told.Told(order_ref, modified, order, codes, odd=odd.as_told())


def _refunds(body: dict[str, Any], reading: Reading) -> dict[str, dict[str, Any]]:
    """Refunds by their id: those in the order, and those that came by themselves."""
    known = [*told.parts(body.get("refunds"), "refunds"), *reading.refunds]
    return {told.needed(each.get("id"), "refunds.id"): each for each in known}


def _lines(body: dict[str, Any], refunds: dict[str, dict[str, Any]], odd: told.Oddities) -> list[ReportedLine]:
    returned: dict[str, Decimal] = {}
    for refund in refunds.values():
        for item in told.parts(refund.get("refund_line_items"), "refund_line_items"):
            line_id = told.needed(item.get("line_item_id"), "line_item_id")
            returned[line_id] = returned.get(line_id, Decimal(0)) + told.number(item.get("quantity"), "quantity")
    found = []
    for item in told.parts(body.get("line_items"), "line_items"):
        quantity, price = told.number(item.get("quantity"), "quantity"), told.cents(item.get("price"), "price")
        if quantity < 0 or price < 0:
            odd.note("negative_line")
            continue
        taxes = told.parts(item.get("tax_lines"), "tax_lines")
        total = int(quantity * price)
        if not body.get("taxes_included", True):
            total += sum(told.cents(tax.get("price"), "tax_lines.price") for tax in taxes)
        came_back = returned.get(told.words(item.get("id"), "line_items.id") or "", Decimal(0))
        if came_back > quantity:
            odd.note("refund_too_large")
        off = sum(told.cents(each.get("amount"), "discount_allocations.amount")
                  for each in told.parts(item.get("discount_allocations"), "discount_allocations"))
        rates = [told.number(tax.get("rate"), "tax_lines.rate") for tax in taxes]
        found.append(ReportedLine(
            sku=told.clipped(item.get("sku"), 100), product=told.clipped(item.get("title") or item.get("name"), 300),
            quantity=quantity, unit_price_cents=price, total_cents=total, brand=told.clipped(item.get("vendor"), 200),
            discount_cents=off or None,
            tax_rate=sum(rates, Decimal(0)) if rates and 0 <= sum(rates) <= 1 else None,
            returned_quantity=max(Decimal(0), came_back) or None))
    return found


def _person(body: dict[str, Any]) -> ReportedPerson:
    who = told.some(body.get("customer"))
    return told.person(told.words(who.get("id"), "customer.id"), body.get("email") or who.get("email"),
                       who.get("first_name"), who.get("last_name"))


def _sample(secret: str, code: str, at: datetime, _wall_seconds: int) -> Sample:
    stamp = at.astimezone(UTC).isoformat()
    body = json.dumps({
        "id": SAMPLE_ORDER, "name": "#TEST", "email": "test@example.com", "created_at": stamp, "updated_at": stamp,
        "currency": "EUR", "taxes_included": True, "financial_status": "paid", "total_line_items_price": "80.00",
        "discount_codes": [{"code": code, "amount": "8.00", "type": "percentage"}],
        "line_items": [{"id": 1, "sku": "LAMP-1", "title": "Lamp", "quantity": 2, "price": "40.00", "vendor": "Lumo"}],
        "customer": {"id": 1, "first_name": "Test", "last_name": "Order"}, "refunds": [],
    }).encode()
    return Sample({"X-Shopify-Topic": "orders/create", "X-Shopify-Event-Id": f"test-{stamp}",
                   "X-Shopify-Hmac-Sha256": signatures.sign_base64(body, secret)}, body)


SYSTEM = System(
    kind="shopify", title="Shopify", secret_from="shop", link_template="{shop}/discount/{code}",
    steps=(
        "In Shopify open Settings, Notifications, Webhooks.",
        "Create a webhook for each of: order creation, order update, order cancellation, order deletion, refund "
        "creation. Format JSON, address as shown here.",
        "Copy the signing secret that Shopify shows under its list of webhooks into “Rotate the secret” here.",
        "Create each code in Shopify, too: Shopify decides about codes by itself and tells us what happened.",
    ),
    kept_headers=("x-shopify-topic", "x-shopify-shop-domain", "x-shopify-api-version", "x-shopify-triggered-at",
                  "x-shopify-event-id", "x-shopify-webhook-id", "x-shopify-test"),
    fits=_fits, topic=_topic, key=_key, read=_read, sample=_sample, order_of_refund=_order_of_refund,
)

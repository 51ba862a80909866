"""What does Shopware 6 send of an order?

Owns reading the order events of an app: the placed order and its changes of state, each with the whole order. Codes
are lines of the type promotion. The same event sent again keeps `source.eventId`. The body's `timestamp` is signed: one
from the future or older than a day is refused, so that a copied delivery is of no use later.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from customers.reported import ReportedLine, ReportedOrder, ReportedPerson
from web.shops import signatures
from web.shops.systems.shape import SAMPLE_ORDER, Reading, Received, Sample, System
from web.shops.told import (
    NotOurs,
    Oddities,
    Told,
    ToldCode,
    cents,
    clipped,
    currency_of,
    differs,
    instant,
    must_be,
    needed,
    number,
    part,
    parts,
    words,
)

OLDEST_SECONDS = 86_400
RETURNED = ("state_enter.order_transaction.state.refunded", "state_enter.order_delivery.state.returned")


def _fits(received: Received, secrets: Sequence[str], wall_seconds: int) -> bool:
    if not signatures.hex_hmac(received.body, received.header("shopware-shop-signature"), secrets):
        return False
    sent = _timestamp(received.body)
    return sent is None or -OLDEST_SECONDS <= sent - wall_seconds <= signatures.TOLERANCE_SECONDS


def _timestamp(body: bytes) -> int | None:
    """The signed time of sending; None when the shop names none that can be read."""
    try:
        said = json.loads(body).get("timestamp")
    except (ValueError, AttributeError, RecursionError):
        return None
    return int(said) if isinstance(said, int | float) and not isinstance(said, bool) and abs(said) < 1e12 else None


def _topic(_received: Received, payload: Any) -> str:
    data = payload.get("data") if isinstance(payload, dict) else None
    return (clipped(data.get("event"), 80) if isinstance(data, dict) else None) or "unknown"


def _key(received: Received, payload: Any) -> str:
    source = payload.get("source") if isinstance(payload, dict) else None
    event = source.get("eventId") if isinstance(source, dict) else None
    found = received.header("x-shopware-event-id") or clipped(event, 100)
    return f"{_topic(received, payload)} {found or received.body_hash()}"


def _read(payload: Any, reading: Reading) -> Told | NotOurs:
    data = part(part(payload, "body").get("data"), "data")
    inner = data.get("payload")
    body = inner.get("order") if isinstance(inner, dict) else None
    if not isinstance(body, dict):
        return NotOurs(f"{reading.topic} says nothing of an order as a whole.")
    order_ref = needed(body.get("orderNumber") or body.get("id"), "orderNumber")
    odd = Oddities()
    states = {_state(each) for each in parts(body.get("transactions"), "transactions")}
    all_back = reading.topic in RETURNED or "refunded" in states
    lines, codes = _lines(body, odd, all_back=all_back)
    created = instant(body.get("orderDateTime") or body.get("createdAt"), "orderDateTime", zone=reading.zone)
    modified = must_be(instant(body.get("updatedAt"), "updatedAt", zone=reading.zone) or created, "orderDateTime")
    status = _state(body) or ("cancelled" if reading.topic.endswith("order.state.cancelled") else None)
    price = body.get("price")
    stated = price.get("positionPrice") if isinstance(price, dict) else None
    taken_off = sum(code.discount_cents for code in codes)
    if stated is not None and "negative_line" not in odd.found and differs(
            cents(stated, "price.positionPrice"), sum(line.total_cents for line in lines) - taken_off,
            lines=len(lines)):
        odd.note("totals_differ")
    order = ReportedOrder(
        shop=reading.shop, number=order_ref, modified_at=modified, ordered_at=created or modified,
        currency=_currency(body), person=_person(body), lines=tuple(lines), status=status,
        cancelled=status == "cancelled", coupon_code=codes[0].code[:64] if codes else None,
        returned_at=modified if all_back else None)
    return Told(order_ref, modified, order, tuple(codes), odd=odd.as_told())


def _state(thing: dict[str, Any]) -> str | None:
    state = thing.get("stateMachineState")
    return clipped(state.get("technicalName"), 40) if isinstance(state, dict) else None


def _currency(body: dict[str, Any]) -> str:
    currency = body.get("currency")
    return currency_of(currency.get("isoCode") if isinstance(currency, dict) else body.get("currencyIsoCode"),
                       "currency.isoCode")


def _lines(body: dict[str, Any], odd: Oddities, *, all_back: bool) -> tuple[list[ReportedLine], list[ToldCode]]:
    lines, codes = [], []
    for item in parts(body.get("lineItems"), "lineItems"):
        detail = item.get("payload")
        told = detail if isinstance(detail, dict) else {}
        total = cents(item.get("totalPrice"), "totalPrice")
        if item.get("type") == "promotion":
            code = words(told.get("code") or item.get("referencedId"), "lineItems.payload.code")
            if code is not None and told.get("discountType") != "automatic":
                codes.append(ToldCode(code, abs(total)))
            continue
        if item.get("type") not in (None, "product", "custom"):
            continue
        quantity = number(item.get("quantity"), "quantity")
        if quantity < 0 or total < 0:
            odd.note("negative_line")
            continue
        lines.append(ReportedLine(
            sku=clipped(told.get("productNumber"), 100), product=clipped(item.get("label"), 300), quantity=quantity,
            unit_price_cents=max(0, cents(item.get("unitPrice"), "unitPrice")), total_cents=total,
            returned_quantity=quantity if all_back and quantity else None))
    merged: dict[str, int] = {}
    for each in codes:  # one promotion may take off in several lines
        merged[each.code] = merged.get(each.code, 0) + each.discount_cents
    return lines, [ToldCode(code, off) for code, off in merged.items()]


def _person(body: dict[str, Any]) -> ReportedPerson:
    customer = body.get("orderCustomer")
    told = customer if isinstance(customer, dict) else {}
    return ReportedPerson(words(told.get("customerNumber"), "customerNumber"), clipped(told.get("email"), 254),
                          clipped(told.get("firstName"), 100), clipped(told.get("lastName"), 100))


def _sample(secret: str, code: str, at: datetime, wall_seconds: int) -> Sample:
    stamp = at.astimezone(UTC).isoformat()
    body = json.dumps({
        "data": {"event": "checkout.order.placed", "payload": {"order": {
            "orderNumber": SAMPLE_ORDER, "orderDateTime": stamp, "updatedAt": None, "currency": {"isoCode": "EUR"},
            "price": {"positionPrice": 72.0}, "stateMachineState": {"technicalName": "open"},
            "orderCustomer": {"customerNumber": "test", "email": "test@example.com", "firstName": "Test",
                              "lastName": "Order"},
            "lineItems": [
                {"type": "product", "label": "Lamp", "quantity": 2, "unitPrice": 40.0, "totalPrice": 80.0,
                 "payload": {"productNumber": "LAMP-1"}},
                {"type": "promotion", "label": "Ten percent", "quantity": 1, "unitPrice": -8.0, "totalPrice": -8.0,
                 "referencedId": code, "payload": {"code": code, "discountType": "percentage"}}]}}},
        "source": {"url": "https://shop.example", "shopId": "test", "eventId": f"test-{stamp}"},
        "timestamp": wall_seconds,
    }).encode()
    return Sample({"shopware-shop-signature": signatures.sign_hex(body, secret), "sw-version": "6"}, body)


SYSTEM = System(
    kind="shopware", title="Shopware 6", secret_from="shop", link_template="{shop}/checkout/cart?code={code}",
    steps=(
        "Make an app whose manifest lists a webhook with this address for each event: checkout.order.placed, "
        "state_enter.order.state.cancelled, state_enter.order_transaction.state.refunded, "
        "state_enter.order_delivery.state.returned. It needs the permission to read orders.",
        "Put the secret that your app and the shop agreed on at its registration into “Rotate the secret” here.",
        "Shopware sends up to three times and switches a webhook off after ten errors.",
        "A link that applies a code needs a plugin or theme that reads it; change the link below to yours.",
    ),
    kept_headers=("sw-version", "x-shopware-event-id", "x-shopware-sequence", "x-shopware-attempt"),
    fits=_fits, topic=_topic, key=_key, read=_read, sample=_sample,
)

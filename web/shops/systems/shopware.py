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
from web.shops import signatures, told
from web.shops.systems.shape import SAMPLE_ORDER, Reading, Received, Sample, System

OLDEST_SECONDS = 86_400
EVENTS = ("checkout.order.placed", "state_enter.order.state.cancelled",
          "state_enter.order_transaction.state.refunded", "state_enter.order_delivery.state.returned")
"""What the app asks to hear of."""
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
    return told.clipped(told.some(told.some(payload).get("data")).get("event"), 80) or "unknown"


def _key(received: Received, payload: Any) -> str:
    event = told.some(told.some(payload).get("source")).get("eventId")
    found = received.header("x-shopware-event-id") or told.clipped(event, 100)
    return f"{_topic(received, payload)} {found or received.body_hash()}"


def _read(payload: Any, reading: Reading) -> told.Told | told.NotOurs:
    data = told.part(told.part(payload, "body").get("data"), "data")
    body = told.some(data.get("payload")).get("order")
    if not isinstance(body, dict):
        return told.NotOurs(f"{reading.topic} says nothing of an order as a whole.")
    order_ref = told.needed(body.get("orderNumber") or body.get("id"), "orderNumber")
    odd = told.Oddities()
    states = {_state(each) for each in told.parts(body.get("transactions"), "transactions")}
    all_back = reading.topic in RETURNED or "refunded" in states
    lines, codes = _lines(body, odd, all_back=all_back)
    created = told.instant(body.get("orderDateTime") or body.get("createdAt"), "orderDateTime", zone=reading.zone)
    updated = told.instant(body.get("updatedAt"), "updatedAt", zone=reading.zone)
    modified = told.must_be(updated or created, "orderDateTime")
    status = _state(body) or ("cancelled" if reading.topic.endswith("order.state.cancelled") else None)
    stated = told.some(body.get("price")).get("positionPrice")
    taken_off = sum(code.discount_cents for code in codes)
    if stated is not None:
        odd.check_total(told.cents(stated, "price.positionPrice"), sum(line.total_cents for line in lines) - taken_off,
                        lines=len(lines))
    order = ReportedOrder(
        shop=reading.shop, number=order_ref, modified_at=modified, ordered_at=created or modified,
        currency=_currency(body), person=_person(body), lines=tuple(lines), status=status,
        cancelled=status == "cancelled", coupon_code=codes[0].code[:64] if codes else None,
        returned_at=modified if all_back else None)
    return told.Told(order_ref, modified, order, tuple(codes), odd=odd.as_told())


def _state(thing: dict[str, Any]) -> str | None:
    return told.clipped(told.some(thing.get("stateMachineState")).get("technicalName"), 40)


def _currency(body: dict[str, Any]) -> str:
    currency = body.get("currency")
    return told.currency_of(currency.get("isoCode") if isinstance(currency, dict) else body.get("currencyIsoCode"),
                            "currency.isoCode")


def _lines(
    body: dict[str, Any], odd: told.Oddities, *, all_back: bool
) -> tuple[list[ReportedLine], list[told.ToldCode]]:
    lines, codes = [], []
    for item in told.parts(body.get("lineItems"), "lineItems"):
        detail = told.some(item.get("payload"))
        total = told.cents(item.get("totalPrice"), "totalPrice")
        if item.get("type") == "promotion":
            code = told.words(detail.get("code") or item.get("referencedId"), "lineItems.payload.code")
            if code is not None and detail.get("discountType") != "automatic":
                codes.append(told.ToldCode(code, abs(total)))
            continue
        if item.get("type") not in (None, "product", "custom"):
            continue
        quantity = told.number(item.get("quantity"), "quantity")
        if quantity < 0 or total < 0:
            odd.note("negative_line")
            continue
        lines.append(ReportedLine(
            sku=told.clipped(detail.get("productNumber"), 100), product=told.clipped(item.get("label"), 300),
            quantity=quantity, unit_price_cents=max(0, told.cents(item.get("unitPrice"), "unitPrice")),
            total_cents=total, returned_quantity=quantity if all_back and quantity else None))
    merged: dict[str, int] = {}
    for each in codes:  # one promotion may take off in several lines
        merged[each.code] = merged.get(each.code, 0) + each.discount_cents
    return lines, [told.ToldCode(code, off) for code, off in merged.items()]


def _person(body: dict[str, Any]) -> ReportedPerson:
    who = told.some(body.get("orderCustomer"))
    return told.person(told.words(who.get("customerNumber"), "customerNumber"), who.get("email"),
                       who.get("firstName"), who.get("lastName"))


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
        "Download the app below and upload it in Shopware under Extensions, My extensions. It asks to read orders.",
        "Activate it: the shop registers here by itself and agrees on its secret. Then send a test.",
        "If you have an app of your own instead, let it send to the address above each of: " + ", ".join(EVENTS)
        + ". Put its secret into “Rotate the secret” here.",
        "Shopware sends up to three times and switches a webhook off after ten errors.",
        "A link that applies a code needs a plugin or theme that reads it; change the link below to yours.",
    ),
    kept_headers=("sw-version", "x-shopware-event-id", "x-shopware-sequence", "x-shopware-attempt"),
    fits=_fits, topic=_topic, key=_key, read=_read, sample=_sample,
)

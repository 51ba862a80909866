"""What each shop system sends, read from bodies written after its documentation: codes, returns, order of arrival."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from core.database import Database
from coupons.checks.invariants import drift
from coupons.models import Redemption
from customers.models import Order, OrderLine
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.web.shops import Shop, connect, iso
from web.shops.inbox import list_deliveries

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _code(database: Database, now: datetime) -> str:
    make_customers(database, 1, now=now)
    return make_codes(database, make_offer(database, now=now), [1], now=now)[0].code


def _told(database: Database) -> list[tuple[str, str, str | None]]:
    with database.reading() as session:
        assert drift(session.connection()) == []
        return [(row.state, row.flags, row.note) for row in reversed(list_deliveries(session)[0])]


def _facts(database: Database) -> tuple[Any, ...]:
    with database.reading() as session:
        order = session.execute(select(Order.external_id, Order.total_cents, Order.cancelled, Order.currency)).one()
        used = session.execute(select(Redemption.state, Redemption.discount_cents, Redemption.rolled_back_cents)).one()
        back = session.scalars(select(OrderLine.returned_quantity_milli).order_by(OrderLine.id)).all()
        return tuple(order), tuple(used), list(back)


def _shopify(now: datetime, code: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": 4501, "name": "#1001", "email": "c1@example.com", "created_at": iso(now), "updated_at": iso(now),
        "cancelled_at": None, "currency": "EUR", "taxes_included": True, "financial_status": "paid",
        "total_line_items_price": "580.00", "source_name": "web",
        "discount_codes": [{"code": code, "amount": "58.00", "type": "percentage"}],
        "line_items": [
            {"id": 1, "sku": "SOFA-1", "title": "Sofa", "quantity": 1, "price": "500.00", "vendor": "Nordholm",
             "discount_allocations": [{"amount": "50.00"}], "tax_lines": [{"rate": 0.19, "price": "79.83"}]},
            {"id": 2, "sku": "LAMP-1", "title": "Lamp", "quantity": 2, "price": "40.00", "vendor": "Lumo"}],
        "customer": {"id": 77, "email": "c1@example.com", "first_name": "Ada", "last_name": "Nord"}, "refunds": [],
        **changes,
    }


@pytest.mark.parametrize("refund_first", [True, False])
def test_shopify_orders_and_refunds_come_in_any_order(
    refund_first: bool, app: Flask, database: Database, now: datetime
) -> None:
    code = _code(database, now)
    shop = connect(app, database, now=now, kind="shopify")
    refund = {"id": 9, "order_id": 4501, "created_at": iso(now + timedelta(days=3)),
              "refund_line_items": [{"line_item_id": 2, "quantity": 1, "subtotal": "36.00"}]}
    steps = [lambda: shop.shopify(refund, "refunds/create"), lambda: shop.shopify(_shopify(now, code), "orders/create")]
    for step in steps if refund_first else reversed(steps):
        assert step().status_code == 200
        shop.work(now)
    assert [state for state, _flags, _note in _told(database)] == ["done", "done"]
    assert _facts(database) == (("4501", 58_000, False, "EUR"), ("redeemed", 5_800, 400), [None, 1_000])
    with_refund = _shopify(now, code, refunds=[refund], updated_at=iso(now + timedelta(days=3)))
    assert shop.shopify(with_refund, "orders/updated").status_code == 200
    shop.work(now)
    assert _facts(database)[1:] == (("redeemed", 5_800, 400), [None, 1_000])
    gone = _shopify(now, code, cancelled_at=iso(now), updated_at=iso(now + timedelta(days=4)))
    shop.shopify(gone, "orders/cancelled", event="e1")
    assert shop.shopify(gone, "orders/cancelled", event="e1").json == {"stored": False, "reason": "duplicate"}
    shop.work(now)
    assert _facts(database)[0][2] is True and _facts(database)[1][0] == "rolled_back"


def _woo(now: datetime, code: str, **changes: Any) -> dict[str, Any]:
    stamp = now.astimezone(UTC).replace(tzinfo=None).isoformat()
    return {
        "id": 52, "number": "52", "status": "processing", "currency": "EUR", "date_created_gmt": stamp,
        "date_modified_gmt": stamp, "total": "526.90", "shipping_total": "4.12", "shipping_tax": "0.78",
        "customer_id": 0, "billing": {"first_name": "Ada", "last_name": "Nord", "email": "c1@example.com"},
        "line_items": [
            {"id": 1, "name": "Sofa", "sku": "SOFA-1", "quantity": 1, "subtotal": "420.17", "subtotal_tax": "79.83",
             "total": "378.15", "total_tax": "71.85"},
            {"id": 2, "name": "Lamp", "sku": "LAMP-1", "quantity": 2, "subtotal": "67.23", "subtotal_tax": "12.77",
             "total": "60.50", "total_tax": "11.50"}],
        "coupon_lines": [{"id": 3, "code": code.lower(), "discount": "48.74", "discount_tax": "9.26"}],
        "refunds": [], **changes,
    }


def test_woocommerce_orders_of_one_second_share_a_delivery_id_and_are_two(
    app: Flask, database: Database, now: datetime
) -> None:
    code = _code(database, now)
    shop = connect(app, database, now=now, kind="woocommerce")
    assert shop.woo(_woo(now, code), "order.created").json == {"stored": True}
    assert shop.woo(_woo(now, "other", id=53, coupon_lines=[]), "order.created").json == {"stored": True}
    assert shop.woo(_woo(now, code), "order.created").json == {"stored": False, "reason": "duplicate"}
    assert shop.woo(_woo(now, code, status="on-hold"), "order.created").json == {"stored": True}
    shop.work(now)
    assert [note for _state, _flags, note in _told(database)] == [
        "Order stored, 1 redemption recorded.", "Order stored.", "Order stored, 1 redemption known already."]
    with database.reading() as session:
        assert session.scalars(select(Order.customer_id)).all() == [1, 1]
        assert session.scalar(select(Redemption.discount_cents)) == 5_800


def test_woocommerce_refunds_are_amounts_and_a_ping_is_answered(app: Flask, database: Database, now: datetime) -> None:
    code = _code(database, now)
    shop = connect(app, database, now=now, kind="woocommerce")
    assert shop.post(b"webhook_id=7", {"Content-Type": "application/x-www-form-urlencoded"}).status_code == 200
    assert shop.post(b"webhook_id=7 and more", {"X-WC-Webhook-Signature": "x"}).status_code == 401
    stamp = (now + timedelta(days=2)).astimezone(UTC).replace(tzinfo=None).isoformat()
    shop.woo(_woo(now, code, status="checkout-draft"), "order.created")
    shop.woo(_woo(now, code), "order.updated")
    shop.woo(_woo(now, code, date_modified_gmt=stamp, refunds=[{"id": 1, "total": "-58.00"}]), "order.updated")
    shop.work(now)
    assert [state for state, _flags, _note in _told(database)] == ["ignored", "done", "done"]
    assert _facts(database) == (("52", 58_000, False, "EUR"), ("redeemed", 5_800, 580), [None, None])
    later = (now + timedelta(days=3)).astimezone(UTC).replace(tzinfo=None).isoformat()
    shop.woo(_woo(now, code, date_modified_gmt=later, status="refunded"), "order.updated")
    shop.work(now)
    assert _facts(database)[1:] == (("rolled_back", 5_800, 5_800), [1_000, 2_000])
    shop.woo({"id": 52}, "order.deleted")
    shop.work(now + timedelta(days=9))
    assert _told(database)[-1][0] == "ignored"  # received before the state it would undo


def _shopware(now: datetime, code: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": "a1b2", "orderNumber": "10042", "orderDateTime": iso(now), "updatedAt": None,
        "currency": {"isoCode": "EUR"}, "price": {"totalPrice": 526.9, "positionPrice": 522.0},
        "stateMachineState": {"technicalName": "open"},
        "orderCustomer": {"customerNumber": "c1", "email": "c1@example.com", "firstName": "Ada", "lastName": "Nord"},
        "lineItems": [
            {"type": "product", "label": "Sofa", "quantity": 1, "unitPrice": 500.0, "totalPrice": 500.0,
             "payload": {"productNumber": "SOFA-1"}},
            {"type": "product", "label": "Lamp", "quantity": 2, "unitPrice": 40.0, "totalPrice": 80.0,
             "payload": {"productNumber": "LAMP-1"}},
            {"type": "promotion", "label": "Ten percent", "quantity": 1, "unitPrice": -58.0, "totalPrice": -58.0,
             "referencedId": code, "payload": {"code": code, "discountType": "percentage"}},
            {"type": "promotion", "label": "Automatic", "quantity": 1, "unitPrice": 0, "totalPrice": 0,
             "payload": {"code": ""}}],
        **changes,
    }


def test_shopware_orders_carry_codes_as_lines_and_states_as_events(
    app: Flask, database: Database, now: datetime
) -> None:
    code = _code(database, now)
    shop: Shop = connect(app, database, now=now, kind="shopware")
    assert shop.shopware(_shopware(now, code), "checkout.order.placed", event_id="e1").json == {"stored": True}
    again = shop.shopware(_shopware(now, code), "checkout.order.placed", event_id="e1")
    assert again.json == {"stored": False, "reason": "duplicate"}
    shop.work(now)
    assert _told(database) == [("done", "", "Order stored, 1 redemption recorded.")]
    assert _facts(database) == (("10042", 58_000, False, "EUR"), ("redeemed", 5_800, 0), [None, None])
    back = _shopware(now, code, updatedAt=iso(now + timedelta(days=1)))
    shop.shopware(back, "state_enter.order_transaction.state.refunded")
    shop.work(now)
    assert _facts(database)[1:] == (("rolled_back", 5_800, 5_800), [1_000, 2_000])
    off = _shopware(now, code, updatedAt=iso(now + timedelta(days=2)), stateMachineState=None)
    shop.shopware(off, "state_enter.order.state.cancelled")
    shop.shopware({}, "product.written")
    shop.work(now)
    assert _facts(database)[0][2] is True
    assert _told(database)[-1][0] in ("failed", "ignored")

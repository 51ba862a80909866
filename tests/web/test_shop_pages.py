"""Connecting a shop by hand: the secret is shown once, a test is read and not recorded, the inbox tells and repeats."""

import re
from collections.abc import Callable
from datetime import datetime
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.database import Database
from customers.models import Order
from tests.web.shops import Shop, connect, order
from web.shops.inbox import drop_bodies
from web.shops.models import InboxDelivery, ShopConnection

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("kind", ["shopify", "woocommerce", "shopware", "standard"])
def test_a_shop_is_connected_tested_and_its_secret_rotated(
    kind: str, app: Flask, database: Database, sign_in: Callable[..., FlaskClient], now: datetime
) -> None:
    browser = sign_in("admin")
    page = browser.post("/shops/_new", data={"kind": kind, "name": "Sofas", "shop": "s1", "zone": "Europe/Berlin",
                                             "currency": "EUR", "shop_url": "https://shop.example"})
    text = unescape(page.text)
    assert page.status_code == 200 and page.headers["Cache-Control"] == "no-store"
    assert "It is shown this once" in text
    public_id = re.search(rf"/hooks/{kind}/([0-9a-f]+)", text)
    assert public_id is not None and "{{ code }}" in text
    address = f"/shops/{public_id[1]}"
    assert "It is shown this once" not in browser.get(address).text
    tested = unescape(browser.post(f"{address}/test").text)
    assert "answered with 200" in tested and "Read as order winback-test with" in tested and "80.00 EUR" in tested
    Shop(app, database, kind, public_id[1], "").work(now.replace(year=2200))
    with database.reading() as session:
        assert session.scalar(select(func.count(Order.id))) == 0
        assert session.scalars(select(InboxDelivery.state)).all() == ["ignored"]
    assert "It is shown this once" in browser.post(f"{address}/rotate", data={"secret": ""}).text
    assert "Two secrets are good" in browser.get(address).text
    assert browser.post(f"{address}/end").status_code == 303
    assert browser.post(f"{address}/archive").status_code == 303
    assert "answered with 404" in browser.post(f"{address}/test").text
    assert "archived" in browser.get("/shops").text


def test_what_does_not_fit_stands_beside_its_field(sign_in: Callable[..., FlaskClient], database: Database) -> None:
    browser = sign_in("admin")
    good = {"kind": "standard", "name": "Sofas", "shop": "s1", "zone": "UTC", "currency": "EUR"}
    for field, value in (("kind", "other"), ("name", " "), ("zone", "Mars"), ("currency", "Euro"),
                         ("shop_url", "javascript:alert(1)"), ("link_template", "https://x.example/"),
                         ("secret", "short")):
        answer = browser.post("/shops/_new", data={**good, field: value})
        assert answer.status_code == 400, field
        assert 'aria-invalid="true"' in answer.text, field
    assert browser.post("/shops/_new", data=good).status_code == 200
    assert browser.post("/shops/_new", data=good).status_code == 400
    with database.reading() as session:
        stored = session.scalars(select(ShopConnection)).one()
        assert "whsec_" not in stored.secret


def test_only_an_administrator_connects_shops(sign_in: Callable[..., FlaskClient]) -> None:
    browser = sign_in("marketer")
    assert browser.get("/shops").status_code == 200
    assert browser.get("/shops/_new").status_code == 403
    assert browser.post("/shops/_new", data={}).status_code == 403


def test_the_inbox_shows_what_came_escaped_and_does_it_again(
    app: Flask, database: Database, marketer: FlaskClient, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    shop.tell(order(now, id="<script>alert(1)</script>", currency="nonsense"))
    shop.tell(order(now, total_cents=1))
    shop.work(now)
    listed = unescape(marketer.get("/inbox").text)
    assert "1 failed" in listed and "The order's total is not the sum of its lines" in listed
    assert "data.currency: " in listed
    one = marketer.get("/inbox/1")
    assert "&lt;script&gt;" in one.text and "<script>alert(1)" not in one.text
    assert "whsec_" not in one.text and "webhook-signature" not in one.text
    for query in ("?state=failed", "?flagged=yes", f"?shop={shop.public_id}", "?order=o1", "?state=nonsense"):
        assert marketer.get(f"/inbox{query}").status_code == 200
    assert "Delivery 2" not in marketer.get("/inbox?state=failed").text
    assert marketer.post("/inbox/_replay-failed").status_code == 303
    assert shop.work(now) == 1
    assert marketer.post("/inbox/2/replay").status_code == 303
    assert shop.work(now) == 1
    assert marketer.get("/inbox/999").status_code == 404
    database.small(lambda connection: drop_bodies(connection, now=now.replace(year=2027)))
    assert "The body was dropped" in marketer.get("/inbox/2").text
    assert marketer.post("/inbox/2/replay").status_code == 303
    assert shop.work(now) == 0

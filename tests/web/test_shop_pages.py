"""Connecting a shop by hand: the secret is shown once, a test is read and not recorded, the inbox tells and repeats."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.clock import stand_at
from core.database import Database
from customers.models import Order
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
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
    assert "answered with 200" in tested and "Read as order winback-test with" in tested and "€80.00" in tested
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
    assert "The body was dropped" in marketer.get("/inbox/2").text and "The body was dropped" in marketer.get(
        "/inbox/1").text
    assert marketer.post("/inbox/2/replay").status_code == 303
    assert shop.work(now) == 0


def test_an_agent_redeems_and_renews_at_the_desk(
    database: Database, sign_in: Callable[..., FlaskClient], now: datetime
) -> None:
    with database.writing() as session:
        stand_at(session.connection(), now)
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, valid_days=14, categories=["furniture"])
    codes = make_codes(database, offer, [1, 2], now=now)
    browser = sign_in("agent")
    form = {"code": codes[0].code.lower(), "order": "P-1", "total": "580,00", "currency": "eur", "customer": "c1",
            "category": "furniture"}
    other = browser.post("/calls/orders", data={**form, "category": "", "do": "check"})
    assert other.status_code == 422
    assert "takes off €58.00" in unescape(browser.post("/calls/orders", data={**form, "do": "check"}).text)
    assert browser.post("/calls/orders", data={**form, "do": "redeem", "key": "k1"}).status_code == 303
    refused = browser.post("/calls/orders", data={**form, "order": "P-2", "do": "redeem"})
    assert refused.status_code == 422 and "has been used already" in refused.text
    for field, value in (("code", ""), ("order", ""), ("total", "much"), ("currency", "Euro")):
        answer = browser.post("/calls/orders", data={**form, field: value, "do": "redeem"})
        assert answer.status_code == 400 and 'aria-invalid="true"' in answer.text, field
    with database.writing() as session:
        stand_at(session.connection(), now + timedelta(days=20))
    late = {**form, "code": codes[1].code, "order": "P-3"}
    assert "Renew the code" in browser.post("/calls/orders", data={**late, "do": "check"}).text
    assert browser.post("/calls/orders", data={**late, "do": "renew", "days": "7", "reason": ""}).status_code == 400
    renewed = browser.post("/calls/orders", data={**late, "do": "renew", "days": "7", "reason": "the letter was late"})
    assert "good again until" in renewed.text and "the letter was late" in renewed.text
    assert browser.post("/calls/orders", data={**late, "do": "redeem"}).status_code == 303
    assert sign_in("analyst").get("/calls/orders").status_code == 403


def test_the_leak_watch_alarms_on_the_home_page(
    app: Flask, database: Database, marketer: FlaskClient, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    code = make_codes(database, offer, [1], now=now)[0].code
    assert "Nothing leaks" in marketer.get("/leaks").text
    shop = connect(app, database, now=now)
    shop.tell(order(now, coupons=[{"code": "WELCOME5", "discount_cents": 500}]))
    shop.tell(order(now, id="o9", currency="nonsense"))
    shop.work(now)
    for number in range(5):
        use(database, ask(code, f"o{number}", customer="nobody"), now=now)
    page, home = marketer.get("/leaks").text, unescape(marketer.get("/").text)
    assert "WELCOME5" in page and "Codes tried in many baskets" in page
    assert "1 odd redemption" in home and "1 code is tried in many baskets" in home and "of a shop failed" in home
    assert marketer.post("/leaks/_seen", data={}).status_code == 303
    assert "WELCOME5" not in marketer.get("/leaks").text

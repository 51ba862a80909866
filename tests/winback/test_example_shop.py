"""The example shop as `make demo` starts it: a real process that asks and tells a real Winback over loopback."""

import http.cookiejar
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from core.clock import stand_at
from core.database import Database
from core.settings import Settings
from coupons.checks.invariants import drift
from coupons.models import Redemption
from customers.models import Order, OrderLine
from tests.coupons.factories import make_codes, make_customers, make_offer
from web.app import create_app
from web.shops import processing
from winback.context import Context
from winback.demo.example_shop import code_to_try, example_shop
from winback.demo.plot import furniture_shop
from winback.demo.story import wait_until_up

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


class Buyer:
    """Somebody at the shop with a browser: forms and cookies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path: str) -> str:
        with self._opener.open(self.address + path, timeout=120) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> tuple[int, str, str]:
        """Send a form; returns the status, the page and where it is after redirects."""
        try:
            with self._opener.open(self.address + path, urllib.parse.urlencode(fields).encode(), timeout=120) as answer:
                return answer.status, answer.read().decode(), answer.url
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.url


@pytest.fixture
def winback_url(settings: Settings, database: Database) -> Iterator[str]:
    """Winback served on a free port of loopback, its clock standing in the past as a demo's."""
    with database.writing() as session:
        stand_at(session.connection(), NOW)
    server = make_server("127.0.0.1", 0, create_app(settings, database), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def buyer(settings: Settings, database: Database, winback_url: str, tmp_path: Path) -> Iterator[Buyer]:
    """A buyer at the example shop, which runs as the demo runs it and ends with it."""
    context = Context(settings)
    plot = replace(furniture_shop(NOW), categories=["furniture"])
    found = example_shop(context, plot, winback_url=winback_url)
    assert found is not None
    again = example_shop(context, plot, winback_url=winback_url)
    assert again is not None and again[0].environment["SHOP_KEY"] == found[0].environment["SHOP_KEY"]
    assert again[0].environment["SHOP_HOOK"] == found[0].environment["SHOP_HOOK"]
    process = subprocess.Popen(found[0].command, env={**os.environ, **found[0].environment}, start_new_session=True)
    try:
        wait_until_up(found[1], process)
        yield Buyer(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        context.database.dispose()


def _work(database: Database, settings: Settings) -> None:
    assert processing.tick(database, now=NOW + timedelta(seconds=5), limit=10, secret_key=settings.secret_key)


def _row(database: Database) -> tuple[str, int, int, str]:
    with database.reading() as session:
        assert drift(session.connection()) == []
        row = session.execute(select(Redemption.state, Redemption.discount_cents, Redemption.rolled_back_cents,
                                     Redemption.flags)).one()
        return row.state, row.discount_cents, row.rolled_back_cents, row.flags


def test_a_marketer_redeems_by_hand_and_every_step_becomes_a_fact(
    buyer: Buyer, database: Database, settings: Settings
) -> None:
    make_customers(database, 1, now=NOW)
    make_codes(database, make_offer(database, now=NOW, categories=["furniture"], valid_days=14), [1], now=NOW)
    live = code_to_try(Context(settings))
    assert live is not None and live[1] == "c1"
    buyer.get(f"/cart?code={live[0]}")
    buyer.post("/basket", sku="OAK-CHAIR")
    buyer.post("/basket", sku="OAK-CHAIR")
    assert live[0] in buyer.get("/checkout")
    assert "does not fit" in buyer.post("/checkout", do="check", code="NOT-A-CODE", customer="c1")[1]
    assert "25.98 EUR" in buyer.post("/checkout", do="check", code=live[0], customer="c1")[1]
    status, page, _url = buyer.post("/checkout", do="pay", code="NOT-A-CODE", customer="c1")
    assert status == 422 and "There is no such code" in page
    _status, page, url = buyer.post("/checkout", do="pay", code=live[0], customer="c1", email="c1@example.com")
    number = re.search(r"/orders/(E\w+)$", url)
    assert number is not None and "Winback knows of it" in page
    assert _row(database) == ("redeemed", 2_598, 0, "")
    _work(database, settings)
    with database.reading() as session:
        stored = session.scalars(select(Order)).one()
        assert (stored.shop, stored.external_id, stored.customer_id, stored.total_cents) == (
            "example", number[1], 1, 25_980)
        assert stored.coupon_code == live[0] and abs(stored.ordered_at - NOW) < timedelta(minutes=5)
    buyer.post(f"/orders/{number[1]}/return", sku="OAK-CHAIR")
    _work(database, settings)
    assert _row(database) == ("redeemed", 2_598, 1_299, "")
    with database.reading() as session:
        assert session.scalar(select(OrderLine.returned_quantity_milli)) == 1_000
    assert "It is cancelled" in buyer.post(f"/orders/{number[1]}/cancel")[1]
    _work(database, settings)
    assert _row(database) == ("rolled_back", 2_598, 2_598, "")
    with database.reading() as session:
        assert session.scalar(select(Order.cancelled)) is True

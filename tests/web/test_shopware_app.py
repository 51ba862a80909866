"""A Shopware shop registers by the documented handshake, and nobody else in its place."""

import hashlib
import hmac
import io
import json
import time
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from core.clock import stand_at
from core.database import Database
from tests.web.shops import SECRET_KEY, Shop, connect
from web.models import AuditEntry
from web.shops.connections import current_secret
from web.shops.models import ShopConnection
from web.shops.shopware_app import APP
from web.shops.systems.shopware import EVENTS

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def sign(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@pytest.fixture
def shop(app: Flask, database: Database, now: datetime) -> Shop:
    return connect(app, database, now=now, kind="shopware")


@pytest.fixture
def manifest(shop: Shop, sign_in: Callable[..., FlaskClient]) -> ElementTree.Element:
    """The manifest of the app as an administrator downloads it."""
    admin = sign_in("admin")
    assert f"/shops/{shop.public_id}/app.zip" in admin.get(f"/shops/{shop.public_id}").text
    answer = admin.get(f"/shops/{shop.public_id}/app.zip")
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        assert packed.namelist() == [f"{APP}/manifest.xml"]
        return ElementTree.fromstring(packed.read(f"{APP}/manifest.xml"))


def ask(shop: Shop, secret: str, *, shop_id: str = "sh0p-of-tests", at: int | None = None,
        headers: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
    query = urlencode({"shop-id": shop_id, "shop-url": "http://my.shop.example",
                       "timestamp": int(time.time()) if at is None else at})
    answer = shop.app.test_client().get(
        f"{shop.address}/register?{query}",
        headers={"shopware-app-signature": sign(secret, query.encode()),
                 **{name: sign(value, query.encode()) for name, value in (headers or {}).items()}})
    return answer.status_code, answer.get_json()


def confirm(shop: Shop, secret: str, *, shop_id: str = "sh0p-of-tests", previous: str | None = None) -> int:
    body = json.dumps({"apiKey": "SWIA", "secretKey": "never kept", "timestamp": str(int(time.time())),
                       "shopUrl": "http://my.shop.example", "shopId": shop_id}).encode()
    headers = {"shopware-shop-signature": sign(secret, body)}
    if previous is not None:
        headers["shopware-shop-signature-previous"] = sign(previous, body)
    return shop.app.test_client().post(f"{shop.address}/confirm", data=body, headers=headers).status_code


def secret_of(database: Database) -> str:
    with database.reading() as session:
        return current_secret(session.scalars(select(ShopConnection)).one(), secret_key=SECRET_KEY)


def test_the_manifest_names_every_event_and_the_addresses(manifest: ElementTree.Element, shop: Shop) -> None:
    assert manifest.findtext("meta/name") == APP
    assert {each.get("event") for each in manifest.iter("webhook")} == set(EVENTS)
    assert {(each.get("url") or "").endswith(shop.address) for each in manifest.iter("webhook")} == {True}
    assert len({each.get("name") for each in manifest.iter("webhook")}) == len(EVENTS)
    assert (manifest.findtext("setup/registrationUrl") or "").endswith(f"{shop.address}/register")
    assert "order" in [each.text for each in manifest.iter("read")]


def test_a_shop_registers_confirms_and_signs_with_its_new_secret(
    manifest: ElementTree.Element, shop: Shop, database: Database, now: datetime
) -> None:
    app_secret, before = manifest.findtext("setup/secret") or "", secret_of(database)
    status, said = ask(shop, app_secret)
    assert status == 200
    assert said["proof"] == sign(app_secret, f"sh0p-of-testshttp://my.shop.example{APP}".encode())
    assert 64 <= len(said["secret"]) <= 255 and said["confirmation_url"].endswith(f"{shop.address}/confirm")
    assert secret_of(database) == before  # nothing is stored before the shop has confirmed
    assert confirm(shop, "x" * 64) == 401
    assert confirm(shop, said["secret"], shop_id="another") == 401
    assert confirm(shop, said["secret"]) == 200
    assert confirm(shop, said["secret"]) == 200  # told twice because the first answer was lost
    shop.secret = said["secret"]
    assert shop.shopware({"orderNumber": "1"}, "checkout.order.placed").status_code == 200
    with database.reading() as session:
        kept = session.scalars(select(ShopConnection)).one()
        assert "never kept" not in str(vars(kept)) and kept.secret_before is None
        assert session.scalars(select(AuditEntry.verb).where(AuditEntry.verb == "shop.registered")).all() == [
            "shop.registered"]


def test_a_registered_shop_renews_its_secret_and_the_old_one_ends(
    manifest: ElementTree.Element, shop: Shop, database: Database, now: datetime
) -> None:
    app_secret = manifest.findtext("setup/secret") or ""
    first = ask(shop, app_secret)[1]["secret"]
    assert confirm(shop, first) == 200
    status, said = ask(shop, app_secret)  # whoever merely holds the app cannot take the shop's place
    assert status == 409 and "rotate the secret" in said["error"]
    status, said = ask(shop, app_secret, headers={"shopware-shop-signature": first})
    second = said["secret"]
    assert status == 200 and second != first
    assert confirm(shop, second) == 409
    assert confirm(shop, second, previous=first) == 200
    shop.secret = first
    assert shop.shopware({"orderNumber": "1"}, "checkout.order.placed").status_code == 200  # was on its way
    with database.writing() as session:
        stand_at(session.connection(), now + timedelta(minutes=6))
    assert shop.shopware({"orderNumber": "2"}, "checkout.order.placed").status_code == 401
    shop.secret = second
    assert shop.shopware({"orderNumber": "3"}, "checkout.order.placed").status_code == 200


def test_what_is_not_the_app_or_not_now_is_refused(
    manifest: ElementTree.Element, shop: Shop, app: Flask, database: Database, now: datetime,
    sign_in: Callable[..., FlaskClient],
) -> None:
    secret, wall = manifest.findtext("setup/secret") or "", int(time.time())
    assert ask(shop, "wrong")[0] == 401
    assert ask(shop, secret, at=wall - 400)[0] == 401 and ask(shop, secret, at=wall + 400)[0] == 401
    assert ask(shop, secret, shop_id="")[0] == 400 and ask(shop, secret, shop_id="x" * 600)[0] == 400
    client = app.test_client()
    assert client.get(f"{shop.address}/register").status_code == 401
    for body in (b"", b"[]", b"[" * 9_000, b'{"shopId": 1}', b"\xff"):
        assert client.post(f"{shop.address}/confirm", data=body).status_code in (400, 401), body[:20]
    assert client.post(f"{shop.address}/confirm", data=b"x" * 100_000).status_code == 413
    other = connect(app, database, now=now, shop="s2")
    assert ask(other, secret)[0] == 404 and client.get("/hooks/shopware/nope/register").status_code == 404
    assert sign_in("marketer").get(f"/shops/{shop.public_id}/app.zip").status_code == 403

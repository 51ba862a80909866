"""How does a Shopware shop agree with us on a secret?

Owns the app that a shop installs (a manifest with our addresses) and both steps of its registration: the shop asks
with the app's secret, we prove that we know it and name a new secret for the shop; the shop confirms, signed with that.
The promise: nothing is stored until the shop has confirmed; a registered shop can be registered anew only by itself.
Written from the system's documentation.
"""

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound, Unauthorised
from core.sealing import seal
from web.shops import signatures, told
from web.shops.connections import KnownShop, connection_by_id, current_secret
from web.shops.models import ShopConnection
from web.shops.systems.shopware import EVENTS

APP = "WinbackOrders"
REGISTERED = "app_"
"""With this begins a secret that was agreed on by registration."""
OLD_SECRET_GOOD_FOR = timedelta(minutes=5)
"""How long what was signed with the secret before is taken after a registration: for what was on its way."""
_READS = ("order", "order_line_item", "order_customer", "order_transaction", "order_delivery", "state_machine_state",
          "currency")


@dataclass(frozen=True)
class Asked:
    """A registration as it came: the query as it was signed, its values, and the headers by lower-case name."""

    query: bytes
    values: Mapping[str, str]
    headers: Mapping[str, str]


def app_zip(found: ShopConnection, *, base_url: str, secret_key: str) -> bytes:
    """The app as the shop's administration takes it. It holds the app's secret: for administrators only."""
    hook = f"{base_url}/hooks/shopware/{found.public_id}"
    webhooks = "\n".join(
        f"        <webhook name={quoteattr(event.replace('.', '-').replace('_', '-'))} url={quoteattr(hook)} "
        f"event={quoteattr(event)}/>" for event in EVENTS)
    reads = "\n".join(f"        <read>{entity}</read>" for entity in _READS)
    manifest = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{_SCHEMA}">
    <meta>
        <name>{APP}</name>
        <label>Winback: orders</label>
        <label lang="de-DE">Winback: Bestellungen</label>
        <description>Tells Winback of orders, their changes and their codes.</description>
        <description lang="de-DE">Meldet Winback Bestellungen, ihre Änderungen und ihre Codes.</description>
        <author>Winback</author>
        <copyright>(c) Winback</copyright>
        <version>1.0.0</version>
        <license>MIT</license>
    </meta>
    <setup>
        <registrationUrl>{escape(hook)}/register</registrationUrl>
        <secret>{app_secret(found.public_id, secret_key=secret_key)}</secret>
    </setup>
    <permissions>
{reads}
    </permissions>
    <webhooks>
{webhooks}
    </webhooks>
</manifest>
"""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo(f"{APP}/manifest.xml", (2020, 1, 1, 0, 0, 0)), manifest.encode())
    return out.getvalue()


_SCHEMA = ("https://raw.githubusercontent.com/shopware/shopware/trunk/src/Core/Framework/App/Manifest/Schema/"
           "manifest-2.0.xsd")


def app_secret(public_id: str, *, secret_key: str) -> str:
    """The secret in the manifest of one connection's app, made of the installation's key: it is stored nowhere."""
    return _derived(secret_key, "app", public_id)


def answer_registration(
    session: Session, public_id: str, asked: Asked, *, confirm_url: str, secret_key: str, wall_seconds: int
) -> dict[str, str]:
    """What the shop hears when it asks to register: proof, its new secret, and where to confirm.

    Raises NotFound, Invalid, Unauthorised for a wrong signature or an old request, Conflict when the connection is
    registered and the shop does not sign as the registered one.
    """
    found = _live(session, public_id)
    key = app_secret(public_id, secret_key=secret_key)
    if not signatures.hex_hmac(asked.query, asked.headers.get("shopware-app-signature"), [key]):
        raise Unauthorised("The signature does not fit this app. Download it here again and install that one.")
    shop_id, shop_url, stamp = (asked.values.get(name, "") for name in ("shop-id", "shop-url", "timestamp"))
    if not shop_id or not shop_url or max(len(shop_id), len(shop_url)) > 500:
        raise Invalid("The shop names itself by shop-id and shop-url.", place="shop-id")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
            and abs(int(stamp) - wall_seconds) <= signatures.TOLERANCE_SECONDS):
        raise Unauthorised("The request is too old, or its time lies ahead. Check the shop's clock.")
    _known_shop_asks(found, asked.query, asked.headers.get("shopware-shop-signature"), secret_key)
    return {"proof": _hmac(key, f"{shop_id}{shop_url}{APP}".encode()),
            "secret": _pending(found, shop_id, secret_key), "confirmation_url": confirm_url}


def confirm_registration(
    session: Session, public_id: str, body: bytes, headers: Mapping[str, str], *, secret_key: str, now: datetime
) -> bool:
    """Make the new secret the current one, now that the shop has signed with it; False when it is that already.

    The shop's own access keys are in the body, too; nothing here needs them and they are not kept. Raises NotFound,
    Invalid, Unauthorised, Conflict.
    """
    found = _live(session, public_id)
    try:
        payload = told.part(json.loads(body), "body")
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is not JSON that can be read.") from error
    signature = headers.get("shopware-shop-signature")
    before = current_secret(found, secret_key=secret_key)
    if signatures.hex_hmac(body, signature, [before]):
        return False
    fresh = _pending(found, told.needed(payload.get("shopId"), "shopId", longest=500), secret_key)
    if not signatures.hex_hmac(body, signature, [fresh]):
        raise Unauthorised("The signature does not fit the secret of this registration. Install the app again.")
    _known_shop_asks(found, body, headers.get("shopware-shop-signature-previous"), secret_key)
    found.secret_before = found.secret if before.startswith(REGISTERED) else None
    found.secret, found.rotated_at = seal(fresh, secret_key=secret_key), now
    address = (told.clipped(payload.get("shopUrl"), 500) or "").rstrip("/")
    if not found.shop_url and address.startswith(("https://", "http://")) and not set(address) & set(" <>\"'"):
        found.shop_url = address
    session.flush()
    return True


def secrets_at(shop: KnownShop, now: datetime) -> tuple[str, ...]:
    """The secrets that are good now: after a registration the one before ends by itself, else somebody ends it."""
    over = (len(shop.secrets) > 1 and shop.secrets[0].startswith(REGISTERED) and shop.rotated_at is not None
            and now - shop.rotated_at > OLD_SECRET_GOOD_FOR)
    return shop.secrets[:1] if over else shop.secrets


def is_registered(found: ShopConnection, *, secret_key: str) -> bool:
    """Whether the shop agreed on its secret by registration; no when the secret cannot be read any more."""
    try:
        return found.kind == "shopware" and current_secret(found, secret_key=secret_key).startswith(REGISTERED)
    except Conflict:
        return False


def _known_shop_asks(found: ShopConnection, message: bytes, signature: str | None, secret_key: str) -> None:
    """A registered shop signs with its secret as well: whoever merely holds the app cannot take its place."""
    if is_registered(found, secret_key=secret_key) and not signatures.hex_hmac(
            message, signature, [current_secret(found, secret_key=secret_key)]):
        raise Conflict("A shop is registered here already and signs with another secret. To register anew, rotate the "
                       "secret of this connection first.")


def _live(session: Session, public_id: str) -> ShopConnection:
    found = connection_by_id(session, public_id)
    if found.kind != "shopware" or found.archived_at is not None:
        raise NotFound("No shop is connected at this address.")
    return found


def _pending(found: ShopConnection, shop_id: str, secret_key: str) -> str:
    """The secret of the registration under way: another one as soon as the current secret is another one."""
    return REGISTERED + _derived(secret_key, "shop", f"{found.public_id} {found.secret} {shop_id}")


def _derived(secret_key: str, purpose: str, what: str) -> str:
    return hmac.new(secret_key.encode(), f"winback shopware {purpose} {what}".encode(), hashlib.sha256).hexdigest()


def _hmac(key: str, message: bytes) -> str:
    return signatures.sign_hex(message, key)

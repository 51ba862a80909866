"""How does a shop come to be connected, and with which secret does it sign?

Owns making, changing, pausing and archiving connections and rotating their secrets: while a rotation is under way both
secrets are good. The promise: a secret of ours is shown once, and only sealed ones are stored.
"""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.orm import Session

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from core.sealing import seal, unseal
from customers.identity import normal_timezone
from customers.importing.currencies import normal_currency
from web.shops.models import ShopConnection
from web.shops.signatures import standard_key
from web.shops.systems import SYSTEMS

SHORTEST_SECRET = 16
_KNOWN = select(
    ShopConnection.id, ShopConnection.kind, ShopConnection.secret, ShopConnection.secret_before,
    ShopConnection.archived_at, ShopConnection.rotated_at,
).where(ShopConnection.public_id == bindparam("of_id"), ShopConnection.kind == bindparam("of_kind"))


@dataclass(frozen=True)
class KnownShop:
    """What the hook's door needs of a connection. `rotated_at`: since then the second secret is the one before."""

    id: int
    kind: str
    secrets: tuple[str, ...]
    rotated_at: datetime | None = None


def create_connection(
    session: Session, kind: str, *, name: str, shop: str, zone: str, currency: str, shop_url: str = "",
    link_template: str = "", secret: str = "", secret_key: str, now: datetime,
) -> tuple[ShopConnection, str]:
    """Connect a shop; returns the connection and its secret, which cannot be shown again.

    `secret` is the one the shop's system made; empty: we make one. Raises Invalid, Conflict when the label is taken.
    """
    system = SYSTEMS.get(kind)
    if system is None:
        raise Invalid(f"Choose one of {', '.join(SYSTEMS)}.", place="kind")
    label = shop.strip()
    if len(label) > 100 or not label.isprintable():
        raise Invalid("Use at most 100 printable characters.", place="shop")
    if session.scalar(select(ShopConnection.id).where(ShopConnection.shop == label)) is not None:
        raise Conflict("Another shop has this label already. Orders are told apart by it.", place="shop")
    chosen = _checked_secret(kind, secret) if secret.strip() else _new_secret(kind)
    found = ShopConnection(
        public_id=secrets.token_hex(8), kind=kind, shop=label, secret=seal(chosen, secret_key=secret_key), refused=0,
        created_at=now, **_terms(system.link_template, name, zone, currency, shop_url, link_template))
    session.add(found)
    session.flush()
    return found, chosen


def edit_connection(
    session: Session, public_id: str, *, name: str, zone: str, currency: str, shop_url: str, link_template: str
) -> ShopConnection:
    """Change what is shown and assumed of a shop; kind and label stay. Raises NotFound, Invalid."""
    found = connection_by_id(session, public_id)
    standard = SYSTEMS[found.kind].link_template
    for field, value in _terms(standard, name, zone, currency, shop_url, link_template).items():
        setattr(found, field, value)
    session.flush()
    return found


def _terms(standard: str, name: str, zone: str, currency: str, shop_url: str, link_template: str) -> dict[str, str]:
    title = name.strip()
    if not title or len(title) > 200 or not title.isprintable():
        raise Invalid("Name the shop in at most 200 characters.", place="name")
    address = shop_url.strip().rstrip("/")
    if address and not re.fullmatch(r"https?://[^\s/?#<>\"']+(/[^\s?#<>\"']*)?", address):
        raise Invalid("Write the shop's address like https://shop.example.", place="shop_url")
    template = link_template.strip() or standard
    shape = r"(https?://|\{shop\})[^\s<>\"']*"
    if "{code}" not in template or len(template) > 500 or not re.fullmatch(shape, template):
        raise Invalid("Begin with {shop} or https:// and put {code} where the code goes.", place="link_template")
    try:
        known_zone = normal_timezone(zone or "UTC")
    except Invalid as error:
        raise Invalid(error.message, place="zone") from error
    try:
        known_currency = normal_currency(currency or "EUR")
    except ValueError as error:
        raise Invalid(str(error), place="currency") from error
    except Invalid as error:
        raise Invalid(error.message, place="currency") from error
    return {"name": title, "zone": known_zone, "currency": known_currency, "shop_url": address[:500],
            "link_template": template}


def _new_secret(kind: str) -> str:
    random = secrets.token_bytes(32)
    return "whsec_" + base64.b64encode(random).decode() if kind == "standard" else random.hex()


def _checked_secret(kind: str, secret: str) -> str:
    text = secret.strip()
    if kind == "standard" and standard_key(text) is None:
        raise Invalid("A secret of Standard Webhooks is whsec_ and 24 to 64 bytes in base64.", place="secret")
    if not SHORTEST_SECRET <= len(text) <= 400 or not (text.isascii() and text.isprintable()):
        raise Invalid(f"Paste the secret as the shop shows it, at least {SHORTEST_SECRET} characters.", place="secret")
    return text


def connection_by_id(session: Session, public_id: str) -> ShopConnection:
    """The connection with this id. Raises NotFound."""
    wanted = public_id if public_id.isascii() and public_id.isalnum() else ""
    found = session.scalar(select(ShopConnection).where(ShopConnection.public_id == wanted))
    if found is None:
        raise NotFound("There is no such shop connection.")
    return found


def list_connections(session: Session) -> list[ShopConnection]:
    """All of them by name, archived ones last."""
    return list(session.scalars(select(ShopConnection).order_by(
        ShopConnection.archived_at.is_not(None), ShopConnection.name, ShopConnection.id)))


def rotate_secret(session: Session, public_id: str, *, secret: str = "", secret_key: str, now: datetime) -> str:
    """Make the given or a fresh secret the current one and return it; the one before stays good until it is ended."""
    found = connection_by_id(session, public_id)
    chosen = _checked_secret(found.kind, secret) if secret.strip() else _new_secret(found.kind)
    found.secret_before, found.secret, found.rotated_at = found.secret, seal(chosen, secret_key=secret_key), now
    session.flush()
    return chosen


def end_rotation(session: Session, public_id: str) -> None:
    """Forget the secret before the current one."""
    connection_by_id(session, public_id).secret_before = None
    session.flush()


def pause(session: Session, public_id: str, *, now: datetime) -> ShopConnection:
    """Store what comes and let it wait; harmless when repeated."""
    found = connection_by_id(session, public_id)
    found.paused_at = found.paused_at or now
    session.flush()
    return found


def resume(session: Session, public_id: str) -> ShopConnection:
    """Work through what waited."""
    found = connection_by_id(session, public_id)
    found.paused_at = None
    session.flush()
    return found


def archive(session: Session, public_id: str, *, now: datetime) -> ShopConnection:
    """End a connection: its address answers no more; what it told stays. Its label stays taken, for its orders."""
    found = connection_by_id(session, public_id)
    found.archived_at = found.archived_at or now
    session.flush()
    return found


def known_shop(database: Database, kind: str, public_id: str, *, secret_key: str) -> KnownShop | None:
    """The live connection behind a hook's address; None when there is none."""
    if not (public_id.isascii() and public_id.isalnum() and len(public_id) <= 32):
        return None
    row = database.glance(_KNOWN, {"of_id": public_id, "of_kind": kind})
    if row is None or row.archived_at is not None:
        return None
    sealed = [row.secret] if row.secret_before is None else [row.secret, row.secret_before]
    return KnownShop(row.id, row.kind, tuple(unseal(each, secret_key=secret_key) for each in sealed), row.rotated_at)


def current_secret(found: ShopConnection, *, secret_key: str) -> str:
    """The secret that signs now, for our own test delivery."""
    return unseal(found.secret, secret_key=secret_key)


def note_refused(connection: Connection, connection_id: int, *, now: datetime) -> None:
    """Count a delivery whose signature was wrong."""
    connection.execute(update(ShopConnection).where(ShopConnection.id == connection_id)
                       .values(refused=ShopConnection.refused + 1, refused_at=now))


def basket_link(found: ShopConnection, code: str) -> str:
    """The address that puts a code into the shop's basket."""
    return found.link_template.replace("{shop}", found.shop_url or "https://shop.example").replace("{code}", code)

"""Whom may journeys call, where, and with which signature?

Owns saving receivers and their secrets. The promises: a secret is shown once and stored sealed; whether an address may
be called is asked again at every call (delivery/outside.py), not only here.
"""

import base64
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from core.sealing import seal
from delivery.hook_models import HookCall, HookReceiver

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


def add_receiver(
    session: Session, key: str, *, name: str, url: str, secret_key: str, now: datetime
) -> tuple[HookReceiver, str]:
    """A new receiver and its secret (`whsec_...`), which cannot be shown again. Raises Invalid, Conflict."""
    if not _KEY.fullmatch(key):
        raise Invalid("Use small letters, digits, - and _, at most 100.", place="key")
    if session.scalar(select(HookReceiver.id).where(HookReceiver.key == key)) is not None:
        raise Conflict(f"There is a receiver called {key} already.", place="key")
    secret = _new_secret()
    found = HookReceiver(key=key, name=_name(name), url=checked_url(url), secret=seal(secret, secret_key=secret_key),
                         active=True, created_at=now, updated_at=now)
    session.add(found)
    session.flush()
    return found, secret


def save_receiver(
    session: Session, key: str, *, name: str | None = None, url: str | None = None, active: bool | None = None,
    now: datetime,
) -> HookReceiver:
    """Change what is given; calls that wait go to the new address. Raises NotFound, Invalid."""
    found = receiver_by_key(session, key)
    if name is not None:
        found.name = _name(name)
    if url is not None:
        found.url = checked_url(url)
    if active is not None:
        found.active = active
    found.updated_at = now
    session.flush()
    return found


def new_secret(session: Session, key: str, *, secret_key: str, now: datetime) -> str:
    """Sign with a new secret from now on; the answer is shown once. Raises NotFound."""
    found = receiver_by_key(session, key)
    secret = _new_secret()
    found.secret, found.updated_at = seal(secret, secret_key=secret_key), now
    session.flush()
    return secret


def receiver_by_key(session: Session, key: str) -> HookReceiver:
    """The receiver with this key. Raises NotFound."""
    found = session.scalars(select(HookReceiver).where(HookReceiver.key == key)).one_or_none()
    if found is None:
        raise NotFound(f"There is no receiver called {key[:100]}.")
    return found


def list_receivers(session: Session) -> list[HookReceiver]:
    """All receivers by name."""
    return list(session.scalars(select(HookReceiver).order_by(HookReceiver.name, HookReceiver.id)))


def receiver_ids(session: Session, keys: Collection[str]) -> dict[str, int]:
    """Key -> id of those that exist."""
    rows = session.execute(select(HookReceiver.key, HookReceiver.id).where(HookReceiver.key.in_(sorted(keys))))
    return {row[0]: row[1] for row in rows}


def calls_by_state(session: Session) -> dict[int, dict[str, int]]:
    """Receiver id -> state -> calls."""
    found: dict[int, dict[str, int]] = {}
    for receiver_id, state, count in session.execute(
            select(HookCall.receiver_id, HookCall.state, func.count()).group_by(HookCall.receiver_id, HookCall.state)):
        found.setdefault(receiver_id, {})[state] = count
    return found


def checked_url(url: str) -> str:
    """The address as it is stored. Raises Invalid."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:
        fits = False
        parts = urlsplit("")
    if not fits or parts.username or parts.password or parts.fragment or len(text) > 500 or not text.isascii() or any(
            letter.isspace() or not letter.isprintable() for letter in text):
        raise Invalid("Use an address such as https://erp.example/winback, without a password in it.", place="url")
    return text


def _name(name: str) -> str:
    text = name.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise Invalid("Name the receiver in at most 200 characters.", place="name")
    return text


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

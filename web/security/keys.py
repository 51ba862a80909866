"""Which program calls the API, and what may it do?

Owns API keys: `wb_<lookup>_<secret>`, the secret 256 random bits, stored as the SHA-256 of the whole key (a slow hash
is for guessable passwords). The promise: a key is shown once; a database dump opens nothing.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from core.clock import CLOCK, THE_INSTALLATION, clock_now, wall_now
from core.database import Database
from core.errors import Invalid, NotFound
from core.models import Installation
from web.models import ApiKey

SCOPES = ("read", "write", "redemptions")

# One statement for what every request of a program needs first: its key and the clock.
_KEY_AND_CLOCK = (
    select(ApiKey.id, ApiKey.name, ApiKey.scopes, ApiKey.shop, ApiKey.secret_hash, Installation.kind, *CLOCK)
    .outerjoin(Installation, THE_INSTALLATION)
    .where(ApiKey.lookup == bindparam("of_lookup"), ApiKey.revoked_at.is_(None))
)
_SHAPE = re.compile(r"wb_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class KnownKey:
    """A key that opens, and the installation's time when it was looked up; `shop`: the only one it speaks for."""

    id: int
    name: str
    scopes: tuple[str, ...]
    now: datetime
    shop: str | None = None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def issue_key(session: Session, name: str, *, scopes: Sequence[str], now: datetime, shop: str | None = None) -> str:
    """Store a new key and return it; it can't be shown again.

    `shop`: the label of the one shop that it speaks for. Raises Invalid for no or unknown scopes, and for a shop's key
    that would see the house: customers, codes and reports are not a shop's.
    """
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise Invalid(f"A key needs at least one scope of {', '.join(SCOPES)}.", place="scope")
    if shop is not None and not (0 < len(shop) <= 100 and shop.isprintable()):
        raise Invalid("Use 1 to 100 characters, as the shop names itself in its requests.", place="shop")
    if shop is not None and set(scopes) != {"redemptions"}:
        raise Invalid("A key of one shop may redeem and nothing else. Make another key, without a shop, for the rest.",
                      place="scope")
    lookup = secrets.token_hex(6)
    key = f"wb_{lookup}_{secrets.token_urlsafe(32)}"
    kept = [scope for scope in SCOPES if scope in scopes]
    session.add(ApiKey(lookup=lookup, secret_hash=_hash(key), name=name, scopes=kept, shop=shop,
                       created_at=now))
    session.flush()
    return key


REMEMBERED_SECONDS = 1.0
"""For so long a live installation takes a key as it was read: a key revoked elsewhere opens no longer than that."""
_MOST_REMEMBERED = 1000
_remembered: "WeakKeyDictionary[Database, dict[str, tuple[float, KnownKey]]]" = WeakKeyDictionary()


def key_of(database: Database, presented: str) -> KnownKey | None:
    """What a presented key may do, and the time it is; None when malformed, unknown or revoked.

    Where the clock cannot be moved, a key just read is remembered for a second: it is asked for with every request.
    """
    kept, hashed = _remembered.setdefault(database, {}), _hash(presented)
    found = kept.get(hashed)
    if found is not None and time.monotonic() - found[0] < REMEMBERED_SECONDS:
        return replace(found[1], now=wall_now())
    shape = _SHAPE.fullmatch(presented)
    if shape is None:
        return None
    read_at = time.monotonic()
    row = database.glance(_KEY_AND_CLOCK, {"of_lookup": shape[1]})
    if row is None:
        kept.pop(hashed, None)
        return None
    key_id, name, scopes, shop, secret_hash, kind, offset_us, stands_at = row
    if not hmac.compare_digest(secret_hash, hashed):
        return None
    known = KnownKey(key_id, name, tuple(scopes), clock_now(offset_us, stands_at), shop)
    if kind == "live" and not offset_us and stands_at is None:
        if len(kept) >= _MOST_REMEMBERED:
            kept.clear()
        kept[hashed] = (read_at, known)
    return known


def revoke_key(session: Session, lookup: str, *, now: datetime) -> None:
    """Make a key useless from now on. Raises NotFound when there is none with this first part."""
    row = session.scalar(select(ApiKey).where(ApiKey.lookup == lookup))
    if row is None:
        raise NotFound(f"There is no key that starts with wb_{lookup}.")
    if row.revoked_at is None:
        row.revoked_at = now
        session.flush()
        _remembered.clear()

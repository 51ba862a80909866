"""Did this shop send exactly these bytes, and recently?

Owns the signature checks. Pure: raw bytes, header values and secrets in, yes or no out; every comparison takes the same
time whether or not it matches, and every secret is tried. The promise: nothing is parsed before it has passed here.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 300
"""How far a signed instant may lie from ours, into the past or into the future."""


def _mac(secret: bytes, message: bytes) -> bytes:
    return hmac.new(secret, message, hashlib.sha256).digest()


def _any_equal(expected: Sequence[bytes], presented: Sequence[bytes]) -> bool:
    found = False
    for ours in expected:
        for theirs in presented:
            found = hmac.compare_digest(ours, theirs) or found
    return found


def base64_hmac(body: bytes, presented: str | None, secrets: Sequence[str]) -> bool:
    """Shopify and WooCommerce: the base64 of the HMAC-SHA256 of the body."""
    return _any_equal([base64.b64encode(_mac(secret.encode(), body)) for secret in secrets], [_ascii(presented)])


def hex_hmac(body: bytes, presented: str | None, secrets: Sequence[str]) -> bool:
    """Shopware: the hexadecimal HMAC-SHA256 of the body."""
    return _any_equal([_mac(secret.encode(), body).hex().encode() for secret in secrets],
                      [_ascii(presented).lower()])


def standard(body: bytes, *, message_id: str | None, timestamp: str | None, presented: str | None,
             secrets: Sequence[str], wall_seconds: int) -> bool:
    """Standard Webhooks: `v1,` and the base64 of the HMAC over id, timestamp and body; several may be presented.

    The timestamp must lie within five minutes of ours. Secrets are `whsec_` and base64.
    """
    if not message_id or not timestamp or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    signed = b".".join((_ascii(message_id), timestamp.encode(), body))
    keys = [key for key in (standard_key(secret) for secret in secrets) if key is not None]
    ours = [b"v1," + base64.b64encode(_mac(key, signed)) for key in keys]
    fits = _any_equal(ours, _ascii(presented).split(b" ")[:10])
    return fits and abs(int(timestamp) - wall_seconds) <= TOLERANCE_SECONDS


def standard_key(secret: str) -> bytes | None:
    """The key's bytes of a `whsec_` secret; None when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith("whsec_") and 24 <= len(key) <= 64 else None


def sign_base64(body: bytes, secret: str) -> str:
    """What Shopify and WooCommerce would send."""
    return base64.b64encode(_mac(secret.encode(), body)).decode()


def sign_hex(body: bytes, secret: str) -> str:
    """What Shopware would send."""
    return _mac(secret.encode(), body).hex()


def sign_standard(body: bytes, *, message_id: str, timestamp: int, secret: str) -> str:
    """What a sender of Standard Webhooks would send."""
    key = standard_key(secret)
    if key is None:
        raise ValueError("the secret is not whsec_ and base64")
    return "v1," + base64.b64encode(_mac(key, f"{message_id}.{timestamp}.".encode() + body)).decode()


def _ascii(text: str | None) -> bytes:
    return (text or "").strip().encode("ascii", "replace")

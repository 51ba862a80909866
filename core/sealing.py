"""How are secrets kept that we must be able to read again?

Owns sealing with a key derived from the installation's secret key: a copy of the database alone opens nothing.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import Conflict


def _box(secret_key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"winback shop secrets").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(secret: str, *, secret_key: str) -> str:
    """The secret as it is stored."""
    return _box(secret_key).encrypt(secret.encode()).decode()


def unseal(sealed: str, *, secret_key: str) -> str:
    """The secret again. Raises Conflict when the installation's key is another one now."""
    try:
        return _box(secret_key).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Conflict("This secret was stored under another WINBACK_SECRET_KEY. Make a new one.") from error

"""Is this the password?

Owns hashing with argon2id and the comparison. The promise: an unknown person costs as much time as a known one, so
the answer does not say who has a login.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Invalid

MIN_LENGTH = 12

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash to store. Raises Invalid when the password is shorter than 12 characters."""
    if len(password) < MIN_LENGTH:
        raise Invalid(f"Use at least {MIN_LENGTH} characters; a few words in a row will do.", place="password")
    return _hasher.hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Compare; `stored` None (nobody) takes as long and is always False."""
    try:
        _hasher.verify(stored or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None

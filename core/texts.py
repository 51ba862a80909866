"""Which text functions must give the same answer in Python and in every database?

Owns case folding and md5. PostgreSQL and DuckDB bring md5; SQLite gets both from `core/database.py`.
"""

import hashlib


def folded(text: str) -> str:
    """The case-folded copy of a text: each character in lower case, one for one, whatever the locale."""
    # Only the dotted capital I has two letters below it; DuckDB keeps the first, so do we.
    return "".join(letter.lower()[:1] for letter in text)


def md5_hex(text: str) -> str:
    """The 32 hex digits of a text's md5; for sampling, never for secrets."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

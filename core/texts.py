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


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
"""First characters that some spreadsheet takes for a formula, or skips to find one; full-width forms included."""

UNSEEN = " \u00a0\u200b\u200c\u200d\u2060\ufeff\u3000"
"""Blanks and characters that show nothing: a formula behind them is still one."""


def harmless_cell(text: str) -> str:
    """A cell of a CSV file: a quote mark before what starts, blanks aside, like a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{text}" if text.lstrip(UNSEEN).startswith(FORMULA_STARTS) else text

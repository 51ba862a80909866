"""Which currency does this cell name?

Owns the check of currency codes: three letters of ISO 4217.
"""

from functools import cache

from babel import Locale

from core.errors import Invalid

DEFAULT_CURRENCY = "EUR"
"""The currency of orders and redemptions whose file has no such column."""


@cache
def _known() -> frozenset[str]:
    return frozenset(Locale("en").currencies)


def normal_currency(text: str) -> str:
    """The code in capitals. Raises Invalid for anything else."""
    code = text.strip().upper()
    if code not in _known():
        raise Invalid(f"{text[:20]!r} is not a currency such as EUR or CHF.")
    return code

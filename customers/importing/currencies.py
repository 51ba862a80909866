"""Which currency does this cell name?

Owns the check of currency codes: three letters of ISO 4217.
"""

from core.errors import Invalid
from core.money import is_currency

DEFAULT_CURRENCY = "EUR"
"""The currency of orders and redemptions whose file has no such column."""


def normal_currency(text: str) -> str:
    """The code in capitals. Raises Invalid for anything else."""
    code = text.strip().upper()
    if not is_currency(code):
        raise Invalid(f"{text[:20]!r} is not a currency such as EUR or CHF.")
    return code

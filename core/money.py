"""How is an amount of money written for people, and which currencies are there?

Owns the one spelling of amounts for all rooms: "€1,500", "€41.20", "US$90", "CHF 1,500"; German "1.500 €", "41,20 $".
Currencies stand as each language writes them. Pure. The promise: a true minus before the sign, no-break spaces inside
an amount, a currency's own minor units, halves rounded up.
"""

from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Literal

from babel import Locale
from babel.numbers import format_decimal, get_currency_precision, get_currency_symbol

MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
Minor = Literal["always", "needed", "small"]
"""When minor units are written: always; only where there are some; below 100 only, as estimates are."""

_LOCALES = {"en": "en_GB", "de": "de_DE"}


def amount_words(
    cents: float | Decimal, currency: str, *, minor: Minor, signed: bool = False, language: str = "en"
) -> str:
    """An amount in minor units of a currency (three letters); `signed` puts a plus before what is above zero."""
    places = minor_places(currency)
    major = Decimal(str(cents)).scaleb(-places)
    if minor == "small":
        decimals = 0 if abs(major) >= 100 or major == 0 else places
    else:
        decimals = 0 if minor == "needed" and major == major.to_integral_value() else places
    rounded = major.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    number = str(format_decimal(abs(rounded), format=pattern, locale=_LOCALES.get(language, "en_GB")))
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + with_currency(number, currency, language=language)


def with_currency(number: str, currency: str, *, language: str = "en") -> str:
    """A written number with its currency: before it in English, after it in German."""
    symbol = _symbol(currency, language)
    if language == "de":
        return f"{number}{NBSP}{symbol}"
    return f"{symbol}{NBSP if symbol[-1:].isalpha() else ''}{number}"


@lru_cache(maxsize=512)
def minor_places(currency: str) -> int:
    """How many decimal places a currency has: 2 for EUR, 0 for JPY."""
    return int(get_currency_precision(currency))


@lru_cache(maxsize=512)
def _symbol(currency: str, language: str) -> str:
    return str(get_currency_symbol(currency, locale=_LOCALES.get(language, "en_GB")))


def is_currency(code: str) -> bool:
    """Whether these three capital letters are a currency of ISO 4217, past ones included."""
    return code in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(Locale("en").currencies)

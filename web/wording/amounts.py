"""What number did a person type?

Owns the forgiving reading of numbers and amounts in forms: "1,500", "1500.50", "€1.500,50", "12 %". The promise: a text
that could mean two different numbers is refused, never guessed.
"""

import re
from decimal import Decimal

from babel.numbers import get_currency_precision

from core.errors import Invalid

_GROUPED = {",": re.compile(r"\d{1,3}(,\d{3})+"), ".": re.compile(r"\d{1,3}(\.\d{3})+")}
_BLANKS = re.compile(r"[\s\u00a0\u202f']")
_UNITS = re.compile(r"^(?:[A-Z]{3}|[€$£¥])|(?:[A-Z]{3}|[€$£¥%])$")
LARGEST = Decimal(10) ** 13


def read_decimal(text: str, *, place: str | None = None) -> Decimal:
    """The number in `text`; commas or dots may group thousands or mark decimals. Raises Invalid."""
    plain = _UNITS.sub("", _BLANKS.sub("", text)).replace("\N{MINUS SIGN}", "-")
    sign = -1 if plain.startswith("-") else 1
    digits = plain[1:] if plain[:1] in ("+", "-") else plain
    if "," in digits and "." in digits:
        mark = max(",.", key=digits.rfind)
        whole, _, decimals = digits.rpartition(mark)
        other = "," if mark == "." else "."
        if mark in whole or not _GROUPED[other].fullmatch(whole):
            raise _unclear(text, place)
        digits = f"{whole.replace(other, '')}.{decimals}"
    elif "," in digits:
        grouped = _GROUPED[","].fullmatch(digits)
        if not grouped and digits.count(",") > 1:
            raise _unclear(text, place)
        digits = digits.replace(",", "" if grouped else ".")
    elif digits.count(".") > 1 or re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", digits):
        # one dot before three digits is 1.5 to some and 1500 to others
        if digits.count(".") < 2 or not _GROUPED["."].fullmatch(digits):
            raise _unclear(text, place)
        digits = digits.replace(".", "")
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{0,10})?|\.[0-9]{1,10}", digits):
        raise _unclear(text, place)
    number = sign * Decimal(digits)
    if abs(number) > LARGEST:
        raise Invalid("This number is too large.", place=place)
    return number


def read_cents(text: str, *, currency: str = "EUR", place: str | None = None) -> int:
    """The amount in `text` in minor units of the currency. Raises Invalid."""
    places = get_currency_precision(currency)
    minor = read_decimal(text, place=place).scaleb(places)
    if minor != minor.to_integral_value():
        raise Invalid(f"Write an amount such as 1500 or 1,500.50, not {_cut(text)}.", place=place)
    return int(minor)


def read_whole(text: str, *, place: str | None = None) -> int:
    """The whole number in `text`. Raises Invalid."""
    number = read_decimal(text, place=place)
    if number != number.to_integral_value():
        raise Invalid(f"Write a whole number, not {_cut(text)}.", place=place)
    return int(number)


def written_cents(cents: int | None, *, currency: str = "EUR") -> str:
    """An amount as its field shows it: "1500", "129.90"; nothing for None."""
    if cents is None:
        return ""
    places = get_currency_precision(currency)
    major = Decimal(cents).scaleb(-places)
    return f"{major:.0f}" if major == major.to_integral_value() else f"{major:.{places}f}"


def _unclear(text: str, place: str | None) -> Invalid:
    return Invalid(f"Write a number such as 1500 or 1,500.50, not {_cut(text)}.", place=place)


def _cut(text: str) -> str:
    shown = text.strip() or "nothing"
    return f"“{shown if len(shown) <= 30 else shown[:29] + '…'}”"

"""What may stand in the properties of an event?

Owns reading them: a JSON object of texts, numbers, truth values and nulls. The promise: a property has one spelling as
text whatever engine reads it, so numbers are whole or have at most 15 digits; anything longer is kept as a text.
"""

import json
import math
from decimal import Decimal
from typing import Any

from core.errors import Invalid

MOST = 100
LONGEST_NAME = 100
LONGEST_TEXT = 1000
_SURE = 10**15
"""Whole numbers up to here are exact in every engine."""


def read_properties(text: str) -> str:
    """The JSON object in a cell, in the form that is stored. Raises Invalid with the reason."""
    try:
        given = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise Invalid('The properties are no JSON object such as {"cart": "129.90"}.') from None
    if not isinstance(given, dict):
        raise Invalid('The properties are no JSON object such as {"cart": "129.90"}.')
    return written({name: value for name, value in given.items() if value is not None})


def written(properties: dict[str, Any]) -> str:
    """Properties as JSON text, checked. Raises Invalid."""
    if len(properties) > MOST:
        raise Invalid(f"An event has at most {MOST} properties, this one has {len(properties)}.")
    return json.dumps({checked_name(name): _value(name, value) for name, value in properties.items()},
                      ensure_ascii=False)


def checked_name(name: str) -> str:
    """A property's name, if rules can ask for it. Raises Invalid."""
    if not 1 <= len(name) <= LONGEST_NAME or any(sign in '"\\' or ord(sign) < 32 for sign in name) or _broken(name):
        raise Invalid(f"A property's name has 1 to {LONGEST_NAME} characters, no quotes and no backslash,"
                      f" unlike {name[:40]!r}.")
    return name


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _SURE else str(value)
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, str):
        raise Invalid(f"The property {name[:40]!r} is a list or an object; use a text, a number, true or false.")
    if len(value) > LONGEST_TEXT or "\0" in value or _broken(value):
        raise Invalid(f"The property {name[:40]!r} holds no text of at most {LONGEST_TEXT} characters.")
    return value


def _number(value: float) -> Any:
    if not math.isfinite(value):
        raise Invalid("A property cannot be infinite.")
    if value.is_integer() and abs(value) < _SURE:
        return int(value)
    shown = repr(value)
    digits = shown.replace("-", "").replace(".", "").lstrip("0")
    return value if "e" not in shown and len(digits) <= 15 else format(Decimal(shown), "f")[:LONGEST_TEXT]


def _broken(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _refused(name: str) -> Any:
    raise ValueError(name)

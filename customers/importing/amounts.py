"""Which amount of money, which quantity, does this cell mean?

Owns decimal numbers: major units with a point, or with a comma when that can mean only one thing. Money becomes whole
cents and quantities thousandths, half rounded away from zero. The promise: no amount is off by a factor because of a
separator, and every stored number fits its column with room for sums.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Invalid
from customers.importing.cells import Converted, Converter, by_distinct, rows_where, text_of

LARGEST_AMOUNT = 10**12
"""In major units: a million millions; sums of ninety thousand such lines still fit BIGINT."""
LARGEST_QUANTITY = 10**9

_FAST = r"^\d{1,12}(\.\d{1,2})?$"
_POINT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_COMMA = re.compile(r"[+-]?\d+,\d+")


def parse_decimal(text: str) -> Decimal:
    """One decimal number. Raises Invalid when it is none or could mean two."""
    if _COMMA.fullmatch(text):
        whole, _, fraction = text.lstrip("+-").partition(",")
        if len(fraction) == 3 and whole != "0":
            raise Invalid(f"{text[:40]!r} could mean two numbers. Write it with a point and without thousands marks.")
        return Decimal(text.replace(",", "."))
    if not _POINT.fullmatch(text):
        raise Invalid(f"{text[:40]!r} is not a number such as 1234.56.")
    return Decimal(text)


def _scaled(factor: int, largest: int, what: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = parse_decimal(text)
        if number < 0:
            raise Invalid(f"{text[:40]!r} is negative; a {what} is 0 or more.")
        if number > largest:
            raise Invalid(f"{text[:40]!r} is too large; the largest {what} is {largest:,}.")
        return int((number * factor).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    return parse


def _numbers(factor: int, largest: int, what: str) -> Converter:
    parse = _scaled(factor, largest, what)

    def convert(array: Any) -> Converted:
        kind = array.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return _native(array, factor, largest, parse)
        text = text_of(array)
        fast = pc.fill_null(pc.match_substring_regex(text, _FAST), fill_value=False)
        # At most two decimals and twelve digits: a double holds these exactly enough to round to the right cent.
        doubles = pc.cast(pc.if_else(fast, text, None), pa.float64())
        whole = pc.cast(pc.round(pc.multiply(doubles, float(factor))), pa.int64())
        over = pc.fill_null(pc.greater(doubles, float(largest)), fill_value=False)
        slow = pc.and_(pc.is_valid(text), pc.or_(pc.invert(fast), over))
        if not pc.any(slow).as_py():
            return Converted(whole)
        rest = by_distinct(pc.if_else(slow, text, None), parse, pa.int64())
        return Converted(pc.if_else(slow, rest.values, whole), rest.faults)

    return convert


def _native(array: Any, factor: int, largest: int, parse: Callable[[str], int]) -> Converted:
    """Numbers as Parquet holds them; a NaN or an infinity is a fault. Only what is unusual is read as words."""
    kind = array.type
    if pa.types.is_decimal(kind):
        return _by_words(array, parse)
    given = array.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind):
        numbers = pc.fill_null(array.cast(pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False)
        sure = (numbers >= 0) & (numbers <= largest)
        whole = np.where(sure, numbers, 0) * factor
    else:
        doubles = pc.fill_null(array.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        sure = (doubles >= 0) & (doubles <= largest)
        scaled = np.where(sure, doubles, 0.0) * factor
        below = np.floor(scaled)
        # The product is off by less than 2^-51 of itself: only beside a half may it round to the wrong neighbour.
        sure &= np.abs(scaled - below - 0.5) > scaled * 2.0**-51
        whole = (below + (scaled - below > 0.5)).astype(np.int64)
    values = pa.array(whole, pa.int64(), mask=~given)
    slow = given & ~sure
    if not slow.any():
        return Converted(values)
    rest = _by_words(pc.if_else(pa.array(slow), array, None), parse)
    return Converted(pc.if_else(pa.array(slow), rest.values, values), rest.faults)


def _by_words(array: Any, parse: Callable[[str], int]) -> Converted:
    """Each number as the decimal it is written as; a binary fraction as its shortest spelling."""
    words = [None if value is None else format(Decimal(repr(value) if isinstance(value, float) else value), "f")
             for value in array.to_pylist()]
    return by_distinct(pa.array(words, pa.string()), parse, pa.int64())


cents: Converter = _numbers(100, LARGEST_AMOUNT, "amount")
"""Money in whole cents, 0 or more."""

thousandths: Converter = _numbers(1000, LARGEST_QUANTITY, "quantity")
"""Quantities in thousandths, 0 or more."""


def whole(lowest: int, highest: int) -> Converter:
    """Whole numbers within a range."""

    def parse(text: str) -> int:
        number = parse_decimal(text)
        if number != number.to_integral_value():
            raise Invalid(f"{text[:40]!r} is not a whole number.")
        if not lowest <= number <= highest:
            raise Invalid(f"{text[:40]!r} is not between {lowest:,} and {highest:,}.")
        return int(number)

    return lambda array: by_distinct(text_of(array), parse, pa.int64())


def real(lowest: float, highest: float, hint: str = "") -> Converter:
    """Numbers with a fraction within a range, both ends in."""

    def parse(text: str) -> float:
        number = float(parse_decimal(text))
        if not lowest <= number <= highest:
            raise Invalid(f"{text[:40]!r} is not between {lowest:g} and {highest:g}.{hint}")
        return number

    return lambda array: by_distinct(text_of(array), parse, pa.float64())


def line_totals(quantity_milli: Any, price_cents: Any) -> tuple[Any, list[int]]:
    """Quantity times price in cents, half a cent rounded up, and the rows whose product is too large."""
    quantities = pc.fill_null(quantity_milli, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    prices = pc.fill_null(price_cents, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    too_large = quantities.astype(float) * prices.astype(float) > LARGEST_AMOUNT * 100.0 * 1000
    exact = quantities.astype(float) * prices.astype(float) < 2.0**62
    products = np.where(exact, (quantities * np.where(exact, prices, 0) + 500) // 1000, 0)
    for row in np.flatnonzero(~exact & ~too_large):
        products[row] = (int(quantities[row]) * int(prices[row]) + 500) // 1000
    return pa.array(products), rows_where(pa.array(too_large))

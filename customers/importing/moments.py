"""Which instant or day does this cell mean?

Owns the accepted spellings: ISO 8601 (without an offset it is UTC), `DD.MM.YYYY[ HH:MM[:SS]]` and `YYYYMMDD`. The
promise: anything else is refused with the reason, never guessed.
"""

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Invalid
from core.types import to_us
from customers.importing.cells import Converted, by_distinct, text_of

_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}([Tt ]\d{2}(:?\d{2}(:?\d{2}([.,]\d{1,9})?)?)?\s?([Zz]|[+-]\d{2}(:?\d{2})?)?)?")
_GERMAN = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?: (\d{2}):(\d{2})(?::(\d{2}))?)?")
_PLAIN = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"
_LOWEST = to_us(datetime(1, 1, 1, tzinfo=UTC))
_HIGHEST = to_us(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
FORMATS = "2026-01-31, 2026-01-31T10:00:00Z, 31.01.2026, 31.01.2026 10:00 or 20260131"


def parse_moment(text: str) -> int:
    """Microseconds since 1970 in UTC of one accepted spelling. Raises Invalid."""
    german = _GERMAN.fullmatch(text)
    if not german and not _ISO.fullmatch(text):
        raise Invalid(f"{text[:40]!r} is not a date in a known form. Use {FORMATS}.")
    try:
        if german:
            day, month, year, hour, minute, second = (int(part or 0) for part in german.groups())
            return to_us(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
        moment = datetime.fromisoformat(re.sub(r"\s(?=[+-]|[Zz])", "", text).upper().replace(",", "."))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return to_us(moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{text[:40]!r} is not a date that exists.") from error


def instant(array: Any) -> Converted:
    """Instants as int64 microseconds; cells that are none are faults."""
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_native(array)
    text = text_of(array)
    plain = pc.fill_null(pc.match_substring_regex(text, _PLAIN), fill_value=False)
    try:
        fast = pc.cast(pc.if_else(plain, text, None), pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid:
        return by_distinct(text, parse_moment, pa.int64())
    faults: dict[int, str] = {}
    low = pc.fill_null(pc.less(fast, _LOWEST), fill_value=False)
    if pc.any(low).as_py():
        return by_distinct(text, parse_moment, pa.int64())
    if pc.all(pc.or_(plain, pc.is_null(text))).as_py() is not False:
        return Converted(fast, faults)
    rest = by_distinct(pc.if_else(plain, None, text), parse_moment, pa.int64())
    return Converted(pc.coalesce(fast, rest.values), rest.faults)


def _from_native(array: Any) -> Converted:
    values = array.cast(pa.timestamp("us"), safe=False) if pa.types.is_date(array.type) else array.cast(
        pa.timestamp("us", array.type.tz), safe=False)
    numbers = values.cast(pa.int64())
    outside = pc.fill_null(pc.or_(pc.less(numbers, _LOWEST), pc.greater(numbers, _HIGHEST)), fill_value=False)
    faults = {int(row): "The date is outside the years 1 to 9999." for row in np.flatnonzero(outside.to_numpy(False))}
    return Converted(numbers, faults)


def day(array: Any) -> Converted:
    """Local days as date32; a time of day is dropped."""
    converted = instant(array)
    days = pc.cast(converted.values, pa.timestamp("us")).cast(pa.date32(), safe=False)
    return Converted(days, converted.faults)

"""Is the value beside an operator one that it can compare?

Owns reading the values of rules: texts, numbers, cents, dates, lists and windows, each strictly of its type. Every
refusal names the place and shows what is wanted.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from core.errors import Invalid
from segments.language.conditions import Number, Test, Value
from segments.language.operators import OPERATORS, fitting
from segments.language.windows import Window

MAX_TEXT = 500
MAX_LIST = 200_000
MAX_DAYS = 36_500
MAX_NUMBER = 10**15
MAX_NTH = 10_000
_EXAMPLES = {"text": '{"is": "DE"}', "number": '{"at_least": 3}', "cents": '{"at_least": 150000}',
             "share": '{"at_least": 0.3}', "date": '{"before": "1990-01-01"}', "instant": '{"after": "2026-01-31"}',
             "any": '{"is": "gold"}'}


def read_test(value: Mapping[str, Any], kind: str, subject: str, place: str) -> Test:
    """The one operator of a condition on a value of `kind`, with its checked value."""
    found = [key for key in value if key in OPERATORS]
    if not found:
        raise Invalid(f"what about {subject}? Add an operator, for example {_EXAMPLES[kind]}", place=place)
    if len(found) > 1:
        raise Invalid(f"one operator at a time, not {' and '.join(found)}. Use two conditions in {{\"all\": [...]}}",
                      place=place)
    operator = found[0]
    allowed = fitting("number" if kind in ("cents", "share") else kind)
    if operator not in allowed:
        raise Invalid(f"{subject} cannot be compared by {operator}. Use one of: {', '.join(allowed)}", place=place)
    return Test(operator, _value(operator, value[operator], kind, f"{place}.{operator}"))


def _value(operator: str, value: object, kind: str, place: str) -> Value:
    if operator in ("is_set", "is_not_set"):
        if value is not True:
            raise Invalid(f"write {operator}: true; the opposite is {_other(operator)}: true", place=place)
        return True
    if operator in ("in", "not_in"):
        return read_texts(value, place, alone=False)
    if operator in ("is", "is_not"):
        return value if kind == "any" and isinstance(value, bool) else read_text(value, place)
    if operator in ("contains", "starts_with"):
        return read_text(value, place)
    if operator == "within_days":
        return read_whole(value, place, 1, MAX_DAYS, "days")
    if operator in ("before", "after"):
        return read_date(value, place) if kind == "date" else read_instant(value, place)
    read = {"cents": read_cents, "share": read_share}.get(kind, read_number)
    if operator != "between":
        return read(value, place)
    if not isinstance(value, list) or len(value) != 2:
        raise Invalid("needs two numbers, for example [10, 20]; both ends belong to it", place=place)
    low, high = read(value[0], place), read(value[1], place)
    if low > high:
        raise Invalid(f"the first number is the smaller one, not {low} and {high}", place=place)
    return low, high


def _other(operator: str) -> str:
    return "is_not_set" if operator == "is_set" else "is_set"


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_text(value: object, place: str) -> str:
    """A text that every database can hold."""
    if not isinstance(value, str):
        raise Invalid(f"needs a text, not {_shown(value)}", place=place)
    if len(value) > MAX_TEXT:
        raise Invalid(f"a text may have {MAX_TEXT} characters at most", place=place)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Invalid("holds a character that no text can have", place=place)
    return value


def read_texts(value: object, place: str, *, alone: bool = True) -> tuple[str, ...]:
    """A list of texts; with `alone` a single text stands for a list of one."""
    if alone and isinstance(value, str):
        return (read_text(value, place),)
    if not isinstance(value, list):
        raise Invalid(f"needs a list of texts, for example [\"a\", \"b\"], not {_shown(value)}", place=place)
    if len(value) > MAX_LIST:
        raise Invalid(f"a list may have {MAX_LIST:,} texts at most, this one has {len(value):,}", place=place)
    if alone and not value:
        raise Invalid("needs at least one text", place=place)
    return tuple(read_text(item, f"{place}[{number}]") for number, item in enumerate(value))


def read_number(value: object, place: str) -> Number:
    """A finite number of sensible size; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(f"needs a number, not {_shown(value)}", place=place)
    if abs(value) > MAX_NUMBER:
        raise Invalid(f"a number lies between -{MAX_NUMBER:,} and {MAX_NUMBER:,}", place=place)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_within(value: object, place: str, low: float, high: float, noun: str) -> Number:
    """A number from `low` to `high`."""
    number = read_number(value, place)
    if not low <= number <= high:
        raise Invalid(f"needs {noun} from {low:g} to {high:,g}, not {_shown(value)}", place=place)
    return number


def read_cents(value: object, place: str) -> int:
    """Whole cents."""
    number = read_number(value, place)
    if not isinstance(number, int):
        raise Invalid(f"amounts are whole cents, so 1,500 is written 150000, not {value}", place=place)
    return number


def read_share(value: object, place: str) -> Number:
    """A share from 0 to 1, with six decimals at most."""
    number = read_number(value, place)
    if not 0 <= number <= 1:
        raise Invalid(f"a share lies between 0 and 1, so 30 % is written 0.3, not {number}", place=place)
    if round(number, 6) != number:
        raise Invalid("a share has six decimals at most", place=place)
    return number


def read_nth(value: object, place: str) -> int:
    """The place of an order in a person's history: 1 is the first, -1 the last."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= abs(value) <= MAX_NTH:
        raise Invalid(f"needs a whole number: 1 is the first order, -1 the last, up to {MAX_NTH:,} either way, not "
                      f"{_shown(value)}", place=place)
    return value


def read_whole(value: object, place: str, low: int, high: int, noun: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(f"needs a whole number of {noun} from {low} to {high:,}, not {_shown(value)}", place=place)
    return value


def read_date(value: object, place: str) -> date:
    """A day, `YYYY-MM-DD`."""
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Invalid(f"needs a day such as \"2026-01-31\", not {_shown(value)}", place=place)


def read_instant(value: object, place: str) -> datetime:
    """A day (midnight UTC) or an ISO instant; without offset it is UTC."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid(f"needs a day or a time such as \"2026-01-31\" or \"2026-01-31T08:00:00Z\", not {_shown(value)}",
                  place=place)


def read_key(key: str, place: str) -> str:
    """The name of a further attribute. Quotes and backslashes are refused: no engine agrees on how to write them."""
    read_text(key, place)
    if not key or len(key) > 100 or any(letter in '"\\' or ord(letter) < 32 for letter in key):
        raise Invalid("an attribute's name has 1 to 100 characters, no quotes and no backslash", place=place)
    return key


def read_property(key: object, place: str) -> str:
    """The name of an event's property, under the same limits as an attribute's."""
    if not isinstance(key, str):
        raise Invalid(f"a property's name is a text, not {_shown(key)}", place=place)
    try:
        return read_key(key, place)
    except Invalid:
        raise Invalid("a property's name has 1 to 100 characters, no quotes and no backslash", place=place) from None


_WINDOW_KEYS = ("last_days", "last_months", "last_quarters", "last_years", "between_days_ago", "from", "until")
_LONGEST = {"last_days": MAX_DAYS, "last_months": 1200, "last_quarters": 400, "last_years": 100}


def read_window(value: object, place: str) -> Window:
    """A window: one of last_days, last_months, last_quarters, last_years, between_days_ago, or from and until."""
    if not isinstance(value, Mapping) or not value:
        raise Invalid(f"needs an object such as {{\"last_days\": 90}}, not {_shown(value)}", place=place)
    for key in value:
        if key not in (*_WINDOW_KEYS, "calendar"):
            raise Invalid(f"unknown key {_shown(key)}. Known: {', '.join(_WINDOW_KEYS)}, calendar", place=place)
    kinds = [key for key in value if key != "calendar"]
    if not kinds or (len(kinds) > 1 and set(kinds) != {"from", "until"}):
        raise Invalid(f"needs exactly one of {', '.join(_WINDOW_KEYS[:5])}, or from and until", place=place)
    whole = _calendar(value, kinds[0], place)
    if kinds[0] in _LONGEST:
        noun = kinds[0].removeprefix("last_")
        count = read_whole(value[kinds[0]], f"{place}.{kinds[0]}", 1, _LONGEST[kinds[0]], noun)
        return Window(kinds[0], count, whole)
    if kinds == ["between_days_ago"]:
        return Window("between_days_ago", days_ago=_days_ago(value["between_days_ago"], f"{place}.between_days_ago"))
    bounds = {key: read_instant(value[key], f"{place}.{key}") for key in kinds}
    if len(bounds) == 2 and bounds["from"] >= bounds["until"]:
        raise Invalid("from lies before until", place=place)
    return Window("dates", from_at=bounds.get("from"), until_at=bounds.get("until"))


def _calendar(value: Mapping[str, Any], kind: str, place: str) -> bool:
    if "calendar" not in value:
        return False
    if not isinstance(value["calendar"], bool):
        raise Invalid("calendar is true or false", place=f"{place}.calendar")
    if kind not in ("last_months", "last_quarters", "last_years"):
        raise Invalid("calendar goes with last_months, last_quarters or last_years", place=f"{place}.calendar")
    return bool(value["calendar"])


def _days_ago(value: object, place: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise Invalid("needs two numbers of days, the nearer one first, for example [30, 90]", place=place)
    near, far = (read_whole(item, place, 0, MAX_DAYS, "days") for item in value)
    if near >= far:
        raise Invalid(f"the nearer day comes first and differs, not {near} and {far}", place=place)
    return near, far

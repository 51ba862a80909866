"""How is a stretch of time chosen, said and read back?

Owns the parts and words of the window of a condition about orders, contacts, messages and coupons.
"""

from datetime import date
from typing import Any

from core.errors import Invalid
from web.builder.comparing import day_words, plain_number
from web.builder.parts import Choice, Fields, Part, Text, shown
from web.wording.amounts import read_whole

_KINDS = (("ever", "their whole history"), ("last_days", "the last … days"), ("last_months", "the last … months"),
          ("last_quarters", "the last … quarters"), ("last_years", "the last … years"),
          ("between_days_ago", "between … and … days ago"), ("dates", "between two days"))
_CALENDAR = ("last_months", "last_quarters", "last_years")


def kind_of(window: Any) -> str:
    """Which kind of window stands in a draft."""
    if not isinstance(window, dict) or not window:
        return "ever"
    return next((name for name, _words in _KINDS if name in window), "dates")


def window_parts(window: Any) -> tuple[Part, ...]:
    """What can be changed under the window's chip."""
    kind = kind_of(window)
    parts: list[Part] = [Choice("window", "When", _KINDS, kind)]
    if kind == "ever":
        return tuple(parts)
    if kind == "dates":
        parts += [Text("window.from", "From, this day included", shown(window.get("from"))[:10], type="date"),
                  Text("window.until", "Until, this day not included", shown(window.get("until"))[:10], type="date")]
    elif kind == "between_days_ago":
        near, far = _two(window.get(kind))
        parts += [Text("window.n", "At least so many days ago", shown(near), "days", inputmode="numeric"),
                  Text("window.m", "At most so many days ago", shown(far), "days", inputmode="numeric")]
    else:
        unit = kind.removeprefix("last_")
        parts.append(Text("window.n", "How many", shown(window.get(kind)), unit, inputmode="numeric"))
    if kind in _CALENDAR:
        whole = "yes" if window.get("calendar") is True else "no"
        parts.append(Choice("window.calendar", "Counted how", (
            ("no", "back from today"), ("yes", "whole calendar periods before this one")), whole))
    return tuple(parts)


def read_window(window: Any, fields: Fields) -> Any:
    """The window as the form has it now; None: the whole history."""
    if not fields.holds("window"):
        return window
    kind = fields.one("window")
    if kind not in dict(_KINDS) or kind == "ever":
        return None
    if kind == "dates":
        old = window if isinstance(window, dict) else {}
        bounds = {name: _day(fields.one(f"window.{name}"), old.get(name)) for name in ("from", "until")}
        return {name: day for name, day in bounds.items() if day} or {"from": ""}
    if kind == "between_days_ago":
        return {kind: [_whole(fields.one("window.n", "30")), _whole(fields.one("window.m", "90"))]}
    count = fields.one("window.n", "365" if kind == "last_days" else "1")
    read: dict[str, Any] = {kind: _whole(count)}
    if kind in _CALENDAR and fields.one("window.calendar") == "yes":
        read["calendar"] = True
    return read


def _day(text: str, old: Any) -> str:
    """The day of a field; the instant that stood there when only its day was shown."""
    return old if isinstance(old, str) and text and old[:10] == text else text


def _whole(text: str) -> Any:
    try:
        return read_whole(text)
    except Invalid:
        return text


def _two(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list | tuple) and len(value) == 2 else ("", "")


def window_words(window: Any, *, today: date) -> tuple[str, str]:
    """The words before the chip and on it: ("in the", "last 365 days")."""
    kind = kind_of(window)
    if kind == "ever":
        return "in", "their whole history"
    if kind == "dates":
        start, end = window.get("from"), window.get("until")
        if start and end:
            return "from", f"{day_words(start, today=today)} until {day_words(end, today=today)}"
        return ("before", day_words(end, today=today)) if end else ("since", day_words(start, today=today))
    if kind == "between_days_ago":
        near, far = _two(window[kind])
        return "between", f"{plain_number(near)} and {plain_number(far)} days ago"
    count, unit = window[kind], kind.removeprefix("last_")
    whole = "full calendar " if window.get("calendar") is True else ""
    if count == 1:
        return "in the", f"last {whole}{unit[:-1]}"
    return "in the", f"last {plain_number(count)} {whole}{unit}"


def window_problem(window: Any) -> str | None:
    """What is plainly wrong with a window, in our words."""
    kind = kind_of(window)
    if kind == "ever":
        return None
    if kind == "dates":
        start, end = window.get("from"), window.get("until")
        if not start and not end:
            return "Choose at least one day."
        both = isinstance(start, str) and isinstance(end, str) and start and end
        return "The first day must lie before the last one." if both and start[:10] >= end[:10] else None
    numbers = list(_two(window[kind])) if kind == "between_days_ago" else [window[kind]]
    wrong = next((number for number in numbers if isinstance(number, bool) or not isinstance(number, int)), None)
    if wrong is not None:
        return f"“{shown(wrong)[:30]}” is no whole number. Write for example 90."
    if kind == "between_days_ago" and numbers[0] >= numbers[1]:
        return "The first number must be the smaller one: fewer days ago."
    return None

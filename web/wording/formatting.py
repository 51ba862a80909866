"""How does Winback write a number, an amount or a date for people?

Owns every format of UX section 5: "€1,500", "8.6 %", "+3.2 points", "about 267 (95 %: 110 to 398)", "9 Oct"; German by
`language="de"`. Pure: today, zone and language are arguments. The promise: one spelling everywhere, a true minus sign,
no-break spaces inside a value, and a dash for what is undefined (None or nan), never a silent 0.
"""

import math
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_decimal

from core.money import MINUS, NBSP, amount_words, minor_places, with_currency

NONE = "\N{EN DASH}"

_LOCALES = {"en": "en_GB", "de": "de_DE"}
_WORDS = {
    "en": {"about": "about", "to": "to", "points": "points", "today": "today"},
    "de": {"about": "etwa", "to": "bis", "points": "Punkte", "today": "heute"},
}


def _locale(language: str) -> str:
    return _LOCALES.get(language, _LOCALES["en"])


def _word(name: str, language: str) -> str:
    return _WORDS.get(language, _WORDS["en"])[name]


def _undefined(value: float | Decimal | None) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def number(value: float | Decimal | None, *, decimals: int = 0, signed: bool = False, language: str = "en") -> str:
    """Return `value` with `decimals` places, grouped, with a true minus, and a plus when `signed` and above zero."""
    if _undefined(value) or value is None:
        return NONE
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    text = format_decimal(abs(exact), format=pattern, locale=_locale(language))
    return _sign(exact, signed) + str(text)


def _sign(value: Decimal, signed: bool) -> str:
    if value < 0:
        return MINUS
    return "+" if signed and value > 0 else ""


def count(value: int | None, *, language: str = "en") -> str:
    """Return a whole number of people or things: "8,399"."""
    return number(value, language=language)


def money(
    cents: float | None, *, currency: str = "EUR", exact: bool = False, signed: bool = False, language: str = "en"
) -> str:
    """Return an amount in minor units as text: whole above 100 ("€1,500"), two places below ("€41.20").

    `exact` keeps the minor units of large amounts too: an order is "€1,240.00", an estimate is not.
    """
    if _undefined(cents) or cents is None:
        return NONE
    return amount_words(Decimal(str(cents)), currency, minor="always" if exact else "small", signed=signed,
                        language=language)


def money_short(cents: float | None, *, currency: str = "EUR", signed: bool = False, language: str = "en") -> str:
    """Return a rounded amount for axes and narrow columns: "€9.4k", "€28.1M"; small amounts stay as they are."""
    if _undefined(cents) or cents is None:
        return NONE
    major = Decimal(str(cents)).scaleb(-minor_places(currency))
    for size, english, german in ((1_000_000, "M", "Mio."), (1_000, "k", "Tsd.")):
        if abs(major) >= size:
            part = abs(major) / size
            text = number(part, decimals=0 if part == part.to_integral_value() else 1, language=language)
            scaled = f"{text}{NBSP}{german}" if language == "de" else f"{text}{english}"
            return _sign(major, signed) + with_currency(scaled, currency, language=language)
    places = 0 if major == major.to_integral_value() else minor_places(currency)
    return _sign(major, signed) + with_currency(
        number(abs(major), decimals=places, language=language), currency, language=language)


def rate(value: float | None, *, decimals: int = 1, language: str = "en") -> str:
    """Return a rate 0..1 in per cent, one decimal: "8.6 %"."""
    if _undefined(value) or value is None:
        return NONE
    return f"{number(Decimal(str(value)) * 100, decimals=decimals, language=language)}{NBSP}%"


def points(value: float | None, *, decimals: int = 1, short: bool = False, language: str = "en") -> str:
    """Return a difference of two rates (0..1) in percentage points, signed: "+3.2 points" ("+3.2 pts" if `short`)."""
    if _undefined(value) or value is None:
        return NONE
    text = number(Decimal(str(value)) * 100, decimals=decimals, signed=True, language=language)
    return f"{text}{NBSP}{'pts' if short and language != 'de' else _word('points', language)}"


def span(low: str, high: str, *, language: str = "en") -> str:
    """Join two formatted ends: "110 to 398"; a unit that both share is written once: "7.1 to 8.8 %"."""
    unit = low.rpartition(NBSP)[2]
    if NBSP in low and high.endswith(NBSP + unit) and not unit[:1].isdigit():
        low = low.removesuffix(NBSP + unit)
    return f"{low} {_word('to', language)} {high}"


def level_range(low: str, high: str, *, level: float = 0.95, language: str = "en") -> str:
    """Return a range with its level in brackets: "(95 %: 110 to 398)"."""
    return f"({rate(level, decimals=0, language=language)}: {span(low, high, language=language)})"


def estimate(value: str, low: str, high: str, *, level: float = 0.95, language: str = "en") -> str:
    """Return an estimate as it is spoken: "about 267 (95 %: 110 to 398)"."""
    return f"{_word('about', language)} {value} {level_range(low, high, level=level, language=language)}"


def p_value(value: float | None, *, language: str = "en") -> str:
    """Return a p-value as "0.026", "0.16", or "< 0.001"."""
    if _undefined(value) or value is None:
        return NONE
    if value < 0.001:
        return f"<{NBSP}{number(0.001, decimals=3, language=language)}"
    if value > 0.99:
        return f">{NBSP}{number(0.99, decimals=2, language=language)}"
    return number(value, decimals=3 if value < 0.1 else 2, language=language)


def _local(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return moment.astimezone(ZoneInfo(zone))


def local_date(value: datetime, zone: str) -> date:
    """The calendar day of an instant in `zone`."""
    return _local(value, zone).date()


def day(value: date | datetime | None, *, today: date, zone: str = "UTC", language: str = "en") -> str:
    """Return a date as "9 Oct", with its year when that is not the year of `today`. Instants are shown in `zone`."""
    if value is None:
        return NONE
    local = _local(value, zone).date() if isinstance(value, datetime) else value
    if language == "de":
        return format_date(local, "d. MMM" if local.year == today.year else "d. MMM y", locale="de_DE")
    month = "Sep" if local.month == 9 else format_date(local, "MMM", locale="en_GB")
    return f"{local.day} {month}" + ("" if local.year == today.year else f" {local.year}")


def long_day(value: date, *, language: str = "en") -> str:
    """Return a date as a headline: "Tuesday, 24 November"."""
    return format_date(value, "EEEE, d. MMMM" if language == "de" else "EEEE, d MMMM", locale=_locale(language))


def month(value: date, *, language: str = "en") -> str:
    """Return the month of a date: "November 2026"."""
    return str(format_skeleton("yMMMM", value, locale=_locale(language)))


def clock_time(value: datetime | None, *, zone: str = "UTC", seconds: bool = False, language: str = "en") -> str:
    """Return the time of day of an instant in `zone`: "10:42", or "10:42:07" with `seconds`."""
    if value is None:
        return NONE
    return format_time(_local(value, zone), "HH:mm:ss" if seconds else "HH:mm", locale=_locale(language))


def moment(value: datetime | None, *, now: datetime, zone: str = "UTC", language: str = "en") -> str:
    """Return an instant as "today 15:00" or "9 Oct 15:00" in `zone`."""
    if value is None:
        return NONE
    today = _local(now, zone).date()
    is_today = _local(value, zone).date() == today
    start = _word("today", language) if is_today else day(value, today=today, zone=zone, language=language)
    return f"{start} {clock_time(value, zone=zone, language=language)}"


def machine_time(value: datetime) -> str:
    """Return an instant for a `datetime` attribute: ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

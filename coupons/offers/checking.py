"""May these terms be an offer's, and if not, which field is wrong and how is it mended?

Owns the fields an offer is made of, what each may hold, and the rules between them. Every door saves through it, so
page, API and command line refuse the same things with the same sentence. Raises Invalid whose place is the field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict
from zoneinfo import available_timezones

from core.codes import ALPHABET
from core.errors import Invalid
from core.money import is_currency
from coupons.offers.discount import MAX_CENTS

KINDS = ("percent", "fixed", "fixed_price", "free_item", "free_shipping")
HOLDERS = ("enforce", "flag", "off")
PERIODS = ("day", "week", "month")
_WORTH_OF = {"percent": ("percent",), "fixed": ("amount_cents",), "fixed_price": ("price_cents",),
             "free_item": ("free_skus", "free_items"), "free_shipping": ()}
_PAIRS = (("categories", "excluded_categories"), ("skus", "excluded_skus"), ("brands", "excluded_brands"))
_CURRENCY = re.compile(r"[A-Z]{3}")
_CLASS = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_CLOCK = re.compile(r"(\d\d?):([0-5]\d)", re.ASCII)
_LARGEST_COUNT = 2**31 - 1
_MOST_NAMES = 2000
_LEAST_RANDOM = 8
"""Random symbols in a pattern: 40 bits, a million million codes."""
_ZONES = available_timezones()


class Given(TypedDict, total=False):
    """An offer's terms as a door gives them; left out means the default. Columns of `coupons/models.py`, but `percent`.
    """

    name: str
    kind: str
    percent: Decimal | float | int | str | None
    amount_cents: int | None
    price_cents: int | None
    free_skus: Sequence[str]
    free_items: int | None
    currency: str
    minimum_cents: int | None
    minimum_items: int | None
    cap_cents: int | None
    categories: Sequence[str]
    excluded_categories: Sequence[str]
    skus: Sequence[str]
    excluded_skus: Sequence[str]
    brands: Sequence[str]
    excluded_brands: Sequence[str]
    shops: Sequence[str]
    excludes_sale: bool
    first_order_only: bool
    offer_class: str
    combines: str
    combines_with: Sequence[str]
    limit_per_code: int
    limit_per_customer: int | None
    customer_period: str | None
    customer_is: str
    limit_total: int | None
    limit_per_day: int | None
    limit_per_week: int | None
    limit_per_month: int | None
    budget_cents: int | None
    budget_per_day_cents: int | None
    budget_per_week_cents: int | None
    budget_per_month_cents: int | None
    valid_days: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    weekdays: Sequence[int]
    from_minute: int | None
    until_minute: int | None
    zone: str
    holder: str | None
    return_rule: str
    prefix: str
    pattern: str
    active: bool


def checked_terms(given: Given) -> dict[str, Any]:
    """Every column of an offer that its terms set, from what a door gave; `holder` None where nothing was said.

    Raises Invalid naming the field.
    """
    terms = {field: check(given.get(field, default), field) for field, (default, check) in _FIELDS.items()}
    _check_worth(terms)
    for wanted, unwanted in _PAIRS:
        both = {name.casefold() for name in terms[wanted]} & {name.casefold() for name in terms[unwanted]}
        if both:
            raise Invalid(f"{min(both)} is both included and excluded; decide for one.", place=unwanted)
    _check_between(terms)
    percent = terms.pop("percent")
    return {**terms, "percent_bp": None if percent is None else int(percent * 100)}


def minute_of(text: str, place: str) -> int:
    """The minute of the day that HH:MM names; 24:00 is 1440. Raises Invalid."""
    found = _CLOCK.fullmatch(text.strip())
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minute <= 1440:
        raise Invalid("Write a time of day such as 18:30.", place=place)
    return minute


def _check_worth(terms: dict[str, Any]) -> None:
    kind = terms["kind"]
    if kind == "free_item" and terms["free_items"] is None:
        terms["free_items"] = 1
    for other, fields in _WORTH_OF.items():
        for field in fields:
            given = terms[field] not in (None, [])
            if other != kind and given:
                raise Invalid(f"A {_KIND_WORDS[kind]} offer has no {_WORTH_WORDS[field]}; leave it out.", place=field)
            if other == kind and not given:
                raise Invalid(_MISSING[field], place=field)


def _check_between(terms: Mapping[str, Any]) -> None:
    """The rules between fields."""
    start, end = terms["valid_from"], terms["valid_until"]
    if start is not None and end is not None and end <= start:
        raise Invalid("The end must lie after the beginning.", place="valid_until")
    if (terms["from_minute"] is None) != (terms["until_minute"] is None):
        missing = "from_minute" if terms["from_minute"] is None else "until_minute"
        raise Invalid("Hours need a beginning and an end; leave both out for the whole day.", place=missing)
    if terms["from_minute"] is not None and terms["from_minute"] == terms["until_minute"] % 1440:
        raise Invalid("These hours are the whole day; leave both out.", place="until_minute")
    if terms["pattern"] and terms["prefix"]:
        raise Invalid("A pattern says it all: put the letters into the pattern and leave the prefix empty.",
                      place="prefix")
    if terms["combines"] == "classes" and not terms["combines_with"]:
        raise Invalid("Name at least one class of offers that this one goes with.", place="combines_with")
    if terms["combines"] != "classes" and terms["combines_with"]:
        raise Invalid("Classes are named only where the offer goes with some classes.", place="combines_with")
    if terms["customer_period"] is not None and terms["limit_per_customer"] is None:
        raise Invalid("Say how many uses a customer has in that time.", place="limit_per_customer")
    no_minimum = terms["minimum_cents"] is None and terms["minimum_items"] is None
    if terms["return_rule"] != "keep" and no_minimum:
        raise Invalid("There is no minimum that a return could fall below; set one, or keep the discount.",
                      place="return_rule")


def _whole(least: int, most: int) -> Callable[[Any, str], int | None]:
    def check(value: Any, place: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"Use a whole number from {least} to {most}.", place=place)
        return value
    return check


def _one_of(*words: str) -> Callable[[Any, str], str]:
    def check(value: Any, place: str) -> str:
        if value not in words:
            raise Invalid(f"Use {', '.join(words[:-1])} or {words[-1]}.", place=place)
        return str(value)
    return check


def _none_or(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, place: None if value is None else check(value, place)


def _currency(value: Any, place: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise Invalid("Use three capital letters, for example EUR.", place=place)
    if not is_currency(value):
        raise Invalid(f"{value} is not a currency. Use the three letters of one, for example EUR or CHF.", place=place)
    return str(value)


def _percent(value: Any, place: str) -> Decimal | None:
    if value is None:
        return None
    try:
        percent = Decimal(str(value))
    except InvalidOperation:
        percent = Decimal(-1)
    if not percent.is_finite() or not 0 < percent <= 100 or percent * 100 != int(percent * 100):
        raise Invalid("Use a percentage above 0 and up to 100, with at most two decimals.", place=place)
    return percent


def _name(value: Any, place: str) -> str:
    if not value.strip() or len(value) > 200:
        raise Invalid("Give the offer a name of at most 200 characters.", place=place)
    return str(value.strip())


def _names(longest: int) -> Callable[[Any, str], list[str]]:
    def check(values: Any, place: str) -> list[str]:
        names = list(dict.fromkeys(value.strip() for value in values))
        if any(not name or len(name) > longest for name in names):
            raise Invalid(f"Each name here has 1 to {longest} characters.", place=place)
        if len(names) > _MOST_NAMES:
            raise Invalid(f"Name at most {_MOST_NAMES}; more are better told by their category or brand.", place=place)
        return names
    return check


_CLASS_WORDS = "Use small letters, digits and dashes for a class of offers, for example freight."


def _one_class(value: Any, place: str) -> str:
    if not _CLASS.fullmatch(value):
        raise Invalid(_CLASS_WORDS, place=place)
    return str(value)


def _classes(values: Any, place: str) -> list[str]:
    return list(dict.fromkeys(_one_class(value.strip(), place) for value in values))


def _instant(value: Any, place: str) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise Invalid("Give the instant with its time zone.", place=place)
    if not 2000 <= value.year <= 2200:
        raise Invalid("Use a year from 2000 to 2200.", place=place)
    checked: datetime = value
    return checked


def _weekdays(values: Any, place: str) -> list[int]:
    if any(isinstance(day, bool) or day not in range(1, 8) for day in values):
        raise Invalid("Weekdays are numbers from 1, Monday, to 7, Sunday.", place=place)
    days = sorted(set(values))
    return [] if len(days) == 7 else days


def _zone(value: Any, place: str) -> str:
    if value not in _ZONES:
        raise Invalid("There is no such time zone. Use one such as Europe/Berlin.", place=place)
    return str(value)


def _prefix(value: Any, place: str) -> str:
    plain = value.strip().upper()
    if len(plain) > 12 or any(symbol not in ALPHABET for symbol in plain):
        raise Invalid("Use up to 12 letters and digits without I, L, O and U, which are misread.", place=place)
    return str(plain)


def _pattern(value: Any, place: str) -> str:
    plain = value.strip().upper()
    if len(plain) > 40 or any(symbol not in ALPHABET and symbol not in "#-" for symbol in plain):
        raise Invalid("Use up to 40 signs: # for a random one, dashes, and letters and digits without I, L, O and U, "
                      "which are misread.", place=place)
    if plain and plain.count("#") < _LEAST_RANDOM:
        raise Invalid(f"Use at least {_LEAST_RANDOM} # so that nobody can guess a code.", place=place)
    return str(plain)


def _as_is(value: Any, _place: str) -> Any:
    return value


def _required(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, place: check("" if value is None else value, place)


_cents, _count = _whole(1, MAX_CENTS), _whole(1, _LARGEST_COUNT)
_texts = _names(200)
_FIELDS: dict[str, tuple[Any, Callable[[Any, str], Any]]] = {
    "name": ("", _name), "kind": ("", _one_of(*KINDS)), "percent": (None, _percent),
    "amount_cents": (None, _cents), "price_cents": (None, _cents), "free_skus": ((), _names(100)),
    "free_items": (None, _whole(1, 1000)),
    "currency": ("EUR", _currency),
    "minimum_cents": (None, _cents), "minimum_items": (None, _whole(1, 10_000)), "cap_cents": (None, _cents),
    "categories": ((), _texts), "excluded_categories": ((), _texts), "skus": ((), _names(100)),
    "excluded_skus": ((), _names(100)), "brands": ((), _texts), "excluded_brands": ((), _texts),
    "shops": ((), _names(100)),
    "excludes_sale": (False, _as_is), "first_order_only": (False, _as_is),
    "offer_class": ("", lambda value, place: value and _one_class(value, place)),
    "combines": ("any", _one_of("any", "none", "classes")), "combines_with": ((), _classes),
    "limit_per_code": (1, _required(_count)), "limit_per_customer": (None, _count),
    "customer_period": (None, _none_or(_one_of(*PERIODS))), "customer_is": ("id", _one_of("id", "email", "address")),
    "limit_total": (None, _cents), "limit_per_day": (None, _cents), "limit_per_week": (None, _cents),
    "limit_per_month": (None, _cents), "budget_cents": (None, _cents), "budget_per_day_cents": (None, _cents),
    "budget_per_week_cents": (None, _cents), "budget_per_month_cents": (None, _cents),
    "valid_days": (None, _whole(1, 3650)), "valid_from": (None, _instant), "valid_until": (None, _instant),
    "weekdays": ((), _weekdays), "from_minute": (None, _whole(0, 1439)), "until_minute": (None, _whole(1, 1440)),
    "zone": ("UTC", _zone), "holder": (None, _none_or(_one_of(*HOLDERS))),
    "return_rule": ("keep", _one_of("keep", "recalculate", "reverse")), "prefix": ("", _prefix),
    "pattern": ("", _pattern),
    "active": (True, _as_is),
}
_KIND_WORDS = {"percent": "percent", "fixed": "fixed", "fixed_price": "fixed price", "free_item": "free item",
               "free_shipping": "free shipping"}
_WORTH_WORDS = {"percent": "percentage", "amount_cents": "fixed amount", "price_cents": "price of the goods",
                "free_skus": "free products", "free_items": "number of free products"}
_MISSING = {
    "percent": "Use a percentage above 0 and up to 100, with at most two decimals.",
    "amount_cents": "Say how many cents the offer takes off.",
    "price_cents": "Say how many cents the covered goods cost together.",
    "free_skus": "Name at least one product that is free.",
    "free_items": "Say how many pieces are free.",
}

"""How does an address stand on an envelope?

Owns the lines of a postal address by DIN 5008: no blank lines, abroad the town and the country in capitals and the
country last, in a language that the sender's own post reads, and the postal code where the destination's post looks
for it. The promise: the same address always gives the same lines, and none is dropped.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, UnknownLocaleError

ADDRESS_LINES_LIMIT = 6
"""Lines that the address zone of the window holds."""

# Where the code does not stand before the town (Universal Postal Union, "Addressing systems", sheets by country).
_CODE_BELOW = frozenset(("GB", "IE", "GG", "JE", "IM", "GI", "ZA", "UA"))
_CODE_AFTER = frozenset(("US", "CA", "AU", "NZ", "IN", "SG", "PR", "LV", "TH", "KR"))
_WITHOUT_CODE = frozenset(("AE", "HK", "QA", "BS", "AO", "BW", "FJ", "GH", "IE", "UG", "ZW"))
# What people write before a code by an old habit; DIN 5008 leaves it out. Elsewhere (LV-, LT-) it is part of the code.
_OLD_PREFIX = {"DE": "D|DE", "AT": "A|AT", "CH": "CH", "LI": "FL|LI", "FR": "F|FR", "IT": "I|IT", "NL": "NL",
               "BE": "B|BE", "LU": "L|LU", "DK": "DK", "PL": "PL", "CZ": "CZ", "ES": "E|ES"}
_GERMAN_POST = frozenset(("DE", "AT", "CH", "LI"))
_ALIASES = {"UK": "GB", "EL": "GR", "D": "DE", "A": "AT", "F": "FR", "I": "IT"}


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where a letter goes. `country` is a two-letter code or a name; empty means the sender's own."""

    name: str
    street: str
    postal_code: str
    city: str
    country: str = ""
    company: str = ""
    addition: str = ""


def address_lines(to: PostalAddress, *, sender_country: str = "DE") -> tuple[str, ...]:
    """Return the lines of an address without blank ones; a foreign country stands last, in capitals."""
    home = country_code(sender_country)
    country = one_line(to.country)
    code = country_code(country) or ("" if country else home)
    abroad = bool(country) and code != home
    town = _capitals(one_line(to.city), code) if abroad else one_line(to.city)
    who = [one_line(part) for part in (to.company, to.name, to.addition, to.street)]
    last = [country_name(country, language="de" if home in _GERMAN_POST else "en").upper()] if abroad else []
    place = _place(town, _postal_code(to.postal_code, code), code)
    lines = tuple(line for line in (*who, *place, *last) if line)
    if len(lines) > ADDRESS_LINES_LIMIT and len(place) > 1:
        lines = tuple(line for line in (*who, " ".join(place), *last) if line)
    return lines


def address_errors(to: PostalAddress, lines: Sequence[str]) -> list[str]:
    """Say what keeps this address from being delivered or from fitting the window."""
    needed = {
        "a name": to.name or to.company,
        "a street": to.street,
        "a postal code": to.postal_code or ("none" if has_no_postal_codes(to.country) else ""),
        "a city": to.city,
    }
    missing = [what for what, given in needed.items() if not one_line(given)]
    if missing:
        return [f"the address lacks {' and '.join(missing)}; complete it at the customer."]
    if len(lines) > ADDRESS_LINES_LIMIT:
        return [f"the address has {len(lines)} lines, the window holds {ADDRESS_LINES_LIMIT}; shorten the address."]
    return []


def has_no_postal_codes(country: str) -> bool:
    """Whether letters to this country go without a postal code (in Ireland they may)."""
    return country_code(one_line(country)) in _WITHOUT_CODE


@lru_cache(maxsize=1024)
def country_name(country: str, *, language: str = "en") -> str:
    """Return the name of a country given by its code or by a name we know; another name is returned as it is."""
    return str(_territories(language).get(country_code(country), country))


@lru_cache(maxsize=1024)
def country_code(country: str) -> str:
    """Return the two-letter code of a country given by code or by its name in English, German or French, else ""."""
    given = country.strip().upper()
    given = _ALIASES.get(given, given)
    return given if given in _territories("en") and len(given) == 2 else _codes_by_name().get(country.casefold(), "")


@lru_cache(maxsize=1)
def _codes_by_name() -> dict[str, str]:
    return {str(name).casefold(): code for language in ("fr", "de", "en")
            for code, name in _territories(language).items() if len(code) == 2 and code.isalpha()}


def _territories(language: str) -> dict[str, str]:
    try:
        return dict(Locale.parse(language[:2].lower()).territories)
    except (UnknownLocaleError, ValueError):
        return dict(Locale.parse("en").territories)


def one_line(text: str) -> str:
    """Put a text into one line: runs of white space and control signs become one space."""
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()


def _postal_code(given: str, country: str) -> str:
    code = one_line(given)
    prefix = _OLD_PREFIX.get(country)
    return re.sub(rf"^(?:{prefix})[- ]+(?=\d)", "", code, flags=re.IGNORECASE) if prefix else code


def _place(town: str, code: str, country: str) -> tuple[str, ...]:
    if country in _CODE_BELOW:
        return (town, code)
    if country in _CODE_AFTER:
        return (", ".join(part for part in (town, code) if part) if country == "LV" else f"{town} {code}".strip(),)
    return (f"{code} {town}".strip(),)


def _capitals(text: str, country: str) -> str:
    """Capitals as the country writes them: a Turkish i keeps its dot."""
    return (text.replace("i", "İ").replace("ı", "I") if country in ("TR", "AZ") else text).upper()

"""When do two spellings mean the same address?

Owns the normal forms of e-mail addresses, phone numbers, postal addresses, countries, languages and time zones. The
promise: what search and suppression compare has been through here, so that spaces, capitals and national dialling
forms do not let a blocked address slip through. Nothing here asks the network.
"""

import contextlib
import re
import zoneinfo
from functools import cache, lru_cache

import phonenumbers
from babel import Locale
from email_validator import EmailNotValidError, validate_email

from core.errors import Invalid

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
LONGEST_EMAIL = 254


@lru_cache(maxsize=4096)
def normal_email(text: str) -> str:
    """The e-mail address as it is stored: domain in lower case. Raises Invalid when it cannot be one."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise Invalid(f"{text[:80]!r} is not an e-mail address: {str(error).rstrip('.')}.") from error


def email_lookup(email: str) -> str:
    """What two spellings of one e-mail address have in common."""
    local, _, domain = email.strip().rpartition("@")
    with contextlib.suppress(UnicodeError):  # an address we would not accept today is compared as it stands
        domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}".casefold()


@lru_cache(maxsize=4096)
def normal_phone(text: str, country: str | None) -> str:
    """The phone number in international form (+49301234567); national forms need the country. Raises Invalid."""
    shown = text[:80]
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        if country is None and not text.strip().startswith("+"):
            raise Invalid(
                f"{shown!r} needs its country: write it with + and the country's code, or give the country."
            ) from error
        raise Invalid(f"{shown!r} is not a phone number.") from error
    if not phonenumbers.is_possible_number(number):
        raise Invalid(f"{shown!r} is not a possible phone number{f' in {country}' if country else ''}.")
    formatted: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return formatted


def letter_lookup(*parts: str | None) -> str:
    """What two spellings of one person's postal address have in common: name, street, postal code, country."""
    return "|".join(re.sub(r"[\W_]+", " ", part or "").strip().casefold() for part in parts)[:320]


@cache
def _countries() -> frozenset[str]:
    codes = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in codes if re.fullmatch("[A-Z]{2}", code)) - {"ZZ", "EU", "UN"}


def normal_country(text: str) -> str:
    """The two-letter ISO 3166 code in capitals. Raises Invalid for anything else."""
    code = text.strip().upper()
    if code not in _countries():
        raise Invalid(f"{text[:40]!r} is not a two-letter country code such as DE or AT.")
    return code


def normal_language(text: str) -> str:
    """A language tag in lower case (de, en-gb). Raises Invalid for anything else."""
    tag = text.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag) or len(tag) > 16:
        raise Invalid(f"{text[:40]!r} is not a language such as de or en-GB.")
    return tag


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def normal_timezone(text: str) -> str:
    """An IANA time zone name. Raises Invalid for anything else."""
    name = text.strip()
    if name not in _timezones():
        raise Invalid(f"{text[:64]!r} is not a time zone such as Europe/Berlin.")
    return name

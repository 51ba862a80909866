"""Who writes to the customers, in the shop's own words?

Owns the one sender profile: name, postal address, e-mail sender, reply and unsubscribe addresses. The promise: what is
stored can stand in a mail's head and on a letter; until somebody saves one, the name says that it is missing.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from core.errors import Invalid
from customers.identity import normal_country, normal_email
from delivery.models import SenderProfile
from delivery.settings import DeliverySettings, Shop

ONLY = 1
LONGEST_NAME = 100
LONGEST_LINE = 60
MOST_LINES = 4
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True)
class Profile:
    """The sender as mails and letters name it; empty texts: not set."""

    shop_name: str = "The shop"
    shop_url: str = ""
    address_lines: tuple[str, ...] = ()
    country: str = "DE"
    sender_name: str = "The shop"
    sender_address: str = "shop@shop.example"
    reply_to: str = ""
    unsubscribe_mailto: str = ""

    @property
    def shop(self) -> Shop:
        """The shop as the templates see it."""
        return Shop(self.shop_name, self.shop_url, self.address_lines, self.country)


def get_profile(session: Session) -> Profile:
    """The stored profile, or the one of an installation that has none yet."""
    row = session.get(SenderProfile, ONLY)
    if row is None:
        return Profile()
    return Profile(row.shop_name, row.shop_url, tuple(row.address_lines), row.country, row.sender_name,
                   row.sender_address, row.reply_to, row.unsubscribe_mailto)


def settings_with_profile(session: Session, *, secret_key: str, base_url: str) -> DeliverySettings:
    """What sending needs to know: the installation's key and address, and the shop's profile."""
    profile = get_profile(session)
    return DeliverySettings(
        secret_key=secret_key, base_url=base_url, shop=profile.shop, sender_name=profile.sender_name,
        sender_address=profile.sender_address, reply_to=profile.reply_to,
        unsubscribe_mailto=profile.unsubscribe_mailto)


def is_saved(session: Session) -> bool:
    """Whether anybody has ever saved a profile."""
    return session.get(SenderProfile, ONLY) is not None


def save_profile(session: Session, profile: Profile, *, now: datetime) -> Profile:
    """Store the profile, checked and tidied; returns it as stored. Raises Invalid with the field as place."""
    lines = tuple(_line(line, "address_lines", LONGEST_LINE) for line in profile.address_lines if line.strip())
    if len(lines) > MOST_LINES:
        raise Invalid(f"A letter's head has room for {MOST_LINES} lines.", place="address_lines")
    checked = Profile(
        _name(profile.shop_name, "shop_name"), _url(profile.shop_url), lines, _country(profile.country),
        _name(profile.sender_name, "sender_name"), _email(profile.sender_address, "sender_address"),
        _email(profile.reply_to, "reply_to") if profile.reply_to.strip() else "",
        _email(profile.unsubscribe_mailto, "unsubscribe_mailto") if profile.unsubscribe_mailto.strip() else "")
    row = session.get(SenderProfile, ONLY) or SenderProfile(id=ONLY)
    for name, value in checked.__dict__.items():
        setattr(row, name, list(value) if name == "address_lines" else value)
    row.updated_at = now
    session.add(row)
    session.flush()
    return checked


def _line(text: str, place: str, longest: int) -> str:
    plain = text.strip()
    if _BREAKS.search(plain):
        raise Invalid("This is one line; it holds characters that are no text.", place=place)
    if len(plain) > longest:
        raise Invalid(f"Use at most {longest} characters.", place=place)
    return plain


def _name(text: str, place: str) -> str:
    plain = _line(text, place, LONGEST_NAME)
    if not plain:
        raise Invalid("Write the name that customers know.", place=place)
    return plain


def _email(text: str, place: str) -> str:
    try:
        return normal_email(text)
    except Invalid as error:
        raise Invalid(error.message, place=place) from error


def _country(text: str) -> str:
    try:
        return normal_country(text)
    except Invalid as error:
        raise Invalid(error.message, place="country") from error


def _url(text: str) -> str:
    plain = _line(text, "shop_url", 300)
    if not plain:
        return ""
    try:
        parts = urlsplit(plain)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        fits = False
    if not fits:
        raise Invalid("Write the whole address, such as https://shop.example.", place="shop_url")
    return plain

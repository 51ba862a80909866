"""How is an offer said in a few words, and how are its money, days and lists written?

Owns `offer_words`, the short phrase ("10 % off furniture from €150"), in English and German, and the spelling that the
conditions in `conditions.py` share. `names` gives products the name that customers know; others keep their
number.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

from core.money import NBSP, amount_words
from coupons.models import Offer

_LOCALES = {"en": "en_GB", "de": "de_DE"}
_FEW = 3


def offer_words(offer: Offer, language: str = "en", *, names: Mapping[str, str] | None = None) -> str:
    """The offer in a few words: "10 % off furniture from €150", "10 % auf furniture ab 150 €"."""
    german = language == "de"
    words = _worth(offer, _goods(offer, language, names or {}), language, names or {})
    if offer.minimum_cents is not None:
        words += f" {'ab' if german else 'from'} {money(offer.minimum_cents, offer.currency, language)}"
    elif offer.minimum_items is not None:
        words += f" ab {offer.minimum_items} Stück" if german else f" from {offer.minimum_items} items"
    return words


def _worth(offer: Offer, goods: str, language: str, names: Mapping[str, str]) -> str:
    german = language == "de"
    if offer.kind == "free_shipping":
        words = "kostenloser Versand" if german else "free shipping"
        return f"{words} {'für' if german else 'on'} {goods}" if goods else words
    if offer.kind == "free_item":
        shown = [names.get(sku, sku) for sku in offer.free_skus[:_FEW]]
        if len(offer.free_skus) > _FEW:
            shown[-1] = "anderes" if german else "others"
        pieces = f"{offer.free_items} × " if (offer.free_items or 1) > 1 else ""
        beside = f" {'zu' if german else 'with'} {goods}" if goods else ""
        gift = listed(shown, language, last="oder" if german else "or")
        return f"{pieces}{gift} {'gratis' if german else 'free'}{beside}"
    if offer.kind == "fixed_price":
        price = money(offer.price_cents or 0, offer.currency, language)
        return f"{goods or ('alles' if german else 'everything')} {'für' if german else 'for'} {price}"
    worth = (percentage(offer.percent_bp, language) if offer.percent_bp is not None
             else money(offer.amount_cents or 0, offer.currency, language))
    if german:
        return f"{worth} auf {goods}" if goods else f"{worth} Rabatt"
    return f"{worth} off {goods}" if goods else f"{worth} off"


def _goods(offer: Offer, language: str, names: Mapping[str, str]) -> str:
    """What it is for, in a few words; empty: everything."""
    chosen = offer.categories or offer.brands or [names.get(sku, sku) for sku in offer.skus]
    if len(chosen) > _FEW and chosen is not offer.categories:
        return "ausgewählte Artikel" if language == "de" else "chosen goods"
    return listed(chosen, language)


def percentage(basis_points: int, language: str) -> str:
    """Hundredths of a percent as people write them: 12.5 %."""
    number = format_decimal(Decimal(basis_points) / 100, format="0.##", locale=_LOCALES.get(language, "en_GB"))
    return f"{number}{NBSP}%"


def money(cents: int, currency: str, language: str) -> str:
    """An amount with its currency; round amounts without decimals."""
    return amount_words(cents, currency, minor="needed", language=language)


def count(number: int, language: str) -> str:
    """A whole number with its thousands apart."""
    return str(format_decimal(number, locale=_LOCALES.get(language, "en_GB")))


def listed(names: Sequence[str], language: str, *, last: str = "") -> str:
    """Names in a row: "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last or ('und' if language == 'de' else 'and')} {names[-1]}"


def moment(instant: datetime, zone: str, language: str) -> str:
    """An instant on the clock of a zone: "1 May 2026, 18:00 (Europe/Berlin time)"."""
    local = instant.astimezone(ZoneInfo(zone))
    day = format_date(local.date(), format="d MMM yyyy" if language != "de" else "d. MMM yyyy",
                      locale=_LOCALES.get(language, "en_GB"))
    clock = f", {local:%H:%M}" + (" Uhr" if language == "de" else "")
    return f"{day}{clock} ({zone_words(zone, language)})"


def clock_text(minute: int) -> str:
    """A minute of the day as HH:MM; 1440 is 24:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def zone_words(zone: str, language: str) -> str:
    """Whose clock it is."""
    if zone == "UTC":
        return "UTC"
    return f"Zeitzone {zone}" if language == "de" else f"{zone} time"

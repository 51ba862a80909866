"""How is an offer said to people, in English and in German?

Owns `offer_words`, the short phrase ("10 % off furniture from €150"), and `offer_terms`, the conditions that are
printed under it, generated from the stored terms so that they never promise something else.
"""

from datetime import datetime
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_precision, get_currency_symbol

from coupons.models import Offer

NBSP = "\N{NO-BREAK SPACE}"
_LOCALES = {"en": "en_GB", "de": "de_DE"}

_TERMS = {
    "minimum": ("For orders of {0} or more, reckoned before this discount.",
                "Ab einem Bestellwert von {0} vor Abzug dieses Rabatts."),
    "cap": ("At most {0} off one order.", "Höchstens {0} Rabatt je Bestellung."),
    "categories": ("For goods from: {0}.", "Für Waren aus: {0}."),
    "excluded": ("Not for goods from: {0}.", "Nicht für Waren aus: {0}."),
    "once": ("Each code can be used once.", "Jeder Code gilt einmal."),
    "often": ("Each code can be used {0} times.", "Jeder Code gilt {0}-mal."),
    "customer_once": ("Once per customer.", "Einmal je Kundin oder Kunde."),
    "customer": ("At most {0} times per customer.", "Höchstens {0}-mal je Kundin oder Kunde."),
    "total": ("Limited to {0} uses in all.", "Insgesamt auf {0} Einlösungen begrenzt."),
    "budget": ("While this offer's budget lasts.", "Solange das Budget dieser Aktion reicht."),
    "days": ("Valid for {0} days.", "{0} Tage gültig."),
    "day": ("Valid for one day.", "Einen Tag gültig."),
    "from": ("Valid from {0} (UTC).", "Gültig ab {0} (UTC)."),
    "until": ("Valid before {0} (UTC).", "Gültig vor dem {0} (UTC)."),
    "holder": ("Only for the person it was sent to.", "Nur für die Person, die den Code erhalten hat."),
}


def offer_words(offer: Offer, language: str = "en") -> str:
    """The offer in a few words: "10 % off furniture from €150", "10 % auf furniture ab 150 €"."""
    german = language == "de"
    worth = _percent(offer.percent_bp, language) if offer.percent_bp is not None else _money(
        offer.amount_cents or 0, offer.currency, language)
    goods = _listed(offer.categories, language)
    if german:
        words = f"{worth} auf {goods}" if goods else f"{worth} Rabatt"
    else:
        words = f"{worth} off {goods}" if goods else f"{worth} off"
    if offer.minimum_cents is not None:
        words += f" {'ab' if german else 'from'} {_money(offer.minimum_cents, offer.currency, language)}"
    return words


def offer_terms(offer: Offer, language: str = "en") -> list[str]:
    """The conditions as sentences, in the order in which they are printed."""
    place = 1 if language == "de" else 0

    def say(name: str, value: object = "") -> str:
        return _TERMS[name][place].format(value)

    found: list[str] = []
    if offer.categories:
        found.append(say("categories", ", ".join(offer.categories)))
    if offer.excluded_categories:
        found.append(say("excluded", ", ".join(offer.excluded_categories)))
    if offer.minimum_cents is not None:
        found.append(say("minimum", _money(offer.minimum_cents, offer.currency, language)))
    if offer.cap_cents is not None:
        found.append(say("cap", _money(offer.cap_cents, offer.currency, language)))
    if offer.valid_days is not None:
        found.append(say("day") if offer.valid_days == 1 else say("days", offer.valid_days))
    if offer.valid_from is not None:
        found.append(say("from", _date(offer.valid_from, language)))
    if offer.valid_until is not None:
        found.append(say("until", _date(offer.valid_until, language)))
    found.append(say("once") if offer.limit_per_code == 1 else say("often", offer.limit_per_code))
    if offer.limit_per_customer is not None:
        found.append(say("customer_once") if offer.limit_per_customer == 1
                     else say("customer", offer.limit_per_customer))
    if offer.limit_total is not None:
        found.append(say("total", format_decimal(offer.limit_total, locale=_LOCALES.get(language, "en_GB"))))
    if offer.budget_cents is not None:
        found.append(say("budget"))
    if offer.holder == "enforce":
        found.append(say("holder"))
    return found


def _percent(basis_points: int, language: str) -> str:
    number = format_decimal(Decimal(basis_points) / 100, format="0.##", locale=_LOCALES.get(language, "en_GB"))
    return f"{number}{NBSP}%"


def _money(cents: int, currency: str, language: str) -> str:
    locale = _LOCALES.get(language, "en_GB")
    places = get_currency_precision(currency)
    major = Decimal(cents).scaleb(-places)
    decimals = "" if major == major.to_integral_value() else "." + "0" * places
    number = format_decimal(major, format="#,##0" + decimals, locale=locale)
    symbol = get_currency_symbol(currency, locale=locale)
    if language == "de":
        return f"{number}{NBSP}{symbol}"
    return f"{symbol}{NBSP if symbol.isalpha() else ''}{number}"


def _listed(names: list[str], language: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {'und' if language == 'de' else 'and'} {names[-1]}"


def _date(instant: datetime, language: str) -> str:
    return str(format_date(instant.date(), format="d MMM yyyy" if language != "de" else "d. MMM yyyy",
                           locale=_LOCALES.get(language, "en_GB")))

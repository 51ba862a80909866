"""Which words does each language use for the parts of a rule?

Owns the phrases and the written form of numbers, money and dates, one table per language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "de": ("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
}
_CHANNELS = {
    "en": {"email": "e-mail", "sms": "SMS"},
    "de": {"email": "E-Mail", "letter": "Brief", "phone": "Telefon", "sms": "SMS", "ads": "Anzeigen"},
}
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}


@dataclass(frozen=True)
class Phrases:
    """The words of one language; `{}` takes what the rule says."""

    language: str
    words: Mapping[str, str]

    def __call__(self, name: str, *values: object) -> str:
        return self.words[name].format(*values)

    def label(self, english: str) -> str:
        return LABELS.get(self.language, {}).get(english, english)

    def channel(self, name: str) -> str:
        return _CHANNELS[self.language].get(name, name)

    def number(self, value: float) -> str:
        text = f"{value:,.15g}" if isinstance(value, float) else f"{value:,}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "de" else text

    def money(self, cents: int, currency: str | None) -> str:
        """Whole units from 100 on, as a report shows them; exact below."""
        exact = cents % 100 and abs(cents) < 10_000
        text = f"{abs(cents) / 100:,.2f}" if exact else f"{(abs(cents) + 50) // 100:,}"
        sign = "−" if cents < 0 else ""
        if self.language == "de":
            german = text.translate(str.maketrans(",.", ".,"))
            return f"{sign}{german} {_SYMBOLS.get(currency or '', currency or '')}".strip()
        symbol = _SYMBOLS.get(currency or "")
        return f"{sign}{symbol}{text}" if symbol else f"{sign}{currency} {text}" if currency else f"{sign}{text}"

    def day(self, value: date, *, year: bool = True) -> str:
        month = _MONTHS[self.language][value.month - 1]
        day = f"{value.day}." if self.language == "de" else f"{value.day}"
        return f"{day} {month} {value.year}" if year else f"{day} {month}"

    def moment(self, value: date) -> str:
        if isinstance(value, datetime) and (value.hour, value.minute, value.second) != (0, 0, 0):
            return f"{self.day(value)}, {value:%H:%M} UTC"
        return self.day(value)

    def listed(self, items: list[str], joint: str) -> str:
        """`a, b or c`, the last two joined by the language's word for `joint` (and, or)."""
        if len(items) > 6:
            items = [*items[:5], self("more", self.number(len(items) - 5))]
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self(joint)} {items[-1]}"


PHRASES = {
    "en": Phrases("en", {
        "everybody": "everybody", "nobody": "nobody", "and": "and", "or": "or", "not": "not ({})", "more": "{} more",
        "start": "People for whom {}", "everybody.": "Everybody", "nobody.": "Nobody",
        "field": "{} {}", "consent": "the newest word on {} {}", "prefers": "the preferred channel is {}",
        "segment": 'the segment "{}" holds', "sample": "chance draws them ({} % at random, \"{}\")",
        "bare": "{} {}", "in": "in {}", "priced": "at {} or more a piece",
        "last_days": "in the last {} days", "last_months": "in the last {} months",
        "last_quarters": "in the last {} quarters", "last_years": "in the last {} years",
        "last_months.whole": "in the {} calendar months before this one",
        "last_quarters.whole": "in the {} calendar quarters before this one",
        "last_years.whole": "in the {} calendar years before this one",
        "between_days_ago": "between {} and {} days ago", "from": "from {} on", "until": "before {}",
        "from_until": "from {} to before {}", "ever": "ever",
        "where.sku": "of article {}", "where.brand": "of brand {}", "where.shop": "in shop {}",
        "where.coupon": "with coupon {}", "where.status": "with status {}", "where.via": "by way of {}",
        "where.currency": "in {}", "where.kind": "of kind {}", "where.direction": "going {}",
        "where.channel": "by {}", "where.campaign": "of campaign {}", "where.offer": "of offer {}",
        "where.arm": "of arm {}", "where.step": "of step {}",
        "true": "yes", "false": "no",
        "evidence": "{} orders worth {}", "evidence.one": "1 order worth {}", "evidence.none": "no orders yet",
        "evidence.last": "last {} {}", "evidence.last.product": "last {} {}, {}",
    }),
    "de": Phrases("de", {
        "everybody": "alle", "nobody": "niemand", "and": "und", "or": "oder", "not": "nicht ({})", "more": "{} weitere",
        "start": "Alle, für die gilt: {}", "everybody.": "Alle", "nobody.": "Niemand",
        "field": "{} {}", "consent": "die letzte Äußerung zu {} {}", "prefers": "der bevorzugte Kanal ist {}",
        "segment": "das Segment „{}“ trifft zu", "sample": "der Zufall wählt sie ({} %, „{}“)",
        "bare": "{} {}", "in": "in {}", "priced": "ab {} je Stück",
        "last_days": "in den letzten {} Tagen", "last_months": "in den letzten {} Monaten",
        "last_quarters": "in den letzten {} Quartalen", "last_years": "in den letzten {} Jahren",
        "last_months.whole": "in den {} Kalendermonaten vor diesem",
        "last_quarters.whole": "in den {} Kalenderquartalen vor diesem",
        "last_years.whole": "in den {} Kalenderjahren vor diesem",
        "between_days_ago": "vor {} bis {} Tagen", "from": "ab dem {}", "until": "vor dem {}",
        "from_until": "vom {} bis vor dem {}", "ever": "jemals",
        "where.sku": "des Artikels {}", "where.brand": "der Marke {}", "where.shop": "im Shop {}",
        "where.coupon": "mit Gutschein {}", "where.status": "mit Status {}", "where.via": "über {}",
        "where.currency": "in {}", "where.kind": "der Art {}", "where.direction": "Richtung {}",
        "where.channel": "per {}", "where.campaign": "der Kampagne {}", "where.offer": "des Angebots {}",
        "where.arm": "der Variante {}", "where.step": "des Schritts {}",
        "true": "ja", "false": "nein",
        "evidence": "{} Bestellungen für {}", "evidence.one": "1 Bestellung für {}",
        "evidence.none": "noch keine Bestellung",
        "evidence.last": "zuletzt {} {}", "evidence.last.product": "zuletzt {} {}, {}",
    }),
}
"""Language -> its phrases."""

LABELS = {
    "de": {
        "customer number": "Kundennummer", "salutation": "Anrede", "first name": "Vorname", "last name": "Nachname",
        "company": "Firma", "birthday": "Geburtstag", "language": "Sprache", "time zone": "Zeitzone",
        "channel asked for": "gewünschter Kanal", "household": "Haushalt", "dunning level": "Mahnstufe",
        "customer since": "Kunde seit", "e-mail address": "E-Mail-Adresse", "phone number": "Telefonnummer",
        "street": "Straße", "postal code": "Postleitzahl", "city": "Ort", "country": "Land",
        "latitude": "Breite", "longitude": "Länge", "orders": "Zahl der Bestellungen", "revenue": "Umsatz",
        "average order value": "mittlerer Bestellwert", "first order": "erste Bestellung",
        "last order": "letzte Bestellung", "items": "Stückzahl", "different products": "verschiedene Artikel",
        "open orders": "offene Bestellungen", "contacts": "Kontakte", "messages sent": "versandte Nachrichten",
        "messages opened": "geöffnete Nachrichten", "messages clicked": "angeklickte Nachrichten",
        "messages bounced": "unzustellbare Nachrichten", "coupons issued": "ausgegebene Gutscheine",
        "coupons redeemed": "eingelöste Gutscheine", "number of orders": "Zahl der Bestellungen",
    },
}
"""Language -> English label of segments/fields.py -> its own; English is the label itself."""

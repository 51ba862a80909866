"""Which words does each language use for the parts of a rule?

Owns the phrases and the written form of numbers, money and dates, one table per language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from core.money import amount_words

_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "de": ("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
}
_CHANNELS = {
    "en": {"email": "e-mail", "letter": "letters", "phone": "calls", "sms": "SMS", "push": "push messages"},
    "de": {"email": "E-Mail", "letter": "Briefe", "phone": "Anrufe", "sms": "SMS", "push": "Push-Nachrichten",
           "ads": "Anzeigen"},
}
_VIA = {
    "en": {"email": "e-mail", "sms": "SMS"},
    "de": {"email": "E-Mail", "letter": "Brief", "phone": "Telefon", "sms": "SMS", "web": "Web"},
}
CONCERNS = {
    "en": {"complaint": "a complaint", "question": "a question", "inquiry": "an inquiry"},
    "de": {"complaint": "einer Beschwerde", "question": "einer Frage", "inquiry": "einer Anfrage"},
}
"""Kinds of contact that the customer seeks, with their article."""


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

    def way(self, name: str) -> str:
        """A channel as one is written to on it: by letter."""
        return _VIA[self.language].get(name, name)

    def times(self, value: float) -> str:
        """once, twice, 3 times."""
        return self.words[f"times.{value}"] if value in (1, 2) else self("times", self.number(value))

    def number(self, value: float) -> str:
        text = (f"{value:,.15g}" if isinstance(value, float) else f"{value:,}").replace("-", "−", 1)
        return text.translate(str.maketrans(",.", ".,")) if self.language == "de" else text

    def money(self, cents: int, currency: str | None, *, rounded: bool = False) -> str:
        """Exact, without cents when there are none; `rounded` to whole units from 100 on, as reports show it."""
        if currency is None:
            return self.number(cents // 100 if cents % 100 == 0 else cents / 100)
        return amount_words(cents, currency, minor="small" if rounded else "needed", language=self.language)

    def day(self, value: date, *, year: bool = True) -> str:
        month = _MONTHS[self.language][value.month - 1]
        day = f"{value.day}." if self.language == "de" else f"{value.day}"
        return f"{day} {month} {value.year}" if year else f"{day} {month}"

    def moment(self, value: date) -> str:
        if isinstance(value, datetime) and (value.hour, value.minute, value.second) != (0, 0, 0):
            return f"{self.day(value)}, {value:%H:%M} UTC"
        return self.day(value)

    def place(self, nth: int, *, beside: bool = False) -> str:
        """Their first order; `beside`: with their first order."""
        name = f"nth.{nth}" if f"nth.{nth}" in self.words else "nth.from end" if nth < 0 else "nth.from start"
        return self(f"with {name}" if beside else name, self.number(abs(nth)))

    def listed(self, items: list[str], joint: str) -> str:
        """`a, b or c`, the last two joined by the language's word for `joint` (and, or)."""
        if not items:
            return self("empty list")
        items = [item or self("empty text") for item in items]
        if len(items) > 6:
            items = [*items[:5], self("more", self.number(len(items) - 5))]
        if len(items) < 2:
            return items[0]
        return f"{', '.join(items[:-1])} {self(joint)} {items[-1]}"


PHRASES = {
    "en": Phrases("en", {
        "start": "Customers who {}", "everybody": "Everybody", "nobody": "Nobody",
        "anybody": "are anybody at all", "nobody at all": "are nobody at all",
        "and": "and", "or": "or", "more": "{} more", "either": "either {}, or {}", "neither": "neither {}",
        "nor": " nor ", "then and": ", and {}", "then but": ", but {}", "then and who": ", and who {}",
        "then but who": ", but who {}", "within and": " and {}", "within but": " but {}",
        "all of": "match all of these: ({})", "any of": "match one of these: ({})",
        "not all of": "do not match all of these: ({})", "none of": "match none of these: ({})",
        "empty list": "nothing at all", "empty text": "no text", "date": "a date {} as their {}",
        "have": "have {}", "have not": "do not have {}", "true": "yes", "false": "no",
        "granted": "allowed", "denied": "refused", "withdrawn": "withdrew",
        "not granted": "allowed", "not denied": "refused", "not withdrawn": "withdrawn",
        "consent": "{1} {0}", "no consent": "have {1} {0}", "not": "not {}",
        "withdrew": "withdrew their consent to {}", "no withdrew": "have not withdrawn their consent to {}",
        "consent empty": "said nothing at all on {}", "no consent empty": "said anything or nothing on {}",
        "consent known": "said yes or no to {}", "no consent known": "never said yes or no to {}",
        "prefers": "prefer {}", "prefers not": "do not prefer {}",
        "segment": "are in the segment {}", "no segment": "are not in the segment {}",
        "near": "live within {} km of {}", "not near": "do not live within {} km of {}",
        "near.point": "latitude {}, longitude {}", "near.any": "one of our stores", "near.store": "the store {}",
        "score": "{} score", "where.property": "with {} {}", "where.relation": "as {}",
        "where.organisation": "at {}", "where.role": "in the role {}",
        "sample": "are in a random {} % ({})", "no sample": "are not in a random {} % ({})",
        "money.at_least": "{} or more", "opposite": "not {}", "only": "(counting only orders {})", "in all": "in all",
        "times": "{} times", "times.between": "{} to {} times",
        "times.1": "once", "times.2": "twice", "fewer": "fewer than {}",
        "last_days": "in the last {} days", "last_months": "in the last {} months",
        "last_quarters": "in the last {} quarters", "last_years": "in the last {} years",
        "last_days.1": "in the last day", "last_months.1": "in the last month",
        "last_quarters.1": "in the last quarter", "last_years.1": "in the last year",
        "last_months.whole": "in the {} calendar months before this one",
        "last_quarters.whole": "in the {} calendar quarters before this one",
        "last_years.whole": "in the {} calendar years before this one",
        "last_months.whole.1": "in the calendar month before this one",
        "last_quarters.whole.1": "in the calendar quarter before this one",
        "last_years.whole.1": "in the calendar year before this one",
        "between_days_ago": "between {} and {} days ago", "from": "from {} on", "until": "before {}",
        "from_until": "from {} to before {}", "something": "something",
        "where.sku": "with article number {}", "where.brand": "of brand {}", "where.price": "at {} or more a piece",
        "where.shop": "in shop {}", "where.coupon": "with coupon {}", "where.status": "with status {}",
        "where.via": "by way of {}", "where.currency": "in {}", "where.kind": "(by {})", "where.concern": "with {}",
        "where.direction": "going {}", "where.channel": "by {}", "where.campaign": "of campaign {}",
        "where.offer": "of offer {}", "where.arm": "of arm {}", "where.step": "of step {}",
        "nth.1": "their first order", "nth.2": "their second order", "nth.3": "their third order",
        "nth.-1": "their last order", "nth.-2": "their last order but one",
        "nth.from start": "their order number {}", "nth.from end": "their order number {} from the end",
        "with nth.1": "with their first order", "with nth.2": "with their second order",
        "with nth.3": "with their third order", "with nth.-1": "with their last order",
        "with nth.-2": "with their last order but one", "with nth.from start": "with their order number {}",
        "with nth.from end": "with their order number {} from the end",
        "placed": "placed {order} {where} {when}", "no placed": "did not place {order} {where} {when}",
        "purchase": "a purchase", "purchase.of": "of {}", "other": "one", "other.any": "another one",
        "no other": "one", "no other.any": "another one",
        "followed": "followed {} with {} {}", "no followed": "did not follow {} with {} {}",
        "left": "left {} without {} {}", "no left": "did not leave {} without {} {}",
        "within_days": "within {} days", "within_days.1": "within 1 day", "for_days": "for {} days",
        "for_days.1": "for 1 day",
        "evidence.near": "{} km from {}",
        "evidence": "{} orders worth {}", "evidence.one": "1 order worth {}", "evidence.none": "no orders yet",
        "evidence.last": "last {} {}", "evidence.last.product": "last {} {}, {}",
        "evidence.net": "{} after returns", "evidence.margin": "margin {}", "evidence.returned": "{} % sent back",
        "evidence.rhythm": "an order every {} days, the last {} days ago",
        "evidence.contacts.count": "last contact {}", "evidence.messages.sent": "last message {}",
        "evidence.messages.opened": "last opened {}", "evidence.messages.clicked": "last clicked {}",
        "evidence.messages.bounced": "last bounce {}", "evidence.coupons.issued": "last coupon {}",
        "evidence.coupons.redeemed": "last coupon redeemed {}",
    }),
    "de": Phrases("de", {
        "start": "Kunden, die {}", "everybody": "Alle", "nobody": "Niemand",
        "anybody": "irgendwer sind", "nobody at all": "niemand sind",
        "and": "und", "or": "oder", "more": "{} weitere", "either": "entweder {} oder {}", "neither": "weder {}",
        "nor": " noch ", "then and": " und {}", "then but": ", aber {}", "then and who": ", und die {}",
        "then but who": ", die aber {}", "within and": " und {}", "within but": " und {}",
        "all of": "all dies erfüllen: ({})", "any of": "eines davon erfüllen: ({})",
        "not all of": "nicht all dies erfüllen: ({})", "none of": "nichts davon erfüllen: ({})",
        "empty list": "gar nichts", "empty text": "kein Text", "date": "einen Tag {} als {}",
        "have": "{} haben", "have not": "nicht {} haben", "true": "ja", "false": "nein",
        "granted": "erlaubt", "denied": "abgelehnt", "withdrawn": "widerrufen",
        "not granted": "erlaubt", "not denied": "abgelehnt", "not withdrawn": "widerrufen",
        "consent": "{0} {1} haben", "no consent": "{0} {1} haben", "not": "nicht {}",
        "withdrew": "die Einwilligung für {} widerrufen haben",
        "no withdrew": "die Einwilligung für {} nicht widerrufen haben",
        "consent empty": "für {} gar nichts gesagt haben", "no consent empty": "für {} etwas oder nichts gesagt haben",
        "consent known": "für {} zu- oder abgesagt haben", "no consent known": "für {} weder zu- noch abgesagt haben",
        "prefers": "{} bevorzugen", "prefers not": "{} nicht bevorzugen",
        "segment": "im Segment {} sind", "no segment": "nicht im Segment {} sind",
        "near": "im Umkreis von {} km um {} wohnen", "not near": "nicht im Umkreis von {} km um {} wohnen",
        "near.point": "Breite {}, Länge {}", "near.any": "eine unserer Filialen", "near.store": "die Filiale {}",
        "score": "Wert {}", "where.property": "mit {} {}", "where.relation": "als {}",
        "where.organisation": "bei {}", "where.role": "in der Rolle {}",
        "sample": "in zufälligen {} % ({}) sind", "no sample": "nicht in zufälligen {} % ({}) sind",
        "money.at_least": "mindestens {}", "opposite": "nicht {}", "only": "(gezählt nur Bestellungen {})",
        "in all": "insgesamt", "times": "{}-mal", "times.between": "{}- bis {}-mal",
        "times.1": "einmal", "times.2": "zweimal", "fewer": "weniger als {}",
        "last_days": "in den letzten {} Tagen", "last_months": "in den letzten {} Monaten",
        "last_quarters": "in den letzten {} Quartalen", "last_years": "in den letzten {} Jahren",
        "last_days.1": "am letzten Tag", "last_months.1": "im letzten Monat",
        "last_quarters.1": "im letzten Quartal", "last_years.1": "im letzten Jahr",
        "last_months.whole": "in den {} Kalendermonaten vor diesem",
        "last_quarters.whole": "in den {} Kalenderquartalen vor diesem",
        "last_years.whole": "in den {} Kalenderjahren vor diesem",
        "last_months.whole.1": "im Kalendermonat vor diesem",
        "last_quarters.whole.1": "im Kalenderquartal vor diesem",
        "last_years.whole.1": "im Kalenderjahr vor diesem",
        "between_days_ago": "vor {} bis {} Tagen", "from": "ab dem {}", "until": "vor dem {}",
        "from_until": "vom {} bis vor dem {}", "something": "etwas",
        "where.sku": "mit der Artikelnummer {}", "where.brand": "der Marke {}", "where.price": "ab {} je Stück",
        "where.shop": "im Shop {}", "where.coupon": "mit Gutschein {}", "where.status": "mit Status {}",
        "where.via": "über {}", "where.currency": "in {}", "where.kind": "(per {})", "where.concern": "mit {}",
        "where.direction": "Richtung {}", "where.channel": "per {}", "where.campaign": "der Kampagne {}",
        "where.offer": "des Angebots {}", "where.arm": "der Variante {}", "where.step": "des Schritts {}",
        "nth.1": "ihre erste Bestellung", "nth.2": "ihre zweite Bestellung", "nth.3": "ihre dritte Bestellung",
        "nth.-1": "ihre letzte Bestellung", "nth.-2": "ihre vorletzte Bestellung",
        "nth.from start": "ihre {}. Bestellung", "nth.from end": "ihre Bestellung Nummer {} vom Ende her",
        "with nth.1": "mit ihrer ersten Bestellung", "with nth.2": "mit ihrer zweiten Bestellung",
        "with nth.3": "mit ihrer dritten Bestellung", "with nth.-1": "mit ihrer letzten Bestellung",
        "with nth.-2": "mit ihrer vorletzten Bestellung", "with nth.from start": "mit ihrer {}. Bestellung",
        "with nth.from end": "mit ihrer Bestellung Nummer {} vom Ende her",
        "placed": "{when} {order} {where} aufgegeben haben",
        "no placed": "{when} {order} {where} nicht aufgegeben haben",
        "purchase": "einen Kauf", "purchase.of": "von {}", "other": "einen", "other.any": "einen weiteren",
        "no other": "keinen", "no other.any": "keinen weiteren",
        "followed": "auf {0} {2} {1} folgen ließen", "no followed": "nicht auf {0} {2} {1} folgen ließen",
        "left": "auf {0} {2} {1} folgen ließen", "no left": "nicht auf {0} {2} {1} folgen ließen",
        "within_days": "binnen {} Tagen", "within_days.1": "binnen 1 Tag", "for_days": "{} Tage lang",
        "for_days.1": "1 Tag lang",
        "evidence.near": "{} km von {}",
        "evidence": "{} Bestellungen für {}", "evidence.one": "1 Bestellung für {}",
        "evidence.none": "noch keine Bestellung",
        "evidence.last": "zuletzt {} {}", "evidence.last.product": "zuletzt {} {}, {}",
        "evidence.net": "{} nach Retouren", "evidence.margin": "Marge {}",
        "evidence.returned": "{} % zurückgeschickt",
        "evidence.rhythm": "alle {} Tage eine Bestellung, zuletzt vor {} Tagen",
        "evidence.contacts.count": "letzter Kontakt {}", "evidence.messages.sent": "letzte Nachricht {}",
        "evidence.messages.opened": "zuletzt geöffnet {}", "evidence.messages.clicked": "zuletzt geklickt {}",
        "evidence.messages.bounced": "zuletzt unzustellbar {}", "evidence.coupons.issued": "letzter Gutschein {}",
        "evidence.coupons.redeemed": "zuletzt Gutschein eingelöst {}",
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
        "latitude": "Breite", "longitude": "Länge", "RFM score": "RFM-Wert", "recency score": "Aktualitätswert",
        "frequency score": "Häufigkeitswert", "monetary score": "Umsatzwert",
        "expected value of the next 12 months": "erwarteter Wert der nächsten 12 Monate",
        "probability of still being a customer": "Wahrscheinlichkeit, noch Kunde zu sein",
        "risk of leaving": "Abwanderungsrisiko",
    },
}
"""Language -> English label of segments/language/fields.py -> its own; English is the label itself."""

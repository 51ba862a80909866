"""Under which conditions does an offer hold, said to the customer in English and German?

Owns `offer_terms`, the conditions printed under an offer, generated from the stored rules so that they never promise
something else. Each teller names the columns it tells; a test walks all columns of an offer and fails for one that no
teller tells and that `UNTOLD` does not excuse.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from babel.dates import get_day_names

from coupons.models import Offer
from coupons.offers.terms import terms_of
from coupons.offers.wording import clock_text, count, listed, moment, money, percentage, zone_words

UNTOLD = {
    "id": "internal", "key": "internal", "name": "the heading above the conditions", "created_at": "internal",
    "updated_at": "internal", "used": "a counter", "spent_cents": "a counter",
    "reserved": "a counter", "reserved_cents": "a counter", "active": "codes that are out stay good",
    "offer_class": "told by the offers that name it", "code_source": "how codes are made",
    "pattern": "seen on the code", "prefix": "seen on the code", "low_stock": "a warning to its owner",
}
"""Columns that a customer need not be told, and why."""


class _Said(NamedTuple):
    """What a teller speaks about: the offer, the place of the language in a pair, and the names of products."""

    offer: Offer
    language: str
    names: Mapping[str, str]

    def __call__(self, english: str, german: str) -> str:
        return german if self.language == "de" else english

    def money(self, cents: int) -> str:
        return money(cents, self.offer.currency, self.language)

    def products(self, skus: list[str]) -> list[str]:
        return [self.names.get(sku, sku) for sku in skus]


def offer_terms(offer: Offer, language: str = "en", *, names: Mapping[str, str] | None = None) -> list[str]:
    """The conditions as sentences, in the order in which they are printed."""
    say = _Said(offer, language, names or {})
    return [sentence for _columns, tell in TELLERS for sentence in tell(say)]


def _worth(say: _Said) -> Iterator[str]:
    offer = say.offer
    if offer.kind == "percent":
        share = percentage(offer.percent_bp or 0, say.language)
        yield say(f"{share} off the price of all goods it covers.",
                  f"{share} auf den Preis aller Waren, für die er gilt.")
    elif offer.kind == "fixed":
        amount = say.money(offer.amount_cents or 0)
        yield say(f"{amount} off the goods it covers, at most their price.",
                  f"{amount} Rabatt auf die Waren, für die er gilt, höchstens deren Preis.")
    elif offer.kind == "fixed_price":
        price = say.money(offer.price_cents or 0)
        yield say(f"All goods it covers cost {price} together.",
                  f"Alle Waren, für die er gilt, kosten zusammen {price}.")
    elif offer.kind == "free_item":
        pieces, products = offer.free_items or 1, ", ".join(say.products(offer.free_skus))
        if len(offer.free_skus) == 1:
            yield say(f"Free once in the basket: {pieces} × {products}.",
                      f"Gratis, sobald im Warenkorb: {pieces} × {products}.")
        else:
            yield say(f"Of these, {pieces} in the basket free, the cheapest first: {products}.",
                      f"Davon {pieces} Stück im Warenkorb gratis, die günstigsten zuerst: {products}.")
    else:
        yield say("Shipping is free.", "Der Versand ist kostenlos.")
    if terms_of(offer).money_matters:
        yield say(f"For orders in {offer.currency}.", f"Für Bestellungen in {offer.currency}.")


def _goods(say: _Said) -> Iterator[str]:
    offer = say.offer
    for names, english, german in (
        (offer.categories, "For goods from", "Für Waren aus"),
        (offer.brands, "For goods of the brands", "Für Waren der Marken"),
        (say.products(offer.skus), "For these products", "Für diese Artikel"),
        (offer.excluded_categories, "Not for goods from", "Nicht für Waren aus"),
        (offer.excluded_brands, "Not for goods of the brands", "Nicht für Waren der Marken"),
        (say.products(offer.excluded_skus), "Not for these products", "Nicht für diese Artikel"),
    ):
        if names:
            yield f"{say(english, german)}: {', '.join(names)}."
    if offer.excludes_sale:
        yield say("Not for goods on sale.", "Nicht für reduzierte Waren.")
    yield say("Not for goods that are never discounted, such as books at fixed prices.",
              "Nicht für Waren, die nie rabattiert werden, etwa preisgebundene Bücher.")


def _shops(say: _Said) -> Iterator[str]:
    if say.offer.shops:
        yield f"{say('Can be used only at', 'Einlösbar nur bei')}: {', '.join(say.offer.shops)}."


def _minimum(say: _Said) -> Iterator[str]:
    offer = say.offer
    if offer.minimum_cents is not None:
        amount = say.money(offer.minimum_cents)
        yield say(f"For orders of {amount} or more, reckoned before this discount.",
                  f"Ab einem Bestellwert von {amount} vor Abzug dieses Rabatts.")
    free = offer.kind == "free_item"
    pieces = offer.minimum_items
    if pieces is None and free and terms_of(offer).chooses_goods:
        pieces = 1
    if pieces is not None:
        beside = say(", not counting what is free", "; Gratisartikel zählen nicht mit") if free else ""
        yield say(f"From {pieces} item{'' if pieces == 1 else 's'} of the goods it covers{beside}.",
                  f"Ab {pieces} Stück der Waren, für die er gilt{beside}.")
    if offer.cap_cents is not None:
        amount = say.money(offer.cap_cents)
        yield say(f"At most {amount} off one order.", f"Höchstens {amount} Rabatt je Bestellung.")
    if offer.first_order_only:
        yield say("For a first order only.", "Nur für die erste Bestellung.")


def _validity(say: _Said) -> Iterator[str]:
    offer = say.offer
    if offer.valid_days == 1:
        yield say("Valid for one day.", "Einen Tag gültig.")
    elif offer.valid_days is not None:
        yield say(f"Valid for {offer.valid_days} days.", f"{offer.valid_days} Tage gültig.")
    if offer.valid_from is not None:
        start = moment(offer.valid_from, offer.zone, say.language)
        yield say(f"Valid from {start}.", f"Gültig ab {start}.")
    if offer.valid_until is not None:
        end = moment(offer.valid_until, offer.zone, say.language)
        yield say(f"Valid before {end}.", f"Gültig vor dem {end}.")


def _hours(say: _Said) -> Iterator[str]:
    offer = say.offer
    if not offer.weekdays and offer.from_minute is None:
        return
    named = get_day_names("wide", locale="de_DE" if say.language == "de" else "en_GB")
    days = listed([named[day - 1].lower() + "s" if say.language == "de" else named[day - 1] + "s"
                   for day in offer.weekdays], say.language)
    when = say(f"on {days}", days) if days else ""
    if offer.from_minute is not None and offer.until_minute is not None:
        start, end = clock_text(offer.from_minute), clock_text(offer.until_minute)
        later = say(" on the next day", " am nächsten Tag") if offer.until_minute <= offer.from_minute else ""
        when += " " * bool(when) + say(f"from {start} to {end}{later}", f"von {start} bis {end} Uhr{later}")
    zone = zone_words(offer.zone, say.language)
    yield say(f"Can be used only {when} ({zone}).", f"Einlösbar nur {when} ({zone}).")


def _uses(say: _Said) -> Iterator[str]:
    offer = say.offer
    yield (say("Each code can be used once.", "Jeder Code gilt einmal.") if offer.limit_per_code == 1 else
           say(f"Each code can be used {offer.limit_per_code} times.", f"Jeder Code gilt {offer.limit_per_code}-mal."))
    times = offer.limit_per_customer
    if times is not None:
        english, german = _A_PERIOD[offer.customer_period]
        yield (say(f"Once per customer{english}.", f"Einmal je Kundin oder Kunde{german}.") if times == 1 else
               say(f"At most {times} times per customer{english}.",
                   f"Höchstens {times}-mal je Kundin oder Kunde{german}."))
        if offer.customer_is == "email":
            yield say("Orders with one e-mail address count as one customer’s.",
                      "Bestellungen mit derselben E-Mail-Adresse zählen als eine Kundin oder ein Kunde.")
        elif offer.customer_is == "address":
            yield say("Orders for one postal address count as one customer’s.",
                      "Bestellungen an dieselbe Postanschrift zählen als eine Kundin oder ein Kunde.")
    for limit, (english, german) in ((offer.limit_total, (" in all", " insgesamt")),
                                     (offer.limit_per_day, _A_PERIOD["day"]),
                                     (offer.limit_per_week, _A_PERIOD["week"]),
                                     (offer.limit_per_month, _A_PERIOD["month"])):
        if limit is not None:
            uses = count(limit, say.language)
            yield say(f"Limited to {uses} uses{english}.", f"Auf {uses} Einlösungen{german} begrenzt.")
    if offer.budget_cents is not None:
        yield say("While this offer's budget lasts.", "Solange das Budget dieser Aktion reicht.")
    for budget, period in ((offer.budget_per_day_cents, "day"), (offer.budget_per_week_cents, "week"),
                           (offer.budget_per_month_cents, "month")):
        if budget is not None:
            yield say(f"While the {period}'s budget lasts.", f"Solange das {_BUDGETS[period]} reicht.")
    if _counts_periods(offer):
        zone = zone_words(offer.zone, say.language)
        yield say(f"Days, weeks and months are those of the calendar ({zone}).",
                  f"Tage, Wochen und Monate sind die des Kalenders ({zone}).")


def _people(say: _Said) -> Iterator[str]:
    offer = say.offer
    if offer.combines == "none":
        yield say("Cannot be combined with other codes.", "Nicht mit anderen Codes kombinierbar.")
    elif offer.combines == "classes":
        classes = ", ".join(offer.combines_with)
        yield say(f"Can be combined only with codes of: {classes}.", f"Nur kombinierbar mit Codes für: {classes}.")
    else:
        yield say("Can be combined with other codes that allow it.",
                  "Mit anderen Codes kombinierbar, die das zulassen.")
    if offer.holder == "enforce":
        yield say("Only for the person it was sent to.", "Nur für die Person, die den Code erhalten hat.")
    elif offer.holder == "flag":
        yield say("Meant for the person it was sent to.", "Gedacht für die Person, die den Code erhalten hat.")
    if offer.minimum_cents is not None or offer.minimum_items is not None:
        yield say(*_RETURNS[offer.return_rule])


def _counts_periods(offer: Offer) -> bool:
    return any(value is not None for value in (
        offer.customer_period, offer.limit_per_day, offer.limit_per_week, offer.limit_per_month,
        offer.budget_per_day_cents, offer.budget_per_week_cents, offer.budget_per_month_cents))


_A_PERIOD = {None: ("", ""), "day": (" a day", " am Tag"), "week": (" a week", " in der Woche"),
             "month": (" a month", " im Monat")}
_BUDGETS = {"day": "Tagesbudget", "week": "Wochenbudget", "month": "Monatsbudget"}
_RETURNS = {
    "keep": ("If a return leaves less than the minimum, the discount on what is kept stays.",
             "Bleibt nach einer Rückgabe weniger als der Mindestwert, bleibt der Rabatt auf das Behaltene bestehen."),
    "recalculate": ("If a return leaves less than the minimum, the discount shrinks in proportion.",
                    "Bleibt nach einer Rückgabe weniger als der Mindestwert, sinkt der Rabatt anteilig."),
    "reverse": ("If a return leaves less than the minimum, the discount is taken back.",
                "Bleibt nach einer Rückgabe weniger als der Mindestwert, entfällt der Rabatt."),
}
Tell = Callable[[_Said], Iterator[str]]
TELLERS: tuple[tuple[tuple[str, ...], Tell], ...] = (
    (("kind", "percent_bp", "amount_cents", "price_cents", "free_skus", "free_items", "currency"), _worth),
    (("categories", "excluded_categories", "skus", "excluded_skus", "brands", "excluded_brands", "excludes_sale"),
     _goods),
    (("minimum_cents", "minimum_items", "cap_cents", "first_order_only"), _minimum),
    (("valid_days", "valid_from", "valid_until", "zone"), _validity),
    (("weekdays", "from_minute", "until_minute"), _hours),
    (("shops",), _shops),
    (("limit_per_code", "limit_per_customer", "customer_period", "customer_is", "limit_total", "limit_per_day",
      "limit_per_week", "limit_per_month", "budget_cents", "budget_per_day_cents", "budget_per_week_cents",
      "budget_per_month_cents"), _uses),
    (("combines", "combines_with", "holder", "return_rule"), _people),
)

"""Which facts about a person can a rule ask for, and of what kind is each?

Owns the fields of `{"customer": ...}`, the measures and the `where` words of orders, contacts, messages and coupons,
each with the words it is said in. The promise: a word that is not in these tables is refused by name, so a typing
error never becomes a silent answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segments.language.order_measures import ORDER_MEASURES
from segments.language.told_measures import EVENT_MEASURES, RELATION_MEASURES
from segments.language.wordings import Measure, Wording

Kind = Literal["text", "number", "date", "instant", "any"]

ATTRIBUTES = "attributes."
CONSENT_STATES = ("granted", "denied", "withdrawn")
CHANNELS = ("email", "letter", "phone", "sms", "push", "ads")


@dataclass(frozen=True)
class Field:
    """One fact about a customer: a column of `customers`, or of the address on `channel`.

    `label` is its name. `said`, by language, is its own way of being said: what follows "who" and what follows "who do
    not", with `{}` for what it is compared with. A fact without one is something that people have.
    """

    name: str
    kind: Kind
    column: str
    label: str
    channel: str | None = None
    said: Mapping[str, tuple[str, str]] | None = None


_LIVE = {"en": ("live in {}", "do not live in {}"), "de": ("in {} wohnen", "nicht in {} wohnen")}
_SPEAK = {"en": ("speak {}", "do not speak {}"), "de": ("{} sprechen", "nicht {} sprechen")}
_BORN = {"en": ("were born {}", "were not born {}"), "de": ("{} geboren sind", "nicht {} geboren sind")}
_BECAME = {"en": ("became customers {}", "did not become customers {}"),
           "de": ("{} Kunden geworden sind", "nicht {} Kunden geworden sind")}


_FIELDS = (
    Field("customer_id", "text", "external_id", "customer number"),
    Field("salutation", "text", "salutation", "salutation"),
    Field("first_name", "text", "first_name", "first name"),
    Field("last_name", "text", "last_name", "last name"),
    Field("company", "text", "company", "company"),
    Field("birthday", "date", "birthday_on", "birthday", said=_BORN),
    Field("language", "text", "language", "language", said=_SPEAK),
    Field("timezone", "text", "timezone", "time zone"),
    Field("preferred_channel", "text", "preferred_channel", "channel asked for"),
    Field("household_id", "text", "household", "household"),
    Field("household", "text", "household", "household"),
    Field("dunning_level", "number", "dunning_level", "dunning level"),
    Field("created_at", "instant", "created_at", "customer since", said=_BECAME),
    Field("email", "text", "value", "e-mail address", "email"),
    Field("phone", "text", "value", "phone number", "phone"),
    Field("street", "text", "value", "street", "letter"),
    Field("postal_code", "text", "postal_code", "postal code", "letter"),
    Field("city", "text", "city", "city", "letter", _LIVE),
    Field("country", "text", "country", "country", "letter", _LIVE),
    Field("latitude", "number", "latitude", "latitude", "letter"),
    Field("longitude", "number", "longitude", "longitude", "letter"),
)
CUSTOMER_FIELDS = {field.name: field for field in _FIELDS}


def field_of(name: str) -> Field:
    """The field of that name; `attributes.<key>` is of kind any. Raises KeyError for an unknown one."""
    if name.startswith(ATTRIBUTES):
        return Field(name, "any", "attributes", name.removeprefix(ATTRIBUTES))
    return CUSTOMER_FIELDS[name]


_CONTACTED = {
    "en": Wording("were in contact with us {where} {amount} {when}", "were not in contact with us {where} {when}",
                  "were never in contact with us {where}"),
    "de": Wording("{when} {amount} {where} mit uns Kontakt hatten", "{when} {where} keinen Kontakt mit uns hatten",
                  "nie {where} mit uns Kontakt hatten"),
}
CONTACT_WORDINGS = {
    "in": {
        "en": Wording("contacted us {where} {amount} {when}", "did not contact us {where} {when}",
                      "never contacted us {where}"),
        "de": Wording("sich {when} {amount} {where} bei uns gemeldet haben",
                      "sich {when} nicht {where} bei uns gemeldet haben", "sich nie {where} bei uns gemeldet haben"),
    },
    "out": {
        "en": Wording("were contacted by us {where} {amount} {when}", "were not contacted by us {where} {when}",
                      "were never contacted by us {where}"),
        "de": Wording("{when} {amount} {where} von uns angesprochen wurden",
                      "{when} nicht {where} von uns angesprochen wurden", "nie {where} von uns angesprochen wurden"),
    },
}
"""Direction of a contact -> how it is said when a rule names it."""

_NOTE = ("a message", "message", "messages")
_NACHRICHT = ("mindestens eine Nachricht", "Nachricht", "Nachrichten")
_COUPON = ("a coupon", "coupon", "coupons")
_GUTSCHEIN = ("mindestens einen Gutschein", "Gutschein", "Gutscheine")


def _messages(name: str, english: str, german: str) -> Measure:
    return Measure(name, "number", {
        "en": Wording(f"{english} {{amount}} {{where}} {{when}}", f"{english} no message {{where}} {{when}}",
                      units=_NOTE),
        "de": Wording(f"{{when}} {{amount}} {{where}} {german} haben",
                      f"{{when}} keine Nachricht {{where}} {german} haben", units=_NACHRICHT)})


_BOUNCED = Measure("bounced", "number", {
    "en": Wording("had {amount} {where} bounce {when}", "had no message {where} bounce {when}", units=_NOTE),
    "de": Wording("{when} {amount} {where} nicht zugestellt bekommen haben",
                  "{when} keine unzustellbare Nachricht {where} hatten",
                  units=_NACHRICHT)})


def _coupons(name: str, english: str, german: str) -> Measure:
    return Measure(name, "number", {
        "en": Wording(f"{english} {{amount}} {{where}} {{when}}", f"{english} no coupon {{where}} {{when}}",
                      units=_COUPON),
        "de": Wording(f"{{when}} {{amount}} {{where}} {german} haben",
                      f"{{when}} keinen Gutschein {{where}} {german} haben", units=_GUTSCHEIN)})


MEASURES = {
    "orders": ORDER_MEASURES,
    "contacts": {"count": Measure("count", "number", _CONTACTED)},
    "messages": {measure.name: measure for measure in (
        _messages("sent", "were sent", "geschickt bekommen"), _messages("opened", "opened", "geöffnet"),
        _messages("clicked", "clicked", "angeklickt"), _BOUNCED)},
    "coupons": {measure.name: measure for measure in (
        _coupons("issued", "got", "bekommen"), _coupons("redeemed", "redeemed", "eingelöst"))},
    "events": EVENT_MEASURES,
    "relations": RELATION_MEASURES,
}
"""Source -> its measures; of events any name is one."""

WHERE = {
    "orders": ("category", "sku", "brand", "shop", "coupon", "status", "via", "currency", "min_unit_price"),
    "contacts": ("kind", "direction", "channel", "status"),
    "messages": ("campaign", "channel", "arm", "step"),
    "coupons": ("campaign", "offer"),
    "events": (),
    "relations": ("kind", "organisation", "role"),
}
"""Source -> the words its `where` knows; all but `min_unit_price` (cents) take texts. Of events any property is one."""

LINE_WHERE = frozenset({"category", "sku", "brand", "min_unit_price"})
"""Words that single out lines; the others single out whole orders."""

SEQUENCE_KEYS = ("bought", "then", "then_not", "within_days", "window")
"""The keys of a sequence: one purchase, and what followed it or did not."""

"""Which facts about a person can a rule ask for, and of what kind is each?

Owns the fields of `{"customer": ...}`, the measures and the `where` words of orders, contacts, messages and coupons.
The promise: a word that is not in these tables is refused by name, so a typing error never becomes a silent answer.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "date", "instant", "any"]

ATTRIBUTES = "attributes."
CONSENT_STATES = ("granted", "denied", "withdrawn")
CHANNELS = ("email", "letter", "phone", "sms", "push", "ads")


@dataclass(frozen=True)
class Field:
    """One fact about a customer: a column of `customers`, or of the address on `channel`. `label` is for sentences."""

    name: str
    kind: Kind
    column: str
    label: str
    channel: str | None = None


_FIELDS = (
    Field("customer_id", "text", "external_id", "customer number"),
    Field("salutation", "text", "salutation", "salutation"),
    Field("first_name", "text", "first_name", "first name"),
    Field("last_name", "text", "last_name", "last name"),
    Field("company", "text", "company", "company"),
    Field("birthday", "date", "birthday_on", "birthday"),
    Field("language", "text", "language", "language"),
    Field("timezone", "text", "timezone", "time zone"),
    Field("preferred_channel", "text", "preferred_channel", "channel asked for"),
    Field("household_id", "text", "household", "household"),
    Field("household", "text", "household", "household"),
    Field("dunning_level", "number", "dunning_level", "dunning level"),
    Field("created_at", "instant", "created_at", "customer since"),
    Field("email", "text", "value", "e-mail address", "email"),
    Field("phone", "text", "value", "phone number", "phone"),
    Field("street", "text", "value", "street", "letter"),
    Field("postal_code", "text", "postal_code", "postal code", "letter"),
    Field("city", "text", "city", "city", "letter"),
    Field("country", "text", "country", "country", "letter"),
    Field("latitude", "number", "latitude", "latitude", "letter"),
    Field("longitude", "number", "longitude", "longitude", "letter"),
)
CUSTOMER_FIELDS = {field.name: field for field in _FIELDS}


def field_of(name: str) -> Field:
    """The field of that name; `attributes.<key>` is of kind any. Raises KeyError for an unknown one."""
    if name.startswith(ATTRIBUTES):
        return Field(name, "any", "attributes", name.removeprefix(ATTRIBUTES))
    return CUSTOMER_FIELDS[name]


@dataclass(frozen=True)
class Measure:
    """What is asked of a list of things: a number (0 when there are none) or a date (missing when there are none)."""

    name: str
    kind: Literal["number", "cents", "instant"]
    label: str
    lines: bool = False
    """Whether the answer needs the single lines, not only the orders."""


ORDER_MEASURES = {
    measure.name: measure
    for measure in (
        Measure("count", "number", "orders"),
        Measure("revenue", "cents", "revenue"),
        Measure("average_value", "cents", "average order value"),
        Measure("first_at", "instant", "first order"),
        Measure("last_at", "instant", "last order"),
        Measure("quantity", "number", "items", lines=True),
        Measure("distinct_products", "number", "different products", lines=True),
        Measure("open", "number", "open orders", lines=True),
    )
}
MEASURES = {
    "orders": ORDER_MEASURES,
    "contacts": {"count": Measure("count", "number", "contacts")},
    "messages": {
        name: Measure(name, "number", f"messages {name}") for name in ("sent", "opened", "clicked", "bounced")
    },
    "coupons": {name: Measure(name, "number", f"coupons {name}") for name in ("issued", "redeemed")},
}
"""Source -> its measures."""

WHERE = {
    "orders": ("category", "sku", "brand", "shop", "coupon", "status", "via", "currency", "min_unit_price"),
    "contacts": ("kind", "direction", "channel", "status"),
    "messages": ("campaign", "channel", "arm", "step"),
    "coupons": ("campaign", "offer"),
}
"""Source -> the words its `where` knows; all but `min_unit_price` (cents) take texts."""

LINE_WHERE = frozenset({"category", "sku", "brand", "min_unit_price"})
"""Words that single out lines; the others single out whole orders."""

NOT_YET = {
    "score": "Scores are", "near": "Distances are", "events": "Events are",
}
"""Conditions of the rule language that are announced but not built."""

MEASURES_NOT_YET = frozenset({"net_revenue", "margin", "returned_share"})

"""How is an offer written in a form, and what would a basket pay?

Owns reading the offer form (everything typed stays, each field with its own error) and the worked examples. The terms
themselves are checked where they are saved, in `coupons/offers.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.errors import Invalid
from coupons.discount import Line, discount_cents
from coupons.models import Offer
from coupons.terms import Terms
from web import formatting
from web.amounts import read_cents, read_decimal, read_whole, written_cents

MONEY = ("amount_cents", "minimum_cents", "cap_cents", "budget_cents")
WHOLE = ("limit_per_code", "limit_per_customer", "limit_total", "valid_days")
LISTS = ("categories", "excluded_categories")
INSTANTS = ("valid_from", "valid_until")
WORTH = ("kind", "percent", "amount_cents", "currency", "minimum_cents", "cap_cents", *LISTS, "limit_per_code",
         "holder")
"""What codes already out are worth; a form for an offer with codes does not send these."""
TYPICAL_CENTS = 12_990


@dataclass
class OfferForm:
    """The texts of the fields, the errors beside them, and what could be read."""

    texts: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def empty_form() -> OfferForm:
    """The form of a new offer."""
    return OfferForm({"kind": "percent", "percent": "10", "currency": "EUR", "limit_per_code": "1", "valid_days": "14",
                      "holder": "off", "active": "yes"})


def form_of(offer: Offer) -> OfferForm:
    """The form of a stored offer."""
    texts = {
        "key": offer.key, "name": offer.name, "kind": offer.kind, "currency": offer.currency, "holder": offer.holder,
        "prefix": offer.prefix, "active": "yes" if offer.active else "",
        "percent": "" if offer.percent_bp is None else f"{offer.percent_bp / 100:g}",
    }
    texts |= {name: written_cents(getattr(offer, name), currency=offer.currency) for name in MONEY}
    texts |= {name: "" if getattr(offer, name) is None else str(getattr(offer, name)) for name in WHOLE}
    texts |= {name: "\n".join(getattr(offer, name)) for name in LISTS}
    texts |= {name: _instant_text(getattr(offer, name)) for name in INSTANTS}
    return OfferForm(texts)


def _instant_text(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def read_form(sent: Mapping[str, str], stored: Offer | None, *, frozen: bool) -> OfferForm:
    """What a form sent. With `frozen` the worth of codes that are out is taken from the stored offer."""
    texts = {name: value.replace("\0", "") for name, value in sent.items() if name != "csrf_token"}
    texts.setdefault("active", "")
    if frozen and stored is not None:
        kept = form_of(stored).texts
        texts |= {name: kept.get(name, "") for name in WORTH}
    form = OfferForm(texts)
    currency = texts.get("currency", "EUR").strip().upper() or "EUR"
    form.values["currency"] = currency
    for name in ("name", "kind", "holder", "prefix"):
        form.values[name] = texts.get(name, "").strip()
    form.values["active"] = texts["active"] == "yes"
    money_currency = currency if len(currency) == 3 and currency.isascii() and currency.isalpha() else "EUR"
    for name in MONEY:
        _read(form, name, lambda text: read_cents(text, currency=money_currency))
    for name in WHOLE:
        _read(form, name, read_whole)
    _read(form, "percent", read_decimal)
    for name in LISTS:
        form.values[name] = [line.strip() for line in texts.get(name, "").splitlines() if line.strip()]
    for name in INSTANTS:
        old = getattr(stored, name) if stored is not None else None
        _read(form, name, lambda text, old=old: old if text == _instant_text(old) else _instant(text))
    if form.values["kind"] == "percent":
        form.values["amount_cents"] = None
    else:
        form.values["percent"] = None
    if form.values["limit_per_code"] is None and "limit_per_code" not in form.errors:
        form.values["limit_per_code"] = 1
    return form


def _read(form: OfferForm, name: str, read: Any) -> None:
    text = form.texts.get(name, "").strip()
    try:
        form.values[name] = read(text) if text else None
    except Invalid as error:
        form.values[name] = None
        form.errors[name] = error.message


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("Choose a day and a time, for example 2026-12-24 18:00.") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def place_error(form: OfferForm, error: Any) -> str | None:
    """Put an error of the verb beside its field; the sentence itself when there is no such field."""
    if error.place in ("key", "name", *WORTH, *WHOLE, *MONEY, *INSTANTS, "prefix"):
        form.errors[error.place] = _in_units(error.message, error.place)
        return None
    return str(error.message)


def _in_units(message: str, place: str) -> str:
    return "Write an amount above 0." if place in MONEY and "whole number" in message else message


def examples(values: Mapping[str, Any]) -> list[str]:
    """What baskets of goods that count would pay: a usual one, one at the minimum, one where the cap takes hold."""
    currency = values.get("currency") or "EUR"
    percent, amount = values.get("percent") or Decimal(0), values.get("amount_cents") or 0
    is_percent = values.get("kind") == "percent"
    if (is_percent and not 0 < percent <= 100) or (not is_percent and amount <= 0):
        return []
    minimum, cap = values.get("minimum_cents"), values.get("cap_cents")
    terms = Terms(kind=values["kind"], percent_bp=int(percent * 100), amount_cents=amount, cap_cents=cap)
    baskets = [TYPICAL_CENTS]
    if minimum:
        baskets += [minimum]
    if cap and is_percent:
        baskets.append(int(cap * 100 / percent) * 2)
    if not is_percent and amount > TYPICAL_CENTS:
        baskets.append(amount * 4)
    said = []
    for basket in sorted(set(baskets)):
        paid = basket
        if not minimum or basket >= minimum:
            paid -= discount_cents(terms, [Line("example", "", 1000, basket)], basket)
        words = [formatting.money(cents, currency=currency, exact=True) for cents in (basket, paid)]
        said.append(f"A {words[0]} basket pays {words[1]}" + (", below the minimum." if minimum and basket < minimum
                                                              else "."))
    return said

"""How is an offer written in a form?

Owns reading the offer form: everything typed stays, each field with its own error. The terms themselves are checked
where they are saved, in `coupons/offers/checking.py`; what a basket would pay is reckoned in
`web/coupons/offer_example.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

from core.errors import Invalid
from coupons.models import Offer
from coupons.offers.checking import Given, checked_terms, minute_of
from coupons.offers.wording import clock_text
from web.wording.amounts import read_cents, read_decimal, read_whole, written_cents

MONEY = ("amount_cents", "price_cents", "minimum_cents", "cap_cents", "budget_cents", "budget_per_day_cents",
         "budget_per_week_cents", "budget_per_month_cents")
WHOLE = ("free_items", "minimum_items", "limit_per_code", "limit_per_customer", "limit_total", "limit_per_day",
         "limit_per_week", "limit_per_month", "valid_days")
LISTS = ("free_skus", "categories", "excluded_categories", "brands", "excluded_brands", "skus", "excluded_skus",
         "combines_with", "shops")
INSTANTS = ("valid_from", "valid_until")
HOURS = {"from_time": "from_minute", "until_time": "until_minute"}
SWITCHES = ("active", "excludes_sale", "first_order_only")
WEEKDAYS = tuple(f"weekday_{day}" for day in range(1, 8))
CHOICES = {"kind": "", "holder": None, "combines": "any", "customer_is": "id", "customer_period": None,
           "return_rule": "keep", "zone": "UTC", "offer_class": "", "name": "", "prefix": "", "pattern": ""}
"""Words taken as they are, with what nothing said means."""
WORTH = ("kind", "percent", "amount_cents", "price_cents", "free_skus", "free_items", "currency", "minimum_cents",
         "minimum_items", "cap_cents", "categories", "excluded_categories", "brands", "excluded_brands", "skus",
         "excluded_skus", "shops", "excludes_sale", "first_order_only", "offer_class", "combines", "combines_with",
         "limit_per_code", "customer_is", *WEEKDAYS, *HOURS, "zone", "holder", "return_rule")
"""What codes already out are worth and promise; a form for an offer with codes does not send these."""
_OF_KIND = {"percent": "percent", "amount_cents": "fixed", "price_cents": "fixed_price", "free_skus": "free_item",
            "free_items": "free_item"}
_OF_PRICE = ("kind", "percent", "amount_cents", "price_cents", "free_skus", "free_items", "currency", "minimum_cents",
             "cap_cents", "categories", "brands", "skus")
_ZONES = available_timezones()
_PLACES = {"percent_bp": "percent", **{column: name for name, column in HOURS.items()}, "goods": "categories"}
_FIELDS = {"key", "weekdays", "currency", "percent", *CHOICES, *WHOLE, *MONEY, *LISTS, *INSTANTS, *HOURS, *SWITCHES}


@dataclass
class OfferForm:
    """The texts of the fields, the errors beside them, and what could be read."""

    texts: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def empty_form(*, zone: str, currency: str = "EUR") -> OfferForm:
    """The form of a new offer, on the clock of `zone`."""
    return OfferForm({"kind": "percent", "percent": "10", "currency": currency, "limit_per_code": "1",
                      "valid_days": "14", "holder": "flag", "active": "yes", "zone": zone, "combines": "any",
                      "customer_is": "id", "return_rule": "keep"})


def form_of(offer: Offer) -> OfferForm:
    """The form of a stored offer."""
    texts = {name: getattr(offer, name) or "" for name in CHOICES}
    texts |= {"key": offer.key, "currency": offer.currency,
              "percent": "" if offer.percent_bp is None else f"{offer.percent_bp / 100:g}"}
    texts |= {name: written_cents(getattr(offer, name), currency=offer.currency) for name in MONEY}
    texts |= {name: "" if getattr(offer, name) is None else str(getattr(offer, name)) for name in WHOLE}
    texts |= {name: "\n".join(getattr(offer, name)) for name in LISTS}
    texts |= {name: _instant_text(getattr(offer, name), offer.zone) for name in INSTANTS}
    texts |= {name: "yes" if getattr(offer, name) else "" for name in SWITCHES}
    texts |= {name: "yes" if day in offer.weekdays else "" for day, name in enumerate(WEEKDAYS, start=1)}
    texts |= {name: "" if getattr(offer, column) is None else clock_text(getattr(offer, column))
              for name, column in HOURS.items()}
    return OfferForm(texts)


def _instant_text(at: datetime | None, zone: str) -> str:
    return "" if at is None else at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def read_form(sent: Mapping[str, str], stored: Offer | None, *, frozen: bool) -> OfferForm:
    """What a form sent. With `frozen` the worth of codes that are out is taken from the stored offer."""
    texts = {name: value.replace("\0", "") for name, value in sent.items() if name != "csrf_token"}
    if frozen and stored is not None:
        kept = form_of(stored).texts
        texts |= {name: kept.get(name, "") for name in WORTH}
    form = OfferForm(texts)
    values = form.values
    currency = texts.get("currency", "EUR").strip().upper() or "EUR"
    values["currency"] = currency
    values |= {name: texts.get(name, "").strip() or usual for name, usual in CHOICES.items()}
    values |= {name: texts.get(name) == "yes" for name in SWITCHES}
    values["weekdays"] = [day for day, name in enumerate(WEEKDAYS, start=1) if texts.get(name) == "yes"]
    values |= {name: [line.strip() for line in texts.get(name, "").splitlines() if line.strip()] for name in LISTS}
    money_currency = currency if len(currency) == 3 and currency.isascii() and currency.isalpha() else "EUR"
    for name in MONEY:
        _read(form, name, lambda text: read_cents(text, currency=money_currency))
    for name in WHOLE:
        _read(form, name, read_whole)
    _read(form, "percent", read_decimal)
    for name, column in HOURS.items():
        _read(form, name, partial(minute_of, place=name))
        values[column] = values.pop(name)
    zone = values["zone"] if values["zone"] in _ZONES else "UTC"
    for name in INSTANTS:
        old = getattr(stored, name) if stored is not None else None
        _read(form, name, partial(_instant, zone=zone))
        if old is not None and texts.get(name) == _instant_text(old, zone):
            values[name] = old  # with its seconds, which the field does not show
    _only_what_counts(form)
    return form


def _only_what_counts(form: OfferForm) -> None:
    """Fields that another choice hides say nothing, whatever was typed into them."""
    values = form.values
    for name, kind in _OF_KIND.items():
        if values["kind"] != kind:
            values[name] = [] if name in LISTS else None
            form.errors.pop(name, None)
    if values["combines"] != "classes":
        values["combines_with"] = []
    if values["limit_per_customer"] is None and "limit_per_customer" not in form.errors:
        values["customer_period"] = None
    if values["limit_per_code"] is None and "limit_per_code" not in form.errors:
        values["limit_per_code"] = 1


def draft_of(form: OfferForm) -> tuple[Offer | None, bool]:
    """The offer that the form describes so far, stored nowhere, and whether that is all of it.

    While other fields make no sense yet, the draft holds what decides on a basket's price; None: not even that.
    """
    for fields in (tuple(form.values), _OF_PRICE):
        try:
            terms = checked_terms(cast(Given, {**{name: form.values[name] for name in fields}, "name": "draft"}))
        except Invalid:
            continue
        return Offer(**{**terms, "holder": terms["holder"] or "flag"}, key="draft"), fields is not _OF_PRICE
    return None, False


def _read(form: OfferForm, name: str, read: Callable[[str], Any]) -> None:
    text = form.texts.get(name, "").strip()
    try:
        form.values[name] = read(text) if text else None
    except Invalid as error:
        form.values[name] = None
        form.errors[name] = error.message


def _instant(text: str, zone: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("Choose a day and a time, for example 2026-12-24 18:00.") from error


def place_error(form: OfferForm, error: Any) -> str | None:
    """Put an error of the verb beside its field; the sentence itself when there is no such field."""
    place = _PLACES.get(error.place, error.place)
    if place in _FIELDS:
        form.errors[place] = _in_units(error.message, place)
        return None
    return str(error.message)


def _in_units(message: str, place: str) -> str:
    if place in MONEY and "whole number" in message:
        return "Write an amount above 0."
    return message.replace("how many cents", "how much")

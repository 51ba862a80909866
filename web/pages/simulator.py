"""The page that tries a basket: would it get this offer or code, and why not? It changes nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import Invalid, NotFound
from coupons.codes.showing import names_for
from coupons.models import Offer
from coupons.offers.conditions import offer_terms
from coupons.offers.discount import MAX_CENTS, Line
from coupons.offers.offers import list_offers, usual_currency
from coupons.offers.wording import offer_words
from coupons.refusals import REASONS
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.simulating import Simulation, offer_and_code, simulate
from web.requests.transactions import reading, request_now
from web.wording import formatting
from web.wording.amounts import read_cents, read_decimal

blueprint = Blueprint("simulator", __name__)

ROWS = 4
COLUMNS = ("sku", "category", "brand", "quantity", "price", "sale")
_SAMPLE = {"what": "", "currency": "EUR", "category_1": "", "quantity_1": "1", "price_1": "129.90"}


@blueprint.get("/offers/_simulator")
def show() -> ResponseReturnValue:
    """Try a basket; without one, an empty form with a usual basket in it."""
    sent = {name: value.replace("\0", "")[:200] for name, value in request.args.items()}
    texts = sent if "price_1" in sent else {**_sample(sent.get("what", "")), **sent}
    now = request_now()
    errors: dict[str, str] = {}
    asked, moment = _read(texts, errors, now)
    found, said = None, []
    with reading() as session:
        offers = _choices(list_offers(session, limit=500))
        if texts.get("what", "").strip() and not errors and "price_1" in sent:
            try:
                found = simulate(session, texts["what"], asked, now=moment)
                said = offer_terms(found.offer, names=names_for(session, found.offer))
            except NotFound as error:
                errors["what"] = str(error)
    return render_template("pages/offers/simulator.html", t=texts, e=errors, rows=range(1, ROWS + 1), offers=offers,
                           found=found, moment=moment, why=_why(found) if found else [], terms=said)


def _choices(offers: Sequence[Offer]) -> list[tuple[str, str]]:
    """What may be chosen and its words: an offer's name, or its key where several have that name."""
    times = Counter(offer.name for offer in offers)
    return [(offer.name if times[offer.name] == 1 else offer.key, f"{offer.key}: {offer_words(offer)}")
            for offer in offers]


def _sample(what: str) -> dict[str, str]:
    """A usual basket, of goods and in the currency of the offer or code that was named."""
    with reading() as session:
        try:
            offer, _code = offer_and_code(session, what)
        except NotFound:
            return {**_SAMPLE, "currency": usual_currency(session)}
    return {**_SAMPLE, "currency": offer.currency, "category_1": (offer.categories or [""])[0],
            "brand_1": (offer.brands or [""])[0]}


def _read(texts: dict[str, str], errors: dict[str, str], now: datetime) -> tuple[RedemptionRequest, datetime]:
    """The basket typed in and the moment asked about; what cannot be read is noted beside its field."""
    currency = texts.get("currency", "").strip().upper() or "EUR"
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        errors["currency"], currency = "Use three capital letters, for example EUR.", "EUR"

    def cents(name: str) -> int | None:
        text = texts.get(name, "").strip()
        try:
            value = read_cents(text, currency=currency) if text else None
            if value is not None and not 0 <= value <= MAX_CENTS:
                raise Invalid("Write an amount from 0.")
        except Invalid as error:
            errors[name] = error.message
            return None
        return value

    lines = []
    for number in range(1, ROWS + 1):
        price = cents(f"price_{number}")
        if price is None:
            continue
        word = {name: texts.get(f"{name}_{number}", "").strip() for name in ("sku", "category", "brand")}
        lines.append(Line(word["sku"], word["category"], _milli(texts, errors, number), price, word["brand"] or None,
                          True if texts.get(f"sale_{number}") == "yes" else None))
    total = cents("total")
    if not lines and total is None and not errors:
        errors["price_1"] = "Write the price of one piece, or a total below."
    order = Order("(simulator)", sum(line.amount_cents for line in lines) if total is None else total, currency,
                  tuple(lines), cents("shipping"))
    person = texts.get("customer", "").strip()
    by_email = "@" in person
    asked = RedemptionRequest("", order, customer_external_id=person if person and not by_email else None,
                              customer_email=person if by_email else None)
    return asked, _moment(texts, errors, now)


def _milli(texts: dict[str, str], errors: dict[str, str], number: int) -> int:
    name = f"quantity_{number}"
    try:
        quantity = read_decimal(texts.get(name, "").strip() or "1")
        if not 0 <= quantity <= 10**9 or quantity != round(quantity, 3):
            raise Invalid("Write a number from 0, with at most three decimals.")
    except Invalid as error:
        errors[name] = error.message
        return 0
    return int(quantity * Decimal(1000))


def _moment(texts: dict[str, str], errors: dict[str, str], now: datetime) -> datetime:
    text = texts.get("at", "").strip()
    if not text:
        return now
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(current_app.config["WINBACK_ZONE"]))
        if not 2000 <= at.year <= 2200:
            raise ValueError("far away")
    except ValueError:
        errors["at"] = "Choose a day and a time, for example 2026-12-24 18:00."
        return now
    return at


def _why(found: Simulation) -> list[str]:
    """Each thing against it as a sentence with its figures."""
    return [_SENTENCES.get(each.rule, lambda _found, reason=each.reason: REASONS[reason][1])(found)
            for each in found.against]


def _money(found: Simulation, cents: int | None) -> str:
    return formatting.money(cents or 0, currency=found.terms.currency, exact=True)


_SENTENCES: dict[str, Any] = {
    "from_minute": lambda found: "At this hour the offer does not hold.",
    "weekdays": lambda found: "On this weekday the offer does not hold.",
    "currency": lambda found: f"The order is in {found.basket.currency}, the offer in {found.terms.currency}.",
    "first_order_only": lambda found: (
        "Nobody is named, and the offer is for first orders only." if found.basket.first_order is None
        else "This customer ordered before, and the offer is for first orders only."),
    "minimum_cents": lambda found: (f"The order comes to {_money(found, found.basket.total_cents)}; the offer asks for "
                                    f"{_money(found, found.terms.minimum_cents)}."),
    "minimum_items": lambda found: "There are too few pieces of the goods it covers.",
    "goods": lambda found: "Nothing in the basket is covered by the offer.",
    "free_skus": lambda found: "None of the free products is in the basket.",
    "worth": lambda found: "The discount would be nothing.",
}

"""How is a plain redemption answered without the way through Flask, which takes longer than deciding it?

Owns the WSGI door in front of the application. It reads a redemption whose headers and body are plainly in order,
lets `coupons/till/at_once.py` decide, and writes the answer of one that was accepted. Everything else it hands on:
what is malformed, forbidden, throttled, unusual or for another address is read, judged and worded by Flask alone; a
refusal or an error that it met it hands on as decided. The promise: nobody can tell by an answer which way it went.
"""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeGuard

from flask import Flask

from core.errors import Invalid
from core.storable import is_storable
from coupons.offers.discount import MAX_CENTS, Line
from coupons.till.at_once import redeem_for
from coupons.till.requests import Answer, Order, RedemptionRequest
from web.api.coupons import CURRENCY, MOST_LINES, MOST_QUANTITY, caller_name
from web.requests.bodies import named_once
from web.security.guessing import at_fault
from web.security.headers import of_programs
from web.security.keys import key_of

DECIDED = "winback.decided"
"""Where the view finds what became of a request that was decided here: an answer or an exception."""

_ADDRESS = "/api/v1/redemptions"
_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
_LARGEST_BYTES = 256 * 1024
_REASONS = {200: "200 OK", 201: "201 CREATED"}
_BODY = frozenset({"code", "shop", "order", "customer", "reservation"})
_ORDER = frozenset({"id", "total_cents", "currency", "lines", "shipping_cents"})
_LINE = frozenset({"sku", "category", "brand", "quantity", "unit_price_cents", "sale", "non_discountable"})

Environ = dict[str, Any]
Start = Callable[..., Any]


class Express:
    """The WSGI application in front of `app`."""

    def __init__(self, app: Flask, *, https: bool) -> None:
        self._app, self._next = app, app.wsgi_app
        self._headers = [("Content-Type", "application/json"), *of_programs(https=https).items(), ("Vary", "Cookie")]

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        answer = self._answer(environ) if _fits(environ) else None
        if answer is None:
            return self._next(environ, start)
        body = json.dumps(answer.body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        start(_REASONS[answer.status], [*self._headers, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: Environ) -> Answer | None:
        """The answer of a redemption that was accepted, None: the application has to answer."""
        raw = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(raw)
        asked = read_plainly(raw)
        if asked is None:
            return None
        database = self._app.extensions["winback.database"]
        key = key_of(database, environ["HTTP_AUTHORIZATION"][7:])
        if key is None or "redemptions" not in key.scopes:
            return None
        if key.shop is not None and key.shop != asked.shop:
            if asked.shop:
                return None
            asked = replace(asked, shop=key.shop)
        caller = caller_name(key.id, environ.get("REMOTE_ADDR"), asked)
        if at_fault(self._app).holds(caller):
            return None
        try:
            answer = redeem_for(database, asked, client=f"key:{key.id}",
                                key=environ["HTTP_IDEMPOTENCY_KEY"], now=key.now)
        except Exception as error:  # the application's handlers word and log it
            environ[DECIDED] = error
            return None
        if answer.status not in _REASONS:
            environ[DECIDED] = answer
            return None
        return answer


def _fits(environ: Environ) -> bool:
    """Whether the headers are those of a redemption; what is missing or odd the application judges."""
    if environ["PATH_INFO"] != _ADDRESS or environ["REQUEST_METHOD"] != "POST":
        return False
    length, key = environ.get("CONTENT_LENGTH") or "", environ.get("HTTP_IDEMPOTENCY_KEY", "")
    return (environ.get("CONTENT_TYPE", "").lower() in _JSON
            and length.isascii() and length.isdigit() and 0 < int(length) <= _LARGEST_BYTES
            and "HTTP_TRANSFER_ENCODING" not in environ
            and 0 < len(key) <= 255 and key.isascii() and key.isprintable() and key == key.strip()
            and environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer wb_"))


def read_plainly(raw: bytes) -> RedemptionRequest | None:
    """The request that a body asks for; None unless everything in it is as `RedemptionSchema` wants it.

    It may take less than the schema takes, never more.
    """
    try:
        body = json.loads(raw, object_pairs_hook=named_once)
    except (ValueError, RecursionError, Invalid):
        return None
    if type(body) is not dict or not _BODY.issuperset(body) or not _is_words(body.get("code"), 200):
        return None
    shop, order, reservation = body.get("shop"), body.get("order"), body.get("reservation")
    customer = _named(body.get("customer"))
    if not (shop is None or _is_words(shop, 100, shortest=0)) or customer is None:
        return None
    if not (reservation is None or _is_words(reservation, 40)):
        return None
    read = _order(order)
    return None if read is None else RedemptionRequest(body["code"], read, shop or "", *customer, reservation)


def _named(customer: Any) -> tuple[str | None, str | None] | None:
    """External number and e-mail address of whom it names; None where the schema has to look."""
    if customer is None:
        return None, None
    if type(customer) is not dict or len(customer) != 1:
        return None
    number, email = customer.get("external_id"), customer.get("email")
    return (number, email) if _is_words(number, 200) or _is_words(email, 320) else None


def _order(order: Any) -> Order | None:
    if type(order) is not dict or not _ORDER.issuperset(order) or not _is_words(order.get("id"), 200):
        return None
    total, currency, lines = order.get("total_cents"), order.get("currency"), order.get("lines")
    shipping = order.get("shipping_cents")
    if not _is_cents(total) or not _is_currency(currency) or not (shipping is None or _is_cents(shipping)):
        return None
    if type(lines) is not list or len(lines) > MOST_LINES:
        return None
    read = tuple([_line(line) for line in lines])
    return None if None in read else Order(order["id"], total, currency, read, shipping)  # type: ignore[arg-type]


def _line(line: Any) -> Line | None:
    if type(line) is not dict or not _LINE.issuperset(line) or "category" not in line:
        return None
    sku, category, brand = line.get("sku"), line["category"], line.get("brand")
    quantity, price = line.get("quantity"), line.get("unit_price_cents")
    sale, never = line.get("sale"), line.get("non_discountable")
    if not (_is_words(sku, 100) and (category is None or _is_words(category, 200, shortest=0))
            and (brand is None or _is_words(brand, 200, shortest=0)) and _is_cents(price)
            and (sale is None or type(sale) is bool) and (never is None or type(never) is bool)):
        return None
    milli = _milli(quantity)
    return None if milli is None else Line(sku, category or "", milli, price, brand, sale, never)


def _milli(quantity: Any) -> int | None:
    """Thousandths of a number with at most three decimals."""
    if type(quantity) is int:
        return quantity * 1000 if 0 <= quantity <= MOST_QUANTITY else None
    if type(quantity) is not float or not 0 <= quantity <= MOST_QUANTITY:
        return None
    milli = round(quantity * 1000)
    return milli if milli / 1000 == quantity else None


def _is_cents(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_CENTS


def _is_currency(value: Any) -> bool:
    return type(value) is str and CURRENCY.match(value) is not None


def _is_words(value: Any, longest: int, *, shortest: int = 1) -> TypeGuard[str]:
    return type(value) is str and shortest <= len(value) <= longest and is_storable(value)

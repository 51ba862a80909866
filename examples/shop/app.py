"""A tiny shop: goods, a basket, a checkout with a code field, orders that can be cancelled and sent back.

Run it with `python examples/shop/app.py`; the README says which variables it reads.
"""

import argparse
import os
import secrets
from typing import Any

from books import Basket, Books, Customer, Order
from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, session, url_for
from goods import goods_for
from werkzeug.wrappers import Response
from winback_client import Winback

pages = Blueprint("shop", __name__)


def create_shop(winback: Winback, *, category: str | None = None, currency: str = "EUR",
                clock_offset_seconds: float = 0) -> Flask:
    """The shop as a web application; `clock_offset_seconds` lets it live in a demo's simulated time."""
    shop = Flask(__name__)
    shop.config.update(SECRET_KEY=secrets.token_hex(32), SESSION_COOKIE_NAME="example-shop",
                       SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    shop.extensions["books"] = Books(winback, currency, clock_offset_seconds)
    shop.extensions["goods"] = goods_for(category)
    shop.register_blueprint(pages)
    return shop


def books() -> Books:
    """This shop's orders."""
    found: Books = current_app.extensions["books"]
    return found


def basket() -> Basket:
    """What this visitor has chosen."""
    goods, kept = current_app.extensions["goods"], session.get("basket", {})
    return [(goods[sku], count) for sku, count in kept.items() if sku in goods]


def number() -> str:
    """The number of the order to come, drawn before it is placed, so that a double click is one order."""
    drawn: str = session.setdefault("number", f"E{secrets.token_hex(4).upper()}")
    return drawn


@pages.app_template_filter("money")
def money(cents: int) -> str:
    """An amount as the shop writes it."""
    return f"{cents / 100:,.2f} {books().currency}"


@pages.app_context_processor
def shared() -> dict[str, Any]:
    """What every page shows."""
    return {"pieces": sum(count for _each, count in basket())}


@pages.get("/")
def index() -> str:
    """Everything for sale."""
    return render_template("index.html", goods=current_app.extensions["goods"].values(), code=session.get("code"))


@pages.get("/cart")
def basket_link() -> Response:
    """The basket link of a mail, letter or QR code: the code waits in the code field."""
    session["code"] = request.args.get("code", "")[:60]
    return redirect(url_for("shop.checkout") if basket() else url_for("shop.index"))


@pages.post("/basket")
def put() -> Response:
    """Put a piece into the basket, or take one out."""
    sku, count = request.form.get("sku", ""), request.form.get("count", 1, type=int)
    if sku not in current_app.extensions["goods"]:
        abort(404)
    kept = dict(session.get("basket", {}))
    kept[sku] = kept.get(sku, 0) + count
    session["basket"] = {name: min(pieces, 99) for name, pieces in kept.items() if pieces > 0}
    return redirect(url_for("shop.checkout") if request.form.get("stay") else url_for("shop.index"))


@pages.get("/checkout")
def checkout() -> str:
    """The basket with its code field."""
    return _checkout(None, form={"code": session.get("code", "")})


@pages.post("/checkout")
def pay() -> Response | str | tuple[str, int]:
    """Check the code, or order and pay."""
    if not basket():
        return redirect(url_for("shop.index"))
    form, code, email = request.form, request.form.get("code", "").strip()[:60], request.form.get("email", "").strip()
    customer, order = _customer(form.get("customer", "").strip(), email), books().draft(number(), basket())
    if form.get("do") == "check":
        said, off = books().check(code, order, customer)
        return _checkout(said, off=off, form=form)
    if order["id"] not in books().orders:
        refused = books().sell(order, code, customer, email or None)
        if refused is not None:
            return _checkout(refused, form=form), 422
        for name in ("basket", "number", "code"):
            session.pop(name, None)
    return redirect(url_for("shop.order", number=order["id"]))


@pages.get("/orders/<number>")
def order(number: str) -> str:
    """One order, as its customer sees it."""
    found = _order(number)
    off = sum(each["discount_cents"] for each in found["coupons"])
    return render_template("order.html", order=found, off=off, told=not books().untold)


@pages.post("/orders/<number>/cancel")
def cancel(number: str) -> Response:
    """Call the order off."""
    books().cancel(_order(number))
    return redirect(url_for("shop.order", number=number))


@pages.post("/orders/<number>/return")
def send_back(number: str) -> Response:
    """Send one piece back."""
    books().send_back(_order(number), request.form.get("sku", ""))
    return redirect(url_for("shop.order", number=number))


def _order(number: str) -> Order:
    return books().orders.get(number) or abort(404)


def _customer(number: str, email: str) -> Customer | None:
    return {"external_id": number} if number else {"email": email} if email else None


def _checkout(said: str | None, *, off: int = 0, form: Any) -> str:
    number()
    total = sum(each.price_cents * count for each, count in basket())
    return render_template("checkout.html", basket=basket(), total=total, off=off, said=said, form=form)


def main() -> None:
    """Serve the shop on loopback until ended."""
    asked = argparse.ArgumentParser(description="A tiny shop that uses Winback.")
    asked.add_argument("--port", type=int, default=8001)
    port = asked.parse_args().port
    winback = Winback(os.environ.get("SHOP_WINBACK", "http://127.0.0.1:8000"), os.environ["SHOP_KEY"],
                      os.environ["SHOP_HOOK"], os.environ["SHOP_SECRET"], os.environ.get("SHOP_LABEL", "example"))
    shop = create_shop(winback, category=os.environ.get("SHOP_CATEGORY"),
                       currency=os.environ.get("SHOP_CURRENCY", "EUR"),
                       clock_offset_seconds=float(os.environ.get("SHOP_CLOCK_OFFSET_SECONDS", "0")))
    from waitress import serve

    serve(shop, host="127.0.0.1", port=port, threads=4, _quiet=True)


if __name__ == "__main__":
    main()

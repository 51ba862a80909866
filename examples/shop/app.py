"""A tiny shop: goods, a basket, a checkout with a code field, orders that can be cancelled and sent back.

Run it with `python examples/shop/app.py`; the README says which variables it reads.
"""

import argparse
import copy
import os
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, abort, redirect, render_template, request, session, url_for
from goods import Article, goods_for
from werkzeug.wrappers import Response
from winback_client import Winback

Order = dict[str, Any]


def create_shop(winback: Winback, *, category: str | None = None, currency: str = "EUR",
                clock_offset_seconds: float = 0) -> Flask:
    """The shop as a web application; `clock_offset_seconds` lets it live in a demo's simulated time."""
    shop = Flask(__name__)
    shop.config.update(SECRET_KEY=secrets.token_hex(32), SESSION_COOKIE_NAME="example-shop",
                       SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    goods = goods_for(category)
    orders: dict[str, Order] = {}
    untold: list[tuple[str, Order, str]] = []
    unsure: list[tuple[str, Order, dict[str, str] | None]] = []

    def now() -> str:
        return (datetime.now(UTC) + timedelta(seconds=clock_offset_seconds)).isoformat()

    def basket() -> list[tuple[Article, int]]:
        kept: dict[str, int] = session.get("basket", {})
        return [(goods[sku], count) for sku, count in kept.items() if sku in goods]

    def draft(number: str) -> Order:
        lines = [{"sku": each.sku, "product": each.name, "category": each.category, "brand": each.brand,
                  "quantity": count, "unit_price_cents": each.price_cents, "returned_quantity": 0}
                 for each, count in basket()]
        total = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
        return {"id": number, "ordered_at": now(), "modified_at": now(), "status": "paid", "currency": currency,
                "total_cents": total, "lines": lines, "coupons": []}

    def settle() -> None:
        """A request without an answer may have redeemed: the same key asks again, and what was sold without it goes
        back."""
        while unsure:
            again = winback.redeem(*unsure[0])
            if again is None or (again[0] in (200, 201) and winback.roll_back(again[1]["id"]) is None):
                return
            unsure.pop(0)

    def tell(topic: str, order: Order) -> None:
        """What could not be told is told before the next order, in the order in which it happened."""
        settle()
        order["modified_at"] = now()
        untold.append((topic, copy.deepcopy({k: v for k, v in order.items() if k not in ("redemption", "note")}),
                       f"msg_{uuid.uuid4().hex}"))
        while untold and winback.tell(untold[0][0], untold[0][1], untold[0][2]):
            untold.pop(0)

    def customer_of(form: Any) -> dict[str, str] | None:
        number, email = form.get("customer", "").strip(), form.get("email", "").strip()
        return {"external_id": number} if number else {"email": email} if email else None

    @shop.template_filter("money")
    def money(cents: int) -> str:
        return f"{cents / 100:,.2f} {currency}"

    @shop.context_processor
    def shared() -> dict[str, Any]:
        return {"pieces": sum(count for _each, count in basket())}

    @shop.get("/")
    def index() -> str:
        return render_template("index.html", goods=goods.values())

    @shop.get("/cart")
    def basket_link() -> Response:
        """The basket link of a mail or letter: the code waits in the code field."""
        session["code"] = request.args.get("code", "")[:60]
        return redirect(url_for("checkout") if basket() else url_for("index"))

    @shop.post("/basket")
    def put() -> Response:
        sku, count = request.form.get("sku", ""), request.form.get("count", 1, type=int)
        if sku not in goods:
            abort(404)
        kept = dict(session.get("basket", {}))
        kept[sku] = kept.get(sku, 0) + count
        session["basket"] = {name: min(number, 99) for name, number in kept.items() if number > 0}
        return redirect(url_for("checkout") if request.form.get("stay") else url_for("index"))

    @shop.get("/checkout")
    def checkout() -> str:
        return page(None)

    def page(said: str | None, *, off: int = 0, form: Any = None) -> str:
        total = sum(each.price_cents * count for each, count in basket())
        session.setdefault("number", f"E{secrets.token_hex(4).upper()}")
        return render_template("checkout.html", basket=basket(), total=total, off=off, said=said,
                               form=form or {"code": session.get("code", "")})

    @shop.post("/checkout")
    def pay() -> Response | str | tuple[str, int]:
        """Check the code, or order and pay. The number is drawn before, so that a double click is one order."""
        if not basket():
            return redirect(url_for("index"))
        form, number = request.form, session.setdefault("number", f"E{secrets.token_hex(4).upper()}")
        code, customer = form.get("code", "").strip()[:60], customer_of(form)
        order = draft(number)
        if form.get("do") == "check":
            answer = winback.validate(code, order, customer) if code else None
            if answer is None:
                return page("Enter a code." if not code else "Codes cannot be checked right now.", form=form)
            status, said = answer
            if status == 200 and said.get("valid"):
                return page("The code fits.", off=said["discount_cents"], form=form)
            return page(f"The code does not fit: {said.get('detail') or said.get('reason')}.", form=form)
        if number in orders:
            return redirect(url_for("order", number=number))
        if code:
            answer = winback.redeem(code, order, customer)
            if answer is not None and answer[0] not in (200, 201):
                return page(answer[1].get("detail", "The code was not accepted."), form=form), 422
            if answer is None:
                order["note"] = "Codes cannot be checked right now; you paid the full price."
                unsure.append((code, copy.deepcopy(order), customer))
            else:
                order["redemption"] = answer[1]["id"]
                order["coupons"] = [{"code": code, "discount_cents": answer[1]["discount_cents"]}]
        order["customer"] = {**(customer or {}), "email": form.get("email", "").strip() or None}
        orders[number] = order
        tell("order.created", order)
        for name in ("basket", "number", "code"):
            session.pop(name, None)
        return redirect(url_for("order", number=number))

    @shop.get("/orders/<number>")
    def order(number: str) -> str:
        found = orders.get(number) or abort(404)
        off = sum(each["discount_cents"] for each in found["coupons"])
        return render_template("order.html", order=found, off=off, told=not untold)

    @shop.post("/orders/<number>/cancel")
    def cancel(number: str) -> Response:
        found = orders.get(number) or abort(404)
        if found["status"] != "cancelled":
            found["status"] = "cancelled"
            if "redemption" in found:
                winback.roll_back(found["redemption"])
            tell("order.cancelled", found)
        return redirect(url_for("order", number=number))

    @shop.post("/orders/<number>/return")
    def send_back(number: str) -> Response:
        """One piece of a line comes back; Winback takes its part of the discount back."""
        found = orders.get(number) or abort(404)
        for line in found["lines"]:
            if line["sku"] == request.form.get("sku") and line["returned_quantity"] < line["quantity"]:
                line["returned_quantity"] += 1
                tell("order.refunded", found)
        return redirect(url_for("order", number=number))

    return shop


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

"""Phone and letter orders: an agent redeems a code for somebody, or gives an expired one more days with a reason."""

import secrets
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Conflict, Invalid, NotFound, WinbackError
from coupons.offers.discount import MAX_CENTS, Line
from coupons.offers.offers import usual_currency
from coupons.refusals import REASONS
from coupons.till.desk import LONGEST_RENEWAL_DAYS, desk_work, latest_renewals, redeem_at_desk, renew_code
from coupons.till.redeeming import validate
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.reserving import asking, deciding
from web.frame.presentation import zone
from web.frame.toasts import toast
from web.requests.transactions import database, reading, request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record
from web.shops.connections import list_connections
from web.wording import formatting

blueprint = Blueprint("desk", __name__)

CALLERS = ("admin", "marketer", "agent")
_TEXTS = ("code", "order", "shop", "total", "currency", "customer", "category", "reason", "days")


def _agent() -> str:
    who = person()
    return f"{who.name} ({who.email})"[:200] if who else ""


@blueprint.get("/calls/orders")
@needs_role(*CALLERS)
def index() -> ResponseReturnValue:
    """The form, and what agents did lately."""
    with reading() as session:
        currency = usual_currency(session)
    return _page({"currency": currency, "code": request.args.get("code", "").replace("\x00", "")[:60]})


def _page(form: dict[str, str], *, said: str | None = None, wrong: dict[str, str] | None = None,
          may_renew: bool = False) -> str:
    now = request_now()
    with reading() as session:
        work, renewals = desk_work(session, now=now), latest_renewals(session)
        shops = [(each.shop, each.name) for each in list_connections(session) if each.archived_at is None]
    return render_template(
        "pages/desk/index.html", form=form, said=said, wrong=wrong or {}, work=work, renewals=renewals, shops=shops,
        may_renew=may_renew, longest=LONGEST_RENEWAL_DAYS, key=form.get("key") or secrets.token_hex(16))


@blueprint.post("/calls/orders")
@needs_role(*CALLERS)
def act() -> ResponseReturnValue:
    """Check, redeem, or renew."""
    now = request_now()
    form = {name: request.form.get(name, "").replace("\x00", "").strip()[:400] for name in (*_TEXTS, "key", "do")}
    try:
        if form["do"] == "renew":
            return _renew(form, now)
        asked = _request(form)
        if form["do"] == "check":
            answer = asking(database(), lambda connection: validate(connection, asked.code, asked, now=now), now=now)
            if answer["valid"]:
                off = formatting.money(answer["discount_cents"], currency=asked.order.currency, exact=True)
                return _page(form, said=f"The code fits and takes off {off}.")
            return _refused(form, str(answer["reason"]))
        redeemed = deciding(database(), lambda connection: redeem_at_desk(
            connection, asked, agent=_agent(), key=form["key"] or secrets.token_hex(16), now=now), now=now)
    except (Invalid, NotFound, Conflict) as error:
        return _page(form, wrong={error.place or "code": error.message}), 400
    if redeemed.reason is not None:
        return _refused({**form, "key": ""}, redeemed.reason)
    off = formatting.money(redeemed.body["discount_cents"], currency=redeemed.body["currency"], exact=True)
    toast(f"Redeemed: {off} off order {redeemed.body['order_id']}.")
    return redirect(url_for("desk.index"), 303)


def _refused(form: dict[str, str], reason: str) -> tuple[str, int]:
    return _page(form, wrong={"code": REASONS[reason][1]}, may_renew=reason == "expired"), 422


def _renew(form: dict[str, str], now: Any) -> ResponseReturnValue:
    days = int(form["days"]) if form["days"].isascii() and form["days"].isdigit() and len(form["days"]) < 5 else 0
    try:
        with writing() as session:
            until = renew_code(session, form["code"], agent=_agent(), reason=form["reason"], days=days, now=now)
            record(session, "code.renewed", f"code:{form['code'][:64]}", now=now, reason=form["reason"][:300])
    except WinbackError as error:
        return _page(form, wrong={error.place or "code": error.message}, may_renew=True), 400
    last = formatting.day(until, today=formatting.local_date(now, zone()), zone=zone())
    return _page(form, said=f"The code is good again until {last}. Redeem it now.")


def _request(form: dict[str, str]) -> RedemptionRequest:
    if not form["code"]:
        raise Invalid("Type the code as the customer reads it.", place="code")
    if not form["order"]:
        raise Invalid("Type the order's number.", place="order")
    try:
        cents = Decimal(form["total"].replace(",", ".")) * 100
        total = int(cents)
    except (InvalidOperation, ValueError, OverflowError):
        total, cents = 0, Decimal(-1)
    if cents != total or not 0 < total <= MAX_CENTS:
        raise Invalid("Type what the goods cost, for example 129.90.", place="total")
    if len(form["currency"]) != 3 or not form["currency"].isalpha():
        raise Invalid("Three letters, for example EUR.", place="currency")
    # An offer for some goods only has to know what was ordered; all of the order stands as one line of that category.
    lines = (Line("", form["category"][:200], 1000, total),) if form["category"] else ()
    return RedemptionRequest(form["code"][:200], Order(form["order"][:200], total, form["currency"].upper(), lines),
                             form["shop"][:100], form["customer"][:200] or None)

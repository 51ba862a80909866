"""Shop connections: connect a shop, see how to set it up, send a test, rotate its secret, pause it, archive it."""

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.clock import wall_now
from core.errors import Conflict, Invalid, NotFound, WinbackError
from coupons.offers.offers import usual_currency
from web.frame.toasts import toast
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import settings
from web.security.access import needs_role
from web.security.audit import record
from web.shops import connections
from web.shops.inbox import last_received
from web.shops.models import ShopConnection
from web.shops.processing import parsed
from web.shops.shopware_app import APP, app_zip, is_registered
from web.shops.systems import SYSTEMS
from web.shops.systems.shape import Reading, Received
from web.shops.told import ODD, Told
from web.wording.formatting import money

blueprint = Blueprint("shops", __name__)

SAMPLE_CODE = "TEST-CODE"
_TEXTS = ("kind", "name", "shop", "zone", "currency", "shop_url", "link_template", "secret")


def find(session: Session, words: str) -> list[Found]:
    """Shops whose name or label holds the words."""
    wanted = words.casefold()
    return [Found(each.name, "shop", url_for("shops.show", public_id=each.public_id), "building-store")
            for each in connections.list_connections(session) if wanted in f"{each.name} {each.shop}".casefold()][:5]


@blueprint.get("/shops")
def index() -> ResponseReturnValue:
    """All connected shops."""
    with reading() as session:
        shops = connections.list_connections(session)
        newest = last_received(session)
    return render_template("pages/shops/index.html", shops=shops, systems=SYSTEMS, newest=newest)


@blueprint.get("/shops/_new")
@needs_role("admin")
def new() -> ResponseReturnValue:
    """Begin a connection."""
    with reading() as session:
        currency = usual_currency(session)
    texts = {"kind": "standard", "zone": str(current_app.config["WINBACK_ZONE"]), "currency": currency}
    return _form(texts)


def _form(texts: dict[str, str], wrong: dict[str, str] | None = None) -> str:
    return render_template("pages/shops/new.html", texts=texts, systems=SYSTEMS, wrong=wrong or {})


@blueprint.post("/shops/_new")
@needs_role("admin")
def create() -> ResponseReturnValue:
    """Connect a shop; its secret is in this answer and nowhere else."""
    now = request_now()
    texts = {name: request.form.get(name, "").replace("\x00", "")[:2000] for name in _TEXTS}
    try:
        with writing() as session:
            found, secret = connections.create_connection(
                session, texts["kind"], **{name: texts[name] for name in _TEXTS if name != "kind"},
                secret_key=settings().secret_key, now=now)
            record(session, "shop.connected", f"shop:{found.public_id}", now=now, kind=found.kind)
            public_id = found.public_id
    except (Invalid, Conflict) as error:
        return _form(texts, {error.place or "name": error.message}), 400
    return _page(public_id, secret=None if texts["secret"].strip() else secret), 200, {"Cache-Control": "no-store"}


@blueprint.get("/shops/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """One shop: its address, how to set it up, its basket link, its secret's age."""
    return _page(public_id)


def _page(public_id: str, *, secret: str | None = None, tested: dict[str, Any] | None = None,
          wrong: dict[str, str] | None = None) -> str:
    with reading() as session:
        found = connections.connection_by_id(session, public_id)
        newest = last_received(session).get(found.id)
    system = SYSTEMS[found.kind]
    registered = is_registered(found, secret_key=settings().secret_key)
    return render_template(
        "pages/shops/show.html", shop=found, system=system, secret=secret, tested=tested, wrong=wrong or {},
        registered=registered,
        newest=newest, address=f"{settings().base_url}/hooks/{found.kind}/{found.public_id}", form=request.form,
        link=connections.basket_link(found, "SOFA-2026"), liquid=connections.basket_link(found, "{{ code }}"))


@blueprint.post("/shops/<public_id>")
@needs_role("admin")
def edit(public_id: str) -> ResponseReturnValue:
    """Change name, zone, currency, address or basket link."""
    now = request_now()
    texts = {name: request.form.get(name, "").replace("\x00", "")[:2000]
             for name in ("name", "zone", "currency", "shop_url", "link_template")}
    try:
        with writing() as session:
            connections.edit_connection(session, public_id, **texts)
            record(session, "shop.edited", f"shop:{public_id}", now=now)
    except Invalid as error:
        return _page(public_id, wrong={error.place or "name": error.message}), 400
    toast("Saved.")
    return redirect(url_for("shops.show", public_id=public_id), 303)


@blueprint.post("/shops/<public_id>/rotate")
@needs_role("admin")
def rotate(public_id: str) -> ResponseReturnValue:
    """Make another secret current; the one before stays good until it is ended."""
    now = request_now()
    given = request.form.get("secret", "").replace("\x00", "")[:400]
    try:
        with writing() as session:
            secret = connections.rotate_secret(session, public_id, secret=given, secret_key=settings().secret_key,
                                               now=now)
            record(session, "shop.secret_rotated", f"shop:{public_id}", now=now)
    except Invalid as error:
        return _page(public_id, wrong={error.place or "secret": error.message}), 400
    if given.strip():
        toast("The secret is stored. The one before stays good until you end it.")
        return redirect(url_for("shops.show", public_id=public_id), 303)
    return _page(public_id, secret=secret), 200, {"Cache-Control": "no-store"}


@blueprint.get("/shops/<public_id>/app.zip")
@needs_role("admin")
def app_file(public_id: str) -> ResponseReturnValue:
    """The app that a Shopware shop installs; it holds a secret, so every download is noted."""
    now = request_now()
    with writing() as session:
        found = connections.connection_by_id(session, public_id)
        if found.kind != "shopware" or found.archived_at is not None:
            raise NotFound("Only a connected Shopware shop has an app.")
        packed = app_zip(found, base_url=settings().base_url, secret_key=settings().secret_key)
        record(session, "shop.app_downloaded", f"shop:{public_id}", now=now)
    answer = Response(packed, mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{APP}.zip")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/shops/<public_id>/<any(end, pause, resume, archive):act>")
@needs_role("admin")
def change(public_id: str, act: str) -> ResponseReturnValue:
    """End a rotation, pause, resume, archive."""
    now = request_now()
    said = {"end": "The secret before is no longer good.",
            "pause": "Paused. What comes in is stored and waits.",
            "resume": "What waited is worked through now.",
            "archive": "Archived. Its address answers no more; what it told stays."}[act]
    with writing() as session:
        if act == "end":
            connections.end_rotation(session, public_id)
        elif act == "pause":
            connections.pause(session, public_id, now=now)
        elif act == "resume":
            connections.resume(session, public_id)
        else:
            connections.archive(session, public_id, now=now)
        record(session, f"shop.{act}", f"shop:{public_id}", now=now)
    toast(said)
    return redirect(url_for("shops.show", public_id=public_id), 303)


@blueprint.post("/shops/<public_id>/test")
@needs_role("admin", "marketer")
def test(public_id: str) -> ResponseReturnValue:
    """Send a signed sample to the shop's own address, as the shop would, and say what was read."""
    now = request_now()
    with reading() as session:
        found = connections.connection_by_id(session, public_id)
    return _page(public_id, tested=_tested(found, now))


def _tested(found: ShopConnection, now: Any) -> dict[str, Any]:
    system = SYSTEMS[found.kind]
    secret = connections.current_secret(found, secret_key=settings().secret_key)
    sample = system.sample(secret, SAMPLE_CODE, now, int(wall_now().timestamp()))
    answer = current_app.test_client(use_cookies=False).post(
        f"/hooks/{found.kind}/{found.public_id}", data=sample.body, headers=sample.headers)
    result: dict[str, Any] = {"status": answer.status_code, "lines": [], "fine": answer.status_code == 200}
    if answer.status_code != 200:
        result["lines"].append(str((answer.get_json(silent=True) or {}).get("detail", "")))
        return result
    payload = parsed(sample.body)
    received = Received({name.lower(): value for name, value in sample.headers.items()}, sample.body)
    try:
        told = system.read(payload, Reading(found.shop, found.zone, system.topic(received, payload), now))
    except WinbackError as error:
        return {**result, "fine": False, "lines": [str(error)]}
    if isinstance(told, Told) and told.order is not None:
        lines = len(told.order.lines)
        result["lines"] += [
            "The signature was right, the delivery is in the inbox.",
            f"Read as order {told.number} with {lines} {'line' if lines == 1 else 'lines'}, "
            f"{money(told.order.goods_cents, currency=told.order.currency, exact=True)}.",
            *(f"Code {code.code} took off {money(code.discount_cents, currency=told.order.currency, exact=True)}."
              for code in told.codes),
            *(ODD[word] for word in told.odd),
            "Tests are read and never recorded.",
        ]
    return result

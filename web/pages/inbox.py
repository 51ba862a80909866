"""The inbox of the shops: what came, what became of it, the body of one delivery, and doing it again."""

import contextlib
import json
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Conflict
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record
from web.shops import inbox
from web.shops.connections import list_connections
from web.shops.told import ODD

blueprint = Blueprint("inbox", __name__)

LONGEST_SHOWN = 60_000
STATE_WORDS = {"received": ("waits", ""), "done": ("done", ""), "failed": ("failed", "b"), "ignored": ("ignored", "")}
"""State of a delivery -> its word and how its pill looks."""


def nav_count(session: Session, _now: object) -> int:
    """Deliveries that failed and wait for somebody."""
    return inbox.state_counts(session)["failed"]


@blueprint.get("/inbox")
def index() -> ResponseReturnValue:
    """Deliveries newest first, by state, shop and what is odd about them."""
    asked = {name: request.args.get(name, "").replace("\x00", "")[:200] for name in ("state", "shop", "order")}
    state = asked["state"] if asked["state"] in inbox.STATES else ""
    flagged = request.args.get("flagged") == "yes"
    before = cursor(request.args.get("before")) or None
    with reading() as session:
        rows, following = inbox.list_deliveries(
            session, state=state or None, shop=asked["shop"] or None, order=asked["order"] or None, flagged=flagged,
            before=before)
        counts = inbox.state_counts(session)
        shops = list_connections(session)
    kept: dict[str, Any] = {"state": state or None, "shop": asked["shop"] or None, "order": asked["order"] or None,
            "flagged": "yes" if flagged else None}
    return render_template(
        "pages/inbox/index.html", rows=rows, counts=counts, shops=shops, state=state, asked=asked, flagged=flagged,
        odd=ODD, words=STATE_WORDS, first=url_for("inbox.index", **kept) if before else None,
        following=url_for("inbox.index", before=following, **kept) if following else None)


@blueprint.get("/inbox/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """One delivery with its body as it came."""
    with reading() as session:
        found, shop = inbox.delivery(session, number if number < 2**62 else 0)
    return render_template("pages/inbox/show.html", delivery=found, shop=shop, body=_pretty(found.body), odd=ODD,
                           words=STATE_WORDS)


def _pretty(body: bytes | None) -> str | None:
    """The body for reading; the page escapes it."""
    if body is None:
        return None
    text = body[:LONGEST_SHOWN].decode("utf-8", "replace")
    if len(body) <= LONGEST_SHOWN:
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    shown = "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
    return shown if len(body) <= LONGEST_SHOWN else f"{shown}\n… {len(body) - LONGEST_SHOWN} more bytes"


@blueprint.post("/inbox/<int:number>/replay")
def replay(number: int) -> ResponseReturnValue:
    """Work through one delivery again."""
    now = request_now()
    try:
        with writing() as session:
            inbox.replay(session, number if number < 2**62 else 0, now=now)
            record(session, "delivery.replayed", f"delivery:{number}", now=now)
    except Conflict as error:
        toast(error.message, kind="refused")
    else:
        toast("It is worked through again in a moment.")
    return redirect(url_for("inbox.show", number=number), 303)


@blueprint.post("/inbox/_replay-failed")
def replay_failed() -> ResponseReturnValue:
    """Work through all failed deliveries again."""
    now = request_now()
    with writing() as session:
        count = inbox.replay_failed(session, now=now)
        record(session, "delivery.all_replayed", "deliveries", now=now, count=count)
    toast(f"{count} {'delivery is' if count == 1 else 'deliveries are'} worked through again.")
    return redirect(url_for("inbox.index"), 303)

"""The pages of codes: the list with filters, one code's life, withdrawing it and taking a redemption back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.codes import canonical, grouped
from core.errors import Invalid, NotFound
from coupons.offers import list_offers
from coupons.redeeming import roll_back
from coupons.showing import find_code, list_codes, stored_redemption
from coupons.states import SHOWN_STATES
from coupons.story import CodeStory, code_story, revoke_code
from delivery.showing import MessageFilter, list_messages
from web import formatting
from web.access import needs_role
from web.addresses import customer_href
from web.audit import record
from web.registry import Found
from web.toasts import toast
from web.transactions import reading, request_now, writing

blueprint = Blueprint("codes", __name__)

PAGE = 50


@blueprint.app_template_filter("instant")
def instant(text: str) -> datetime:
    """An instant of a JSON form as a value again."""
    return datetime.fromisoformat(text)


@blueprint.context_processor
def _words_for_templates() -> dict[str, Any]:
    return {"customer_href": customer_href}


def _happened(story: CodeStory, messages: Sequence[dict[str, Any]]) -> list[tuple[datetime, str, Any]]:
    """What happened to a code, newest first: (when, what, the row behind it)."""
    body = story.body
    found: list[tuple[datetime, str, Any]] = [(instant(body["issued_at"]), "issued", body)]
    found += [(row.redeemed_at, "redeemed", row) for row in story.redemptions]
    found += [(row.rolled_back_at, "rolled_back", row) for row in story.redemptions if row.rolled_back_at is not None]
    found += [(row.at, "refused", row) for row in story.refusals]
    found += [(row.reserved_at, "reserved", row) for row in story.reservations]
    found += [(row.settled_at, row.state, row) for row in story.reservations if row.settled_at is not None]
    found += [(instant(message["sent_at"] or message["settled_at"] or message["queued_at"]), "message", message)
              for message in messages]
    if body["revoked_at"]:
        found.append((instant(body["revoked_at"]), "revoked", body))
    return sorted(found, key=lambda event: event[0], reverse=True)


def find(session: Session, words: str) -> list[Found]:
    """The code that somebody typed, however they typed it."""
    typed = canonical(words)
    if len(typed) < 6:
        return []
    try:
        body = find_code(session, words, now=request_now())
    except NotFound:
        return []
    return [Found(body["display"], f"code, {body['state']}", url_for("codes.show", code=body["code"]), "ticket")]


@blueprint.get("/codes")
def index() -> ResponseReturnValue:
    """List codes by state and offer; a typed code leads to its page."""
    now = request_now()
    typed = request.args.get("q", "").replace("\x00", "").strip()
    state, offer = request.args.get("state", ""), request.args.get("offer", "").replace("\x00", "")
    after = request.args.get("after", 0, type=int)
    missing = None
    with reading() as session:
        if typed:
            try:
                return redirect(url_for("codes.show", code=find_code(session, typed[:200], now=now)["code"]))
            except NotFound:
                shown = grouped(canonical(typed[:64])) or typed[:64]
                missing = f"There is no code {shown}. Check it for typing mistakes."
        rows, following = list_codes(
            session, state=state if state in SHOWN_STATES else None, offer=offer or None, after=max(after, 0),
            limit=PAGE, now=now)
        offers = [(found.key, found.name) for found in list_offers(session, limit=200)]
    chosen: dict[str, Any] = {name: value for name, value in (("state", state), ("offer", offer)) if value}
    return render_template("pages/codes/index.html", rows=rows, offers=offers, state=state, offer=offer, typed=typed,
                           missing=missing, following=url_for("codes.index", after=following, **chosen)
                           if following else None, first=url_for("codes.index", **chosen) if after else None)


@blueprint.get("/codes/<code>")
def show(code: str) -> ResponseReturnValue:
    """One code's life: issued, sent, redeemed, refused, withdrawn."""
    now = request_now()
    with reading() as session:
        story = code_story(session, code.replace("\x00", ""), now=now)
        messages: list[dict[str, Any]] = []
        if story.body["customer"]:
            found, _more = list_messages(session, MessageFilter(customer=story.body["customer"]), limit=500)
            messages = [message for message in found if message["code"] == story.body["code"]]
    return render_template("pages/codes/show.html", story=story, code=story.body,
                           happened=_happened(story, messages))


@blueprint.post("/codes/<code>/revoke")
def revoke(code: str) -> ResponseReturnValue:
    """Withdraw an unused code; a second click finds it withdrawn and says so."""
    now = request_now()
    reason = request.form.get("reason", "").strip()[:100] or "withdrawn by hand"
    with writing() as session:
        withdrawn = revoke_code(session, code.replace("\x00", ""), reason=reason, now=now)
        if withdrawn:
            record(session, "code.revoked", f"code:{canonical(code)}", now=now, why=reason)
    if withdrawn:
        toast("The code is withdrawn. Shops refuse it from now on.")
    else:
        toast("Nothing was changed: the code has been used or was withdrawn already.", kind="refused")
    return redirect(url_for("codes.show", code=code), 303)


@blueprint.post("/redemptions/<public_id>/rollback")
@needs_role("admin", "marketer")
def rollback(public_id: str) -> ResponseReturnValue:
    """Take a whole redemption back; repeated it changes nothing more."""
    now = request_now()
    if not (public_id.isascii() and public_id.isprintable()):
        raise NotFound("There is no such redemption.")
    with writing() as session:
        before = stored_redemption(session.connection(), public_id=public_id)
        if before is None:
            raise NotFound("There is no such redemption.")
        if before["state"] != "redeemed":
            raise Invalid("This redemption was taken back already.")
        body = roll_back(session.connection(), public_id, key="page: all of it", now=now)
        record(session, "redemption.rolled_back", f"redemption:{public_id}", now=now)
    cents = body["rolled_back_cents"] - before["rolled_back_cents"]
    toast(f"{formatting.money(cents, currency=body['currency'], exact=True)} taken back. The code may be used again "
          "if it is still valid.")
    return redirect(url_for("codes.show", code=body["code"]), 303)

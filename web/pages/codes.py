"""The pages of codes: the list with filters, one code's life, taking a redemption back."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from campaigns.planning import list_campaigns
from core.codes import canonical, grouped
from core.errors import Invalid, NotFound
from coupons.codes.showing import find_code, list_codes, names_for, stored_redemption
from coupons.codes.stopping import Target
from coupons.codes.story import CodeStory, code_story
from coupons.locking import in_turn
from coupons.offers.offers import list_offers
from coupons.offers.wording import offer_words
from coupons.states import SHOWN_STATES
from coupons.till.redeeming import roll_back
from delivery.person import messages_before
from web.coupons.code_links import link_of
from web.coupons.code_story import code_lines
from web.coupons.stops import stops_of
from web.frame.paging import cursor
from web.frame.presentation import zone
from web.frame.toasts import toast
from web.people.story import Teller
from web.registry import Found
from web.requests.transactions import database, reading, request_now
from web.security.access import needs_role
from web.security.audit import record
from web.wording import formatting

blueprint = Blueprint("codes", __name__)

PAGE = 50


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
    after = cursor(request.args.get("after"))
    missing = None
    with reading() as session:
        if typed:
            try:
                return redirect(url_for("codes.show", code=find_code(session, typed[:200], now=now)["code"]))
            except NotFound:
                shown = grouped(canonical(typed[:64])) or typed[:64]
                missing = f"There is no code {shown}. Check it for typing mistakes."
        rows, following = list_codes(
            session, state=state if state in SHOWN_STATES else None, offer=offer or None, after=after,
            limit=PAGE, now=now)
        offers = [(found.key, found.name) for found in list_offers(session, limit=200)]
        campaigns = {campaign.key: campaign.name for campaign in list_campaigns(session)} if rows else {}
    chosen: dict[str, Any] = {name: value for name, value in (("state", state), ("offer", offer)) if value}
    return render_template("pages/codes/index.html", rows=rows, offers=offers, state=state, offer=offer, typed=typed,
                           names=dict(offers), campaigns=campaigns,
                           missing=missing, following=url_for("codes.index", after=following, **chosen)
                           if following else None, first=url_for("codes.index", **chosen) if after else None)


@blueprint.get("/codes/<code>")
def show(code: str) -> ResponseReturnValue:
    """One code's life: issued, shown, tried, redeemed, taken back, stopped."""
    now = request_now()
    with reading() as session:
        story = code_story(session, code.replace("\x00", ""), now=now)
        holder, text = story.code.customer_id, story.code.code
        messages = messages_before(session, holder, code=text, limit=100) if holder is not None else []
        stops = stops_of(session, _targets(story))
        link = link_of(session, story.code.written or text, only=story.offer.shops, shop=request.args.get("shop"))
        campaigns = list_campaigns(session)
        teller = Teller(zone(), now, {each.key: each.name for each in campaigns}, lambda _code: None,
                        lambda _number: "", {each.key: each.currency for each in campaigns})
        lines = code_lines(story, messages, stops, teller)
        terms = offer_words(story.offer, names=names_for(session, story.offer))
    months = [(formatting.month(first), list(group)) for first, group in groupby(
        lines, key=lambda line: formatting.local_date(line.at, zone()).replace(day=1))]
    return render_template("pages/codes/show.html", story=story, code=story.body, months=months, terms=terms, link=link,
                           campaign=teller.campaigns.get(story.code.campaign or "", story.code.campaign),
                           is_public=story.batch is not None and story.batch.kind == "public")


def _targets(story: CodeStory) -> list[Target]:
    """What a stop of this code could have been about."""
    code = story.code
    found = [Target("code", code.code), Target("offer", story.offer.key)]
    if code.batch_id is not None:
        found.append(Target("batch", str(code.batch_id)))
    return [*found, Target("campaign", code.campaign)] if code.campaign else found


@blueprint.post("/redemptions/<public_id>/rollback")
@needs_role("admin", "marketer")
def rollback(public_id: str) -> ResponseReturnValue:
    """Take a whole redemption back; repeated it changes nothing more."""
    now = request_now()
    if not (public_id.isascii() and public_id.isprintable()):
        raise NotFound("There is no such redemption.")

    def take_back(connection: Connection) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        before = stored_redemption(connection, public_id=public_id)
        if before is None:
            raise NotFound("There is no such redemption.")
        if before["state"] != "redeemed":
            raise Invalid("This redemption was taken back already.")
        body = roll_back(connection, public_id, key="page: all of it", now=now)
        with Session(connection) as session:
            record(session, "redemption.rolled_back", f"redemption:{public_id}", now=now)
        return before, body

    before, body = in_turn(database(), take_back)  # tills at the same offer may make a ring with it
    cents = body["rolled_back_cents"] - before["rolled_back_cents"]
    toast(f"{formatting.money(cents, currency=body['currency'], exact=True)} taken back. The code may be used again "
          "if it is still valid.")
    return redirect(url_for("codes.show", code=body["code"]), 303)

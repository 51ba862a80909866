"""A new journey: for which campaign, and the few questions from which it is drawn."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from campaigns.showing import segment_key
from core.errors import Invalid
from coupons.offers.offers import list_offers
from coupons.offers.wording import offer_words
from delivery.contents import list_contents
from journeys.editing import editing
from journeys.graphs.graph import ENTERING, LEAVING, MOVES
from journeys.telling.overview import journeys_by_campaign
from segments.saving.saved import list_segments
from web.amounts import read_whole
from web.audit import record
from web.campaign_form import key_from
from web.journey_template import Wish, ready_graph
from web.journey_words import CHANNEL_WORDS
from web.links import page_url
from web.pages.journeys import blueprint
from web.toasts import toast
from web.transactions import reading, request_now, writing

WAYS_IN = [("", "at the start: everybody who is in it then"), (ENTERING, "from then on: whoever comes into it"),
           (LEAVING, "from then on: whoever leaves it")]


@blueprint.get("/journeys/_new")
def new() -> ResponseReturnValue:
    """Begin a journey for a campaign, from a ready one."""
    with reading() as session:
        key = request.args.get("campaign")
        if not key:
            taken = journeys_by_campaign(session)
            campaigns = [each for each in list_campaigns(session) if each.state == "draft" and each.id not in taken]
            return render_template("pages/journeys/choose.html", campaigns=campaigns)
        campaign = campaign_by_key(session, key)
        return _new_page(session, campaign, dict(request.args), {})


@blueprint.post("/journeys/_new")
def create() -> ResponseReturnValue:
    """Make the ready journey of the form's choices as a draft, or an empty one to write by hand."""
    form, now = request.form, request_now()
    with reading() as session:
        campaign = campaign_by_key(session, form.get("campaign", ""))
        existing = journeys_by_campaign(session).get(campaign.id)
        if existing is not None:
            toast(f"{campaign.name} already has its journey.")
            return redirect(url_for("journeys.show", key=existing.key))
        wish, errors = _wish(session, campaign, form)
        if errors:
            return _new_page(session, campaign, form.to_dict(), errors), 400
        taken = {each.key for each in editing.list_journeys(session)}
    with writing() as session:
        journey = editing.save_draft(
            session, key_from(campaign.name, taken=taken.__contains__), ready_graph(campaign, wish),
            campaign_id=campaign.id, expected_version=0, now=now)
        record(session, "journey.saved", f"journey:{journey.key}", now=now)
        key = journey.key
    toast("The journey is drawn. Look at it, then publish it.")
    return redirect(url_for("journeys.show", key=key))



def _new_page(session: Session, campaign: Campaign, typed: dict[str, str], errors: dict[str, str]) -> str:
    contents = [(each.key, each.name) for each in list_contents(session)]
    offers = [(each.key, f"{each.name} ({offer_words(each)})") for each in list_offers(session, limit=500)
              if each.active]
    values = {"segment": segment_key(session, campaign) or "", "reminder_days": "7", "channel": "preferred",
              "fallback": "yes", "reminder": "", "offer_a": "", "offer_b": "", "content": "", "on": ""} | typed
    return render_template(
        "pages/journeys/new.html", campaign=campaign, contents=contents, offers=offers, values=values, errors=errors,
        segments=[(each.key, each.name) for each in list_segments(session)], ways_in=WAYS_IN,
        content_url=page_url("contents.new"))


def _wish(session: Session, campaign: Campaign, form: Any) -> tuple[Wish, dict[str, str]]:
    """The choices of the form, and what is wrong with them by field."""
    errors: dict[str, str] = {}
    segments = {each.key for each in list_segments(session)}
    contents = {each.key for each in list_contents(session)}
    offers = {each.key for each in list_offers(session, limit=500)}
    segment, content, reminder = (form.get(name, "") for name in ("segment", "content", "reminder"))
    if segment not in segments:
        errors["segment"] = "Choose who enters."
    if content not in contents:
        errors["content"] = "Choose what is said first."
    if reminder and reminder not in contents:
        errors["reminder"] = "There is no such content any more. Choose another."
    chosen = list(dict.fromkeys(form.get(name, "") for name in ("offer_a", "offer_b") if form.get(name)))
    errors |= {name: "There is no such offer any more. Choose another." for name in ("offer_a", "offer_b")
               if form.get(name) and form[name] not in offers}
    if form.get("offer_a") and form.get("offer_a") == form.get("offer_b"):
        errors["offer_b"] = "Both are the same offer. Choose another, or leave this empty."
    days = 7
    try:
        days = read_whole(form.get("reminder_days", "") or "7")
        if not 1 <= days <= 365:
            raise Invalid("Use 1 to 365 days.")
    except Invalid as error:
        errors["reminder_days"] = error.message
    channel = form.get("channel", "preferred")
    if channel not in ("preferred", *CHANNEL_WORDS):
        errors["channel"] = "Choose one of these channels."
    on = form.get("on", "") or None
    if on is not None and on not in MOVES:
        errors["on"] = "Choose when they enter."
    return Wish(segment, content, chosen, reminder, days, channel, bool(form.get("fallback")), on), errors

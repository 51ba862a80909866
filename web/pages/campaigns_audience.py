"""Whom a campaign would reach, as a waterfall whose every number opens its people."""

from datetime import datetime
from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from campaigns.showing import segment_key
from core.errors import NotFound, NotReady, TooSlow
from customers.people import customers_with_city, display_name, find_customer
from delivery.policy import CHANNELS
from delivery.preference import choose_channels
from journeys.editing.audience import REACHED, START, Audience, Line, audience, people_in
from journeys.telling.overview import journeys_by_campaign
from web.frame.fragments import part_of
from web.frame.links import customer_url, segment_url
from web.frame.paging import cursor
from web.frame.plots import Channel, Exclusion, Waterfall, waterfall
from web.frame.toasts import toast
from web.pages.campaigns import CHANNEL_WORDS, PAGE, blueprint, draws_people
from web.requests.questions import questions
from web.requests.transactions import reading, request_now

CHANNEL_SIGNS = {"email": "mail", "letter": "mailbox", "phone": "phone"}


@blueprint.get("/campaigns/<key>/audience")
@part_of("campaigns.show")
def audience_fragment(key: str) -> ResponseReturnValue:
    """The reach of the campaign as things stand, as a fragment."""
    now = request_now()
    with reading() as session:
        campaign = campaign_by_key(session, key)
        segment = segment_key(session, campaign)
        draws = campaign.state == "draft" and draws_people(journeys_by_campaign(session).get(campaign.id))
    page = "pages/campaigns/audience.html"
    try:
        found = audience(questions(), key, now=now, secret_key=_secret_key())
    except (NotFound, NotReady, TooSlow) as error:
        return render_template(page, fall=None, problem=error.message, draws=draws)
    drawn = {each.part: each for each in found.lines if each.kind in ("held_out", "arm", "best")}
    nobody = [each.words for each in found.lines if each.kind == "minus" and not each.people and each.part != "silent"]
    return render_template(page, fall=_fall(campaign, found, segment), drawn=drawn.values(), nobody=nobody,
                           audience=found, campaign=campaign, problem=None, href=lambda part: _href(key, part),
                           segment_url=segment_url, draws=draws)


@blueprint.get("/campaigns/<key>/audience/people")
def audience_people(key: str) -> ResponseReturnValue:
    """The people behind one number of the reach."""
    now, after = request_now(), cursor(request.args.get("after"))
    part = request.args.get("part", REACHED)[:140]
    with reading() as session:
        campaign = campaign_by_key(session, key)
    line, ids = people_in(questions(), key, part, now=now, secret_key=_secret_key())
    ahead = [customer_id for customer_id in ids if customer_id > after]
    with reading() as session:
        people = _people(session, ahead[:PAGE], now=now)
    following = ahead[PAGE - 1] if len(ahead) > PAGE else None
    reason = line.words if line.kind == "minus" else ""
    return render_template("pages/campaigns/people.html", campaign=campaign, part=part, heading=_heading(line),
                           people=people, following=following, after=after, channels=CHANNEL_WORDS, total=len(ids),
                           reason=reason if part != "silent" else "", customer_url=customer_url)


@blueprint.get("/campaigns/<key>/why")
def why(key: str) -> ResponseReturnValue:
    """Why somebody did, or did not, get it: the answer stands on their own page."""
    typed = request.args.get("customer", "").strip()[:200].replace("\0", "")
    try:
        with reading() as session:
            campaign_by_key(session, key)
            if not typed:
                raise NotFound("Type the customer's number, as on their page.")
            customer = find_customer(session, typed)
    except NotFound as error:
        toast(error.message, kind="refused")
        return redirect(url_for("campaigns.show", key=key))
    return redirect(url_for("customers.show", external_id=customer.external_id, why=key))


def _fall(campaign: Campaign, found: Audience, segment: str | None) -> Waterfall:
    lines, key = found.lines, campaign.key
    steps = [Exclusion(each.words, each.people, _href(key, each.part))
             for each in lines if each.kind == "minus" and each.people]
    start = next(each.people for each in lines if each.kind == "start")
    channels = [Channel(CHANNEL_WORDS[each.words], each.people, CHANNEL_SIGNS[each.words], _href(key, each.part))
                for each in lines if each.kind == "channel"]
    # What was worked out for a spread of people does not add up with what was counted: the spread's share is scaled.
    scale = found.left / found.of if found.of else 1.0
    if scale != 1.0:
        silent = next(each for each in lines if each.part == "silent")
        steps = [step for step in steps if step.label != silent.words]
        steps.append(Exclusion(silent.words, round(silent.people * scale), _href(key, silent.part)))
        channels = [Channel(each.label, round(each.people * scale), each.icon, each.href) for each in channels]
    return waterfall("In the segment", start, exclusions=steps, channels=channels,
                     start_href=_href(key, START) if segment else None, reachable_href=_href(key, REACHED))


def _heading(line: Line) -> str:
    if line.kind == "channel":
        return f"Would be written to by {CHANNEL_WORDS[line.words].lower()}"
    if line.kind == "arm":
        return f"Drawn for {line.words}"
    return {"minus": f"Left out: {line.words[:1].lower()}{line.words[1:]}"}.get(line.kind, line.words)


def _people(session: Session, ids: list[int], *, now: datetime) -> list[dict[str, Any]]:
    """Name, number and the channel that would be chosen (or why none) of these customers."""
    rows = customers_with_city(session, ids)
    known = [each for each in ids if each in rows]
    choices = choose_channels(session.connection(), known, wish="preferred", allowed=CHANNELS, now=now,
                              secret_key=_secret_key())
    return [{"name": display_name(rows[each][0]), "customer": rows[each][0].external_id, "city": rows[each][1],
             "channel": choice.channel, "why": choice.why} for each, choice in zip(known, choices, strict=True)]


def _href(key: str, part: str) -> str:
    return url_for("campaigns.audience_people", key=key, part=part)


def _secret_key() -> str:
    return str(current_app.extensions["winback.settings"].secret_key)

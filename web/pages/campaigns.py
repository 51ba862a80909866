"""Campaigns: the list, the form, one campaign with its messages and its journey, and its start and end."""

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, check_campaign, list_campaigns, save_campaign
from campaigns.problems import InvalidPlan, Problem, insist
from campaigns.showing import count_campaigns, past_sizes, segment_key, segment_names
from campaigns.standing import list_standing
from campaigns.states import SENTENCES
from core.errors import Conflict, Invalid
from coupons.codes.feed import redeemed_by_campaign
from customers.categories import list_categories
from delivery.showing import MessageFilter, count_messages, list_messages, message_counts
from journeys.editing import editing
from journeys.editing.playbook import plays
from journeys.graphs.reading import read_graph
from journeys.models import Journey
from journeys.telling.overview import journey_lines, journeys_by_campaign
from journeys.telling.showing import Standing, excluded_reasons, standings, version_of
from segments.saving.saved import list_segments
from web.campaigns.approvals import STATES as APPROVAL_STATES
from web.campaigns.approvals import approval_view
from web.campaigns.form import (
    CURRENCIES,
    ZONES,
    CampaignForm,
    empty_form,
    fields_of,
    following_form,
    form_of,
    key_from,
    typed_form,
)
from web.campaigns.messages import CHANNELS, STATE_NOTES, STATE_WORDS, TROUBLE, state_lines
from web.frame.links import customer_url, segment_url
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.security.access import CHANGERS, needs_role, person
from web.security.audit import record
from web.wording.states import STATE_PILLS, window_words

blueprint = Blueprint("campaigns", __name__)

PAGE = 100
CHANNEL_WORDS = {"email": "Newsletter", "letter": "Letter", "phone": "Phone"}
_MESSAGE_COLUMNS = ["State", *((words, "num") for _name, words in CHANNELS), ("None chosen", "num hide-m"),
                    ("All", "num")]


def nav_count(session: Session, _now: datetime) -> int:
    """Campaigns that are planned or run."""
    return count_campaigns(session)


def find(session: Session, words: str) -> list[Found]:
    """Campaigns for the jump box."""
    wanted = words.casefold()
    return [Found(campaign.name, campaign.state, url_for("campaigns.show", key=campaign.key), "speakerphone")
            for campaign in list_campaigns(session) if wanted in campaign.name.casefold() or wanted in campaign.key]


@blueprint.get("/campaigns")
def index() -> ResponseReturnValue:
    """List campaigns that are planned, run or ran here; those of the past stand with the reports."""
    now = request_now()
    with reading() as session:
        campaigns = [each for each in list_campaigns(session) if each.state != "history"]
        lines = {line.campaign.id: line for line in journey_lines(session, day_start=now, now=now)}
        redeemed = redeemed_by_campaign(session)
        segments = segment_names(session, campaigns)
        past = len(past_sizes(session))
    rows = [{
        "campaign": each, "window": window_words(each, now=now), "line": lines.get(each.id),
        "segment": segments.get(each.id), "codes": redeemed.get(each.key, (0, 0)), "pill": STATE_PILLS[each.state],
    } for each in campaigns]
    return render_template("pages/campaigns/index.html", rows=rows, past=past, segment_url=segment_url)


@blueprint.get("/campaigns/_new")
@needs_role(*CHANGERS)
def new() -> ResponseReturnValue:
    """The empty form, or with `after` the one that plans the next campaign from an earlier one."""
    who = person()
    owner = who.name if who else ""
    if (earlier := request.args.get("after")) is None:
        return _form_page(empty_form(owner=owner, segment=request.args.get("segment", "")[:100]), None)
    with reading() as session:
        campaign = campaign_by_key(session, earlier)
        form = following_form(campaign, segment=segment_key(session, campaign), known=list_categories(session),
                              offer=request.args.get("offer", "")[:200], owner=owner)
    return _form_page(form, None)


@blueprint.post("/campaigns/_new")
def create() -> ResponseReturnValue:
    """Make a campaign from the form."""
    form = typed_form(request.form)
    now = request_now()
    try:
        with writing() as session:
            taken = {each.key for each in list_campaigns(session)}
            key = key_from(form.texts["name"], taken=taken.__contains__)
            campaign = _save(session, key, form, None, now)
    except InvalidPlan as error:
        form.take_problems(error.problems)
        return _form_page(form, None), 400
    toast(f"“{campaign.name}” is planned. Next: its journey.")
    return redirect(url_for("campaigns.show", key=campaign.key))


@blueprint.get("/campaigns/<key>/edit")
@needs_role(*CHANGERS)
def edit(key: str) -> ResponseReturnValue:
    """The form of a stored campaign."""
    with reading() as session:
        campaign = campaign_by_key(session, key)
        form = form_of(campaign, segment=segment_key(session, campaign), known=list_categories(session))
    return _form_page(form, campaign)


@blueprint.post("/campaigns/<key>/edit")
def update(key: str) -> ResponseReturnValue:
    """Save the form; after somebody else's change the typed text stays and nothing is overwritten."""
    form = typed_form(request.form)
    now = request_now()
    try:
        with writing() as session:
            campaign = _save(session, key, form, campaign_by_key(session, key), now)
    except InvalidPlan as error:
        form.take_problems(error.problems)
        with reading() as session:
            return _form_page(form, campaign_by_key(session, key)), 400
    except Conflict:
        with reading() as session:
            campaign = campaign_by_key(session, key)
        form.version = campaign.version
        return _form_page(form, campaign, overtaken=True), 409
    toast(f"“{campaign.name}” is saved.")
    return redirect(url_for("campaigns.show", key=key))


@blueprint.get("/campaigns/<key>")
def show(key: str) -> ResponseReturnValue:
    """One campaign: where it stands, its messages with reasons, its journey, its reach."""
    now = request_now()
    with reading() as session:
        campaign = campaign_by_key(session, key)
        if campaign.state == "history":
            return redirect(url_for("reports.show", key=key))
        journey = journeys_by_campaign(session).get(campaign.id)
        version = editing.newest_version(session, journey) if journey else None
        came_into = _with_people(session, journey)
        counts = message_counts(session, campaign=key)
        codes = redeemed_by_campaign(session).get(key, (0, 0))
        segment = segment_names(session, [campaign]).get(campaign.id)
        named = {each.key: each.name for each in list_segments(session, archived=True)} if campaign.not_to else {}
        left_out = [(each.version, reason, people) for each in came_into if each.excluded and journey
                    and (its := version_of(session, journey, each.version))
                    for reason, people in excluded_reasons(session, its)]
        approval = approval_view(session, campaign)
        off = {each.key: each.name for each in list_standing(session)} if campaign.standing_off else {}
    return render_template(
        "pages/campaigns/show.html", left_out=left_out, approval=approval, states=APPROVAL_STATES,
        standing_off=[off.get(each, each) for each in campaign.standing_off],
        not_to=[named.get(each, each) for each in campaign.not_to], campaign=campaign, journey=journey,
        version=version, came_into=came_into, lines=state_lines(counts), channels=CHANNELS, columns=_MESSAGE_COLUMNS,
        codes=codes, segment=segment,
        pill_=STATE_PILLS[campaign.state],
        meaning=SENTENCES[campaign.state], window=window_words(campaign, now=now), segment_url=segment_url,
        trouble=TROUBLE, draws=draws_people(journey))


def draws_people(journey: Journey | None) -> bool:
    """Whether starting this draft lets the members of its segment in at once."""
    graph = read_graph(journey.draft).graph if journey else None
    return graph is not None and graph.draws


def _with_people(session: Session, journey: Journey | None) -> list[Standing]:
    """The versions that anybody came into or was kept out of, newest first; the newest alone when nobody was."""
    every = standings(session, journey) if journey else []
    return [each for each in every if each.entered or each.excluded] or every[:1]


@blueprint.get("/campaigns/<key>/messages")
def messages(key: str) -> ResponseReturnValue:
    """The messages of a campaign, filtered as the number that was opened."""
    after = cursor(request.args.get("after"))
    given = {name: request.args[name][:200] for name in ("state", "channel", "reason", "arm", "step", "customer")
             if request.args.get(name)}
    chosen = MessageFilter(campaign=key, **given)
    with reading() as session:
        campaign = campaign_by_key(session, key)
        items, following = list_messages(session, chosen, after=after, limit=PAGE)
        total = count_messages(session, chosen)
    for item in items:
        item["href"] = customer_url(item["customer"])
        item["sent_at"] = item["sent_at"] and datetime.fromisoformat(item["sent_at"])
        item["queued_at"] = datetime.fromisoformat(item["queued_at"])
    return render_template(
        "pages/campaigns/messages.html", campaign=campaign, items=items, total=total, given=given, after=after,
        following=following, states=STATE_WORDS, notes=STATE_NOTES, trouble=TROUBLE, channels=CHANNEL_WORDS)


@blueprint.post("/campaigns/<key>/start")
def start(key: str) -> ResponseReturnValue:
    """Let a planned campaign run by publishing its journey, or a paused one go on."""
    now, who = request_now(), person()
    overdue = request.form.get("overdue", "send")
    with reading() as session:
        campaign, journey = _with_journey(session, key)
    try:
        with writing() as session:
            if campaign.state == "paused":
                editing.resume(session, journey.key, overdue=overdue, now=now)
            else:
                editing.publish(session, journey.key, author=who.name if who else None, expected_number=1, now=now)
            record(session, "campaign.started", f"campaign:{key}", now=now)
    except InvalidPlan as error:
        toast(f"Not started: {error.problems[0].message} {error.problems[0].fix}", kind="refused",
              action="Open the journey", href=url_for("journeys.edit", key=journey.key, check="yes"))
        return redirect(url_for("campaigns.show", key=key))
    toast(f"“{campaign.name}” runs.")
    return redirect(url_for("campaigns.show", key=key))


@blueprint.post("/campaigns/<key>/pause")
def pause(key: str) -> ResponseReturnValue:
    """Freeze a running campaign with its journey."""
    now = request_now()
    with writing() as session:
        campaign, journey = _with_journey(session, key)
        editing.pause(session, journey.key, now=now)
        record(session, "campaign.paused", f"campaign:{key}", now=now)
    toast(f"“{campaign.name}” is paused. Nobody moves and nothing more is sent.")
    return redirect(url_for("campaigns.show", key=key))


@blueprint.post("/campaigns/<key>/end")
def end(key: str) -> ResponseReturnValue:
    """End a campaign for good."""
    now = request_now()
    with writing() as session:
        campaign = editing.end_with_campaign(session, key, now=now)
        record(session, "campaign.ended", f"campaign:{key}", now=now)
    toast(f"“{campaign.name}” is over. Its numbers stay.")
    return redirect(url_for("campaigns.show", key=key))


def _save(session: Session, key: str, form: CampaignForm, stored: Campaign | None, now: datetime) -> Campaign:
    """Save the form; raises InvalidPlan with every problem of text and plan together."""
    fields = fields_of(form, stored=stored)
    if form.errors:
        insist([*(Problem(name, text, "") for name, text in form.errors.items()), *check_campaign(session, fields)])
    campaign = save_campaign(session, key, fields=fields, expected_version=form.version if stored else 0, now=now)
    record(session, "campaign.saved", f"campaign:{key}", now=now, version=campaign.version,
           standing_off=", ".join(campaign.standing_off) or None)
    return campaign


def _form_page(form: CampaignForm, campaign: Campaign | None, *, overtaken: bool = False) -> str:
    with reading() as session:
        segments = [(each.key, each.name) for each in list_segments(session)]
        categories = list_categories(session)
        standing = list_standing(session, active=True)
    frozen = campaign is not None and campaign.state not in ("draft",)
    return render_template(
        "pages/campaigns/form.html", form=form, campaign=campaign, segments=segments, categories=categories,
        zones=ZONES, currencies=[(each, each) for each in dict.fromkeys([*CURRENCIES, form.texts["currency"]])],
        overtaken=overtaken, frozen=frozen, standing=standing,
        plays=plays() if campaign is None and not form.errors else (),
        over=campaign is not None and campaign.state in ("ended", "history"))


def _with_journey(session: Session, key: str) -> tuple[Campaign, Journey]:
    campaign = campaign_by_key(session, key)
    journey = journeys_by_campaign(session).get(campaign.id)
    if journey is None:
        raise Invalid(f"{campaign.name} has no journey yet. Make one first; it says what happens to whom.")
    return campaign, journey

"""A new journey, and a drawn one changed: who enters, and what each arm gets, when and by which channel."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from campaigns.showing import segment_key
from core.errors import Conflict
from coupons.offers.offers import list_offers
from coupons.offers.wording import offer_words
from delivery.contents import list_contents
from journeys.editing import editing
from journeys.graphs.graph import ENTERING, LEAVING
from journeys.models import Journey
from journeys.telling.overview import journeys_by_campaign
from segments.saving.saved import list_segments
from web.campaigns.form import key_from
from web.frame.links import page_url
from web.frame.toasts import toast
from web.journeys.form import JourneyForm, Known, empty_form, form_of, read_wish, typed_form
from web.journeys.template import Wish, ready_graph, redrawn, wish_of
from web.pages.journeys import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import CHANGERS, needs_role
from web.security.audit import record

WAYS_IN = [("", "at the start: everybody who is in it then"), (ENTERING, "from then on: whoever comes into it"),
           (LEAVING, "from then on: whoever leaves it")]
DRAWN_FOR = [("customer", "each person"), ("household", "each household: its best customer enters"),
             ("organisation", "each organisation: everybody of one gets the same")]
CHANNELS = [("preferred", "the one each prefers"), ("email", "e-mail"), ("letter", "letter"), ("phone", "phone")]
BY_HAND = "This journey was drawn by hand, so the form cannot show it. Change it as text."


@blueprint.get("/journeys/_new")
@needs_role(*CHANGERS)
def new() -> ResponseReturnValue:
    """Begin a journey for a campaign, from a ready one."""
    with reading() as session:
        key = request.args.get("campaign")
        if not key:
            taken = journeys_by_campaign(session)
            campaigns = [each for each in list_campaigns(session) if each.state == "draft" and each.id not in taken]
            return render_template("pages/journeys/choose.html", campaigns=campaigns)
        campaign = campaign_by_key(session, key)
        return _page(session, campaign, empty_form(segment=segment_key(session, campaign) or "",
                                                   currency=campaign.currency))


@blueprint.post("/journeys/_new")
def create() -> ResponseReturnValue:
    """Make the ready journey of the form's choices as a draft."""
    now = request_now()
    with reading() as session:
        campaign = campaign_by_key(session, request.form.get("campaign", ""))
        form = typed_form(request.form, currency=campaign.currency)
        existing = journeys_by_campaign(session).get(campaign.id)
        if existing is not None:
            toast(f"{campaign.name} already has its journey.")
            return redirect(url_for("journeys.show", key=existing.key))
        if request.form.get("do"):
            return _page(session, campaign, form)
        wish = read_wish(form, _known(session))
        if form.errors:
            return _page(session, campaign, form), 400
        taken = {each.key for each in editing.list_journeys(session)}
    with writing() as session:
        journey = editing.save_draft(
            session, key_from(campaign.name, taken=taken.__contains__), ready_graph(campaign, wish),
            campaign_id=campaign.id, expected_version=0, now=now)
        record(session, "journey.saved", f"journey:{journey.key}", now=now)
        key = journey.key
    toast("The journey is drawn. Look at it, then publish it.")
    return redirect(url_for("journeys.show", key=key))


@blueprint.get("/journeys/<key>/form")
def form(key: str) -> ResponseReturnValue:
    """The choices of a drawn journey; one that was changed by hand is edited as text."""
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        wish = wish_of(journey.draft)
        if wish is None:
            toast(BY_HAND, kind="refused")
            return redirect(url_for("journeys.edit", key=key))
        campaign = session.get_one(Campaign, journey.campaign_id)
        return _page(session, campaign, form_of(wish, version=journey.draft_version, currency=campaign.currency),
                     journey)


@blueprint.post("/journeys/<key>/form")
def redraw(key: str) -> ResponseReturnValue:
    """Draw the draft anew; after somebody else's change the choices stay and nothing is overwritten."""
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        campaign = session.get_one(Campaign, journey.campaign_id)
        typed = typed_form(request.form, currency=campaign.currency)
        if wish_of(journey.draft) is None:
            toast(BY_HAND, kind="refused")
            return redirect(url_for("journeys.edit", key=key))
        if request.form.get("do"):
            return _page(session, campaign, typed, journey)
        wish = read_wish(typed, _known(session))
        if typed.errors:
            return _page(session, campaign, typed, journey), 400
    try:
        _redraw(key, campaign, wish, typed.version)
    except Conflict as error:
        with reading() as session:
            journey = editing.journey_by_key(session, key)
            overtaken = journey.draft_version != typed.version
            typed.version = journey.draft_version
            return _page(session, campaign, typed, journey, overtaken=overtaken,
                         refused=None if overtaken else error.message), 409
    toast("The draft is drawn anew. Look at it, then publish it.")
    return redirect(url_for("journeys.show", key=key, draft="yes"))


def _redraw(key: str, campaign: Campaign, wish: Wish, seen: int) -> None:
    now = request_now()
    with writing() as session:
        stored = editing.journey_by_key(session, key)
        saved = editing.save_draft(session, key, redrawn(stored.draft, wish, goal=campaign.goal_categories),
                                   campaign_id=campaign.id, expected_version=seen, now=now)
        record(session, "journey.saved", f"journey:{key}", now=now, version=saved.draft_version)


def _known(session: Session) -> Known:
    return Known({each.key for each in list_segments(session)}, {each.key for each in list_contents(session)},
                 {each.key for each in list_offers(session, limit=500)})


def _page(
    session: Session, campaign: Campaign, form: JourneyForm, journey: Journey | None = None, *,
    overtaken: bool = False, refused: str | None = None,
) -> str:
    chosen = set(form.texts.values())
    contents = [(each.key, each.name) for each in list_contents(session)]
    offers = [(each.key, f"{each.name} ({offer_words(each) if each.active else 'switched off'})")
              for each in list_offers(session, limit=500) if each.active or each.key in chosen]
    segments = [(each.key, each.name) for each in list_segments(session)]
    return render_template(
        "pages/journeys/form.html", campaign=campaign, journey=journey, form=form, contents=contents, offers=offers,
        segments=segments, ways_in=WAYS_IN, drawn_for=DRAWN_FOR, channels=CHANNELS, overtaken=overtaken,
        refused=refused, content_url=page_url("contents.new"))

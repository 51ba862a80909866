"""Journeys: the list, one journey drawn and listed, the editor of its draft, who stands where, and its life."""

import json
from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from campaigns.problems import InvalidPlan, Problem
from campaigns.showing import segment_key
from core.errors import Conflict, Invalid, NotFound
from coupons.feed import redeemed_by_campaign
from coupons.offers import list_offers
from coupons.wording import offer_words
from delivery.contents import list_contents
from delivery.showing import message_counts
from journeys import editing
from journeys.graph import Graph, read_graph
from journeys.models import Journey, Version
from journeys.overview import count_journeys, journey_lines, journeys_by_campaign
from journeys.showing import Traffic, people_here, people_who_went, traffic, version_of, versions_of
from journeys.states import SENTENCES
from segments.saving.saved import list_segments
from web.access import person
from web.amounts import read_whole
from web.audit import record
from web.campaign_form import key_from
from web.formatting import MINUS
from web.journey_drawing import Drawing, Frame, draw
from web.journey_template import SNIPPETS, Wish, ready_graph
from web.journey_words import CHANNEL_WORDS, Names, StepWords, step_name
from web.links import customer_url, page_url
from web.paging import cursor
from web.presentation import zone
from web.registry import Found
from web.toasts import toast
from web.transactions import reading, request_now, writing
from web.words import STATE_PILLS, window_words

blueprint = Blueprint("journeys", __name__)

PAGE = 100
LONGEST_DRAFT = 500_000
MOST_PROBLEMS = 200


def nav_count(session: Session, _now: datetime) -> int:
    """Journeys that are drafted, run or are paused."""
    return count_journeys(session)


def find(session: Session, words: str) -> list[Found]:
    """Journeys for the jump box."""
    wanted = words.casefold()
    return [Found(journey.name, "journey", url_for("journeys.show", key=journey.key), "route")
            for journey in editing.list_journeys(session) if wanted in journey.name.casefold() or wanted in journey.key]


@blueprint.get("/journeys")
def index() -> ResponseReturnValue:
    """List journeys with who is inside and what comes next."""
    now = request_now()
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with reading() as session:
        lines = journey_lines(session, day_start=start, now=now)
        redeemed = redeemed_by_campaign(session)
        planned = [each for each in list_campaigns(session) if each.state == "draft"
                   and each.id not in {line.campaign.id for line in lines}]
    return render_template(
        "pages/journeys/index.html", lines=lines, step_name=step_name, redeemed=redeemed, planned=planned,
        pills=STATE_PILLS,
        planned_links=[(each.name, url_for("journeys.new", campaign=each.key)) for each in planned],
        windows={line.campaign.id: window_words(line.campaign, now=now) for line in lines})


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


@blueprint.get("/journeys/<key>")
def show(key: str) -> ResponseReturnValue:
    """One journey: the newest version (or `?version=`, or the draft) drawn, and the same as a list."""
    now = request_now()
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        versions = versions_of(session, journey)
        version = _wanted_version(session, journey, versions)
        shown = version.graph if version else journey.draft
        problems = [] if version else editing.check_draft(session, journey.draft)
        numbers = traffic(session, version) if version else None
        campaign = session.get_one(Campaign, journey.campaign_id)
        drawing = _drawing(session, campaign, shown, numbers, problems)
        counts = message_counts(session, campaign=campaign.key)
        differs = bool(versions) and _differs(journey, versions[0])
        draft_problems = problems if not versions else (editing.check_draft(session, journey.draft) if differs else [])
    return render_template(
        "pages/journeys/show.html", journey=journey, campaign=campaign, version=version, versions=versions,
        drawing=drawing, numbers=numbers, problems=problems[:MOST_PROBLEMS], differs=differs,
        draft_problems=draft_problems, next_number=(versions[0].number if versions else 0) + 1,
        step_counts=_step_counts(counts), pill_=STATE_PILLS[journey.state], window=window_words(campaign, now=now),
        left_words=_LEFT_WORDS, version_links=[
            (each.number, f"Version {each.number}", url_for("journeys.show", key=key, version=each.number))
            for each in versions[:3]])


@blueprint.get("/journeys/<key>/edit")
def edit(key: str) -> ResponseReturnValue:
    """The draft as JSON beside the help; `?check=yes` lists every problem at once."""
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        checked = editing.check_draft(session, journey.draft) if request.args.get("check") else None
    text = json.dumps(journey.draft, indent=2, ensure_ascii=False)
    return _editor(journey, text, journey.draft_version, checked)


@blueprint.post("/journeys/<key>/edit")
def save(key: str) -> ResponseReturnValue:
    """Check the typed text, or save it as the draft; what was typed is never lost."""
    now = request_now()
    text = request.form.get("draft", "")[:LONGEST_DRAFT + 1].replace("\r\n", "\n")
    typed = request.form.get("version", "")
    seen = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        graph, unreadable = _parsed(text)
        problems = [unreadable] if unreadable else editing.check_draft(session, graph)
    if unreadable or request.form.get("act") == "check":
        return _editor(journey, text, seen, problems), 400 if unreadable and request.form.get("act") != "check" else 200
    try:
        with writing() as session:
            saved = editing.save_draft(session, key, graph, campaign_id=journey.campaign_id, expected_version=seen,
                                       now=now)
            record(session, "journey.saved", f"journey:{key}", now=now, version=saved.draft_version)
    except Conflict as error:
        with reading() as session:
            journey = editing.journey_by_key(session, key)
        overtaken = journey.draft_version != seen
        return _editor(journey, text, journey.draft_version if overtaken else seen, problems,
                       refused=None if overtaken else error.message, overtaken=overtaken), 409
    except Invalid as error:
        return _editor(journey, text, seen, [Problem(error.place or "journey", error.message, "")]), 400
    if problems:
        toast(f"Draft saved. {len(problems)} {'thing is' if len(problems) == 1 else 'things are'} still to mend.")
        return redirect(url_for("journeys.edit", key=key, check="yes"))
    toast("Draft saved. It can be published.")
    return redirect(url_for("journeys.show", key=key, draft="yes"))


@blueprint.post("/journeys/<key>/publish")
def publish(key: str) -> ResponseReturnValue:
    """Publish the draft that the person has seen; twice is once."""
    now, who = request_now(), person()
    try:
        with writing() as session:
            version = editing.publish(
                session, key, author=who.name if who else None, expected_version=_number("version"),
                expected_number=_number("number"), now=now)
            record(session, "journey.published", f"journey:{key}", now=now, number=version.number)
            number = version.number
    except InvalidPlan as error:
        toast(f"Not published: {error.problems[0].message} {error.problems[0].fix}".strip(), kind="refused")
        return redirect(url_for("journeys.edit", key=key, check="yes"))
    toast(f"Version {number} runs. People inside keep the version they entered with." if number > 1
          else "Version 1 runs. The worker draws its people now.")
    return redirect(url_for("journeys.show", key=key))


@blueprint.post("/journeys/<key>/pause")
def pause(key: str) -> ResponseReturnValue:
    """Freeze everybody inside."""
    return _act(key, "paused", lambda session, now: editing.pause(session, key, now=now),
                "Paused. Nobody moves and nothing more is sent.")


@blueprint.post("/journeys/<key>/resume")
def resume(key: str) -> ResponseReturnValue:
    """Let a paused journey go on; the form says what happens to what became overdue."""
    overdue = request.form.get("overdue", "send")
    return _act(key, "resumed", lambda session, now: editing.resume(session, key, overdue=overdue, now=now),
                "The journey goes on.")


@blueprint.post("/journeys/<key>/end")
def end(key: str) -> ResponseReturnValue:
    """End a journey and its campaign for good."""
    return _act(key, "ended", lambda session, now: editing.end(session, key, now=now),
                "The journey ends: everybody inside leaves.")


@blueprint.post("/journeys/<key>/let-in-again")
def let_in_again(key: str) -> ResponseReturnValue:
    """Let those who were set aside after an error walk again."""
    return _act(key, "let_in_again", lambda session, now: editing.let_in_again(session, key, now=now),
                "They walk again from where they stood.")


@blueprint.get("/journeys/<key>/people")
def people(key: str) -> ResponseReturnValue:
    """The people behind a number: `?step=`, `?step=&outcome=`, or `?show=` all, inside, held_out, followed, failed."""
    after = cursor(request.args.get("after"))
    given = {name: request.args[name][:100] for name in ("step", "outcome", "show", "left", "version")
             if request.args.get(name)}
    step, outcome, shown = given.get("step"), given.get("outcome"), given.get("show")
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        version = _wanted_version(session, journey, versions_of(session, journey))
        if version is None:
            raise NotFound("Nobody is inside: the journey was never published.")
        if step is not None and outcome is not None:
            found, following = people_who_went(session, version, step=step, outcome=outcome, after=after, limit=PAGE)
        else:
            state = "inside" if shown == "followed" else shown if shown in ("inside", *SENTENCES) else None
            found, following = people_here(
                session, version, step=step, state=state, left=given.get("left"),
                held_out=True if shown in ("held_out", "followed") else None, after=after, limit=PAGE)
        name = None if step is None else step_name(version.graph, step)
    return render_template("pages/journeys/people.html", journey=journey, version=version, people=found, given=given,
                           title=_people_title(name, outcome, shown, given.get("left")), after=after,
                           following=following, customer_url=customer_url, channels=CHANNEL_WORDS,
                           states=_PERSON_WORDS)


_PERSON_WORDS = {"active": "inside", "followed": "left alone", "failed": "set aside", "finished": "finished",
                 "exited": "left in peace", "over": "window closed", "excluded": "did not enter"}
_OUTCOME_WORDS = {"queued": "was spoken to", "suppressed": "was not written to", "waited": "waited", "yes": "yes",
                  "no": "no", "exited": "left early", "over": "still here at the end", "withheld": "left alone",
                  "left": "left in peace"}
_LEFT_WORDS = {"redeemed": "redeemed", "ordered": "ordered without the code", "rule": "a rule for leaving held",
               "finished": "came to the end", "window_over": "inside when the window closed",
               "ended": "inside when it was ended", "erased": "data erased"}


def _people_title(step: str | None, outcome: str | None, shown: str | None, left: str | None) -> str:
    if step is not None:
        return f"{step}: {_OUTCOME_WORDS.get(outcome, outcome)}" if outcome else f"At “{step}” now"
    if left is not None:
        return f"Left: {_LEFT_WORDS.get(left, left)}"
    return {"inside": "Inside now", "held_out": "Left alone for comparison", "followed": "Left alone and followed",
            "failed": "Set aside after an error", "excluded": "Did not enter"}.get(shown or "", "Everybody who entered")


def _act(key: str, verb: str, act: Any, done: str) -> ResponseReturnValue:
    now = request_now()
    with writing() as session:
        act(session, now)
        record(session, f"journey.{verb}", f"journey:{key}", now=now)
    toast(done)
    return redirect(url_for("journeys.show", key=key))


def _number(name: str) -> int:
    text = request.form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("Open the journey again and publish it from there.", place=name)
    return int(text)


def _parsed(text: str) -> tuple[Any, Problem | None]:
    """The JSON value of the typed text, or the problem that keeps it from being read."""
    if len(text) > LONGEST_DRAFT:
        return None, Problem("journey", "The text is too long.", f"At most {LONGEST_DRAFT:,} characters are possible.")
    try:
        value = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        return None, Problem(f"line {error.lineno}, column {error.colno}", f"This is not JSON: {error.msg}.",
                             "Often a comma or a quotation mark is missing just before.")
    except (ValueError, RecursionError) as error:
        return None, Problem("journey", f"This is not JSON that we can read: {str(error)[:120]}.", "")
    if not isinstance(value, dict):
        return None, Problem("journey", "This is not a journey.", 'Write an object with "entry", "start" and "steps".')
    return value, None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name.replace('-', MINUS)} is not a number")


def _editor(
    journey: Journey, text: str, seen: int, problems: list[Problem] | None, *, refused: str | None = None,
    overtaken: bool = False,
) -> str:
    now = request_now()
    with reading() as session:
        campaign = session.get_one(Campaign, journey.campaign_id)
        names = _names(session)
        number = len(versions_of(session, journey))
        unsaved = text != json.dumps(journey.draft, indent=2, ensure_ascii=False)
    snippets = [(kind, title, words, json.dumps(step, indent=2)[1:-1].strip("\n")) for kind, title, words, step in
                SNIPPETS]
    return render_template(
        "pages/journeys/edit.html", journey=journey, campaign=campaign, text=text, seen=seen, snippets=snippets,
        problems=None if problems is None else problems[:MOST_PROBLEMS], refused=refused, overtaken=overtaken,
        names=names, number=number, unsaved=unsaved, window=window_words(campaign, now=now))


def _new_page(session: Session, campaign: Campaign, typed: dict[str, str], errors: dict[str, str]) -> str:
    contents = [(each.key, each.name) for each in list_contents(session)]
    offers = [(each.key, f"{each.name} ({offer_words(each)})") for each in list_offers(session, limit=500)
              if each.active]
    values = {"segment": segment_key(session, campaign) or "", "reminder_days": "7", "channel": "preferred",
              "fallback": "yes", "reminder": "", "offer_a": "", "offer_b": "", "content": ""} | typed
    return render_template(
        "pages/journeys/new.html", campaign=campaign, contents=contents, offers=offers, values=values, errors=errors,
        segments=[(each.key, each.name) for each in list_segments(session)], content_url=page_url("contents.new"))


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
    return Wish(segment, content, chosen, reminder, days, channel, bool(form.get("fallback"))), errors


def _wanted_version(session: Session, journey: Journey, versions: list[Version]) -> Version | None:
    """The version the address names, else the newest; None for the draft."""
    if request.args.get("draft"):
        return None
    text = request.args.get("version")
    if not text:
        return versions[0] if versions else None
    number = cursor(text)
    found = version_of(session, journey, number) if number < 2**31 else None
    if found is None:
        raise NotFound(f"{journey.name} has no version {number}.")
    return found


def _names(session: Session) -> Names:
    return Names(
        contents={each.key: each.name for each in list_contents(session)},
        offers={each.key: each.name for each in list_offers(session, limit=1000)},
        segments={each.key: each.name for each in list_segments(session, archived=True)})


def _drawing(
    session: Session, campaign: Campaign, raw: dict[str, Any], numbers: Traffic | None, problems: list[Problem]
) -> Drawing | None:
    """The drawing of as much of the graph as can be read; None when there is nothing to draw."""
    graph = read_graph(raw).graph
    if graph is None or not graph.steps:
        return None
    names = _names(session)
    holdout = campaign.holdout_percent if graph.holdout_percent is None else graph.holdout_percent
    return draw(graph, raw, names, Frame(_entry(graph, campaign, names), holdout), traffic=numbers, zone=zone(),
                problems=problems)


def _entry(graph: Graph, campaign: Campaign, names: Names) -> StepWords:
    name = names.segments.get(graph.segment, graph.segment) or "No segment"
    window = window_words(campaign, now=request_now())
    return StepWords(name, "door-enter", "enter once" + (f", {window}" if "no window" not in window else ""),
                     f"Who is in the segment “{name}” enters once. Window: {window}.")


def _differs(journey: Journey, newest: Version) -> bool:
    return read_graph(journey.draft).graph != read_graph(newest.graph).graph


def _step_counts(counts: Any) -> dict[str, dict[str, int]]:
    """Step -> state -> messages, for the list view."""
    found: dict[str, dict[str, int]] = {}
    for each in counts:
        states = found.setdefault(each.step or "", {})
        states[each.state] = states.get(each.state, 0) + each.messages
    return found


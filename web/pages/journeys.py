"""Journeys: the list, one journey drawn and listed, who stands where, and its life."""

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import list_campaigns
from campaigns.problems import InvalidPlan
from core.errors import Invalid, NotFound
from coupons.codes.feed import redeemed_by_campaign
from delivery.showing import message_counts
from journeys.arms.best_arms import beliefs
from journeys.arms.deciding import decisions
from journeys.editing import editing
from journeys.editing.checking_draft import check_draft
from journeys.graphs.graph import LEAVING, Graph
from journeys.graphs.reading import read_graph
from journeys.models import Journey, Version
from journeys.states import SENTENCES
from journeys.telling.overview import count_journeys, journey_lines
from journeys.telling.showing import people_here, people_who_went, standings, traffic, version_of, versions_of
from web.frame.links import customer_url
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.journeys.template import wish_of
from web.journeys.view import picture
from web.journeys.words import CHANNEL_WORDS, step_name
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record
from web.wording.states import STATE_PILLS, window_words

blueprint = Blueprint("journeys", __name__)

PAGE = 100
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


@blueprint.get("/journeys/<key>")
def show(key: str) -> ResponseReturnValue:
    """One journey: the newest version (or `?version=`, or the draft) drawn, and the same as a list."""
    now = request_now()
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        versions = versions_of(session, journey)
        version = _wanted_version(session, journey, versions)
        shown = version.graph if version else journey.draft
        problems = [] if version else check_draft(session, journey.draft)
        numbers = traffic(session, version) if version else None
        elsewhere = [each for each in standings(session, journey) if each.version != version.number and each.inside
                     ] if version and len(versions) > 1 else []
        campaign = session.get_one(Campaign, journey.campaign_id)
        drawing = picture(session, campaign, shown, numbers, problems)
        counts = message_counts(session, campaign=campaign.key)
        decided, shares = decisions(session, journey), beliefs(session.connection(), journey.id)
        differs = bool(versions) and _differs(journey, versions[0])
        draft_problems = problems if not versions else (check_draft(session, journey.draft) if differs else [])
    return render_template(
        "pages/journeys/show.html", journey=journey, campaign=campaign, version=version, versions=versions,
        drawing=drawing, numbers=numbers, elsewhere=elsewhere, decided=decided, shares=shares, step_name=step_name,
        shown=shown,
        problems=problems[:MOST_PROBLEMS], differs=differs, by_form=wish_of(journey.draft) is not None,
        draft_problems=draft_problems, next_number=(versions[0].number if versions else 0) + 1,
        draft_starts=_starts(read_graph(journey.draft).graph),
        step_counts=_step_counts(counts), pill_=STATE_PILLS[journey.state], window=window_words(campaign, now=now),
        left_words=_LEFT_WORDS, version_links=[
            (each.number, f"Version {each.number}", url_for("journeys.show", key=key, version=each.number))
            for each in versions[:3]])


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
            number, graph = version.number, read_graph(version.graph).graph
    except InvalidPlan as error:
        toast(f"Not published: {error.problems[0].message} {error.problems[0].fix}".strip(), kind="refused")
        return redirect(url_for("journeys.edit", key=key, check="yes"))
    first = "Version 1 runs. " + ("The worker draws its people now." if graph is None or graph.draws else
                                  "Nobody is inside yet: people enter as they come in or leave." if graph.on else
                                  "Nobody is inside yet: people enter from now on.")
    toast(f"Version {number} runs. People inside keep the version they entered with." if number > 1 else first)
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


@blueprint.post("/journeys/<key>/set-aside")
def set_aside_act(key: str) -> ResponseReturnValue:
    """Try one person again who was set aside after an error, or let them out for good."""
    now, text = request_now(), request.form.get("enrolment", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid("Choose a person of the list.", place="enrolment")
    again = request.form.get("act") != "release"
    with writing() as session:
        act = editing.let_in_again if again else editing.release
        done = act(session, key, only=int(text), now=now)
        record(session, f"journey.{'let_in_again' if again else 'released'}", f"journey:{key}", now=now,
               enrolment=int(text))
    if not done:
        toast("Nothing was done: the person is not set aside any more.", kind="refused")
    else:
        toast("The person walks again from where they stood." if again else "The person is out of this journey.")
    return redirect(url_for("journeys.people", key=key, show="failed"))


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
                  "no": "no", "timeout": "waited in vain", "given": "was given a code", "without": "got no code",
                  "jumped": "went on elsewhere", "else": "everybody else",
                  "changed": "was changed", "reached": "was reached",
                  "not_interested": "was not interested", "not_reached": "was not reached",
                  "moved": "moved to a newer version",
                  "exited": "left early", "over": "still here at the end", "withheld": "left alone",
                  "left": "left in peace"}
_LEFT_WORDS = {"redeemed": "redeemed", "ordered": "ordered without the code",
               "unsubscribed": "said no to a channel", "complained": "complained", "rule": "a rule for leaving held",
               "finished": "came to the end", "window_over": "inside when the window closed",
               "ended": "inside when it was ended", "taken_over": "taken over by another journey of its group",
               "retired": "inside when its version was ended", "released": "let out after an error",
               "erased": "data erased"}


def _people_title(step: str | None, outcome: str | None, shown: str | None, left: str | None) -> str:
    if step is not None:
        return f"{step}: {_OUTCOME_WORDS.get(outcome, outcome)}" if outcome else f"At “{step}” now"
    if left is not None and shown == "excluded":
        return f"Did not enter: {_LEFT_WORDS.get(left, left)}"
    if left is not None:
        return f"Left: {_LEFT_WORDS.get(left, left)}"
    return {"inside": "Inside now", "held_out": "Left alone for comparison", "followed": "Left alone and followed",
            "failed": "Set aside after an error", "excluded": "Did not enter"}.get(shown or "", "Everybody who entered")


def _starts(graph: Graph | None) -> str:
    """What happens when a first version is published, for the question before it."""
    if graph is None or graph.draws:
        return "it starts now: the segment's members are drawn and written to"
    if graph.entry.event is not None:
        return f"it starts now: whoever has the event {graph.entry.event} from now on enters"
    if graph.entry.schedule is not None:
        return "it starts now: the segment's members enter whenever the schedule rings"
    if graph.on is None:
        return "it starts now: people enter when they are let in"
    return (f"it starts now: who {'leaves' if graph.on == LEAVING else 'comes into'} the segment from now on is "
            "written to; who is in it already is not")


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


def _differs(journey: Journey, newest: Version) -> bool:
    return read_graph(journey.draft).graph != read_graph(newest.graph).graph


def _step_counts(counts: Any) -> dict[str, dict[str, int]]:
    """Step -> state -> messages, for the list view."""
    found: dict[str, dict[str, int]] = {}
    for each in counts:
        states = found.setdefault(each.step or "", {})
        states[each.state] = states.get(each.state, 0) + each.messages
    return found


"""A journey's draft as JSON beside its help: checked, saved, never lost."""

import json
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.models import Campaign
from campaigns.problems import Problem
from core.errors import Conflict, Invalid
from core.money import MINUS
from journeys.editing import editing
from journeys.graphs.writing import written_graph
from journeys.models import Journey
from journeys.telling.showing import versions_of
from web.frame.toasts import toast
from web.journeys.snippets import SNIPPETS
from web.journeys.template import wish_of
from web.journeys.view import names_of
from web.pages.journeys import MOST_PROBLEMS, blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record
from web.wording.states import window_words

LONGEST_DRAFT = 500_000

@blueprint.get("/journeys/<key>/edit")
def edit(key: str) -> ResponseReturnValue:
    """The draft as JSON beside the help; `?check=yes` lists every problem at once."""
    now, asked = request_now(), request.args.get("check")
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        checked = editing.publish_problems(session, key, journey.draft, now=now) if asked else None
    text = written_graph(journey.draft)
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
        problems = [unreadable] if unreadable else editing.publish_problems(session, key, graph, now=now)
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
        names = names_of(session)
        number = len(versions_of(session, journey))
        unsaved = text != written_graph(journey.draft)
    snippets = [(kind, title, words, json.dumps(step, indent=2)[1:-1].strip("\n")) for kind, title, words, step in
                SNIPPETS]
    return render_template(
        "pages/journeys/edit.html", journey=journey, campaign=campaign, text=text, seen=seen, snippets=snippets,
        problems=None if problems is None else problems[:MOST_PROBLEMS], refused=refused, overtaken=overtaken,
        by_form=wish_of(journey.draft) is not None, names=names, number=number, unsaved=unsaved,
        window=window_words(campaign, now=now))

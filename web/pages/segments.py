"""The builder of segments, which edits a rule line by line. Its neighbours segments_*.py serve the other pages.

The builder is one form. Every change posts it to `edit`, which answers with the form drawn anew (htmx) or the whole
page (no JavaScript); segments_figures.py answers with what the draft means in people. The draft travels in the form.
"""

import json
import re
import secrets
import unicodedata
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.uses import campaigns_on
from core.errors import Conflict, Forbidden, Invalid, NotFound, WinbackError
from segments.compiling.scored import uncomputed
from segments.language.rules import parse_rule
from segments.models import Segment
from segments.saving.saved import (
    resolved,
    save_segment,
    segment_by_key,
    segment_rule,
    versions_of,
)
from web.builder.around import around_of
from web.builder.counted import whole_page
from web.builder.draft import Group, draft_of
from web.builder.lines import Around, menu
from web.builder.state import State, command, laid_out, state_of
from web.builder.view import mark_of, mode_chip, read_shown, rows_of, words_of
from web.frame.addresses import customer_href
from web.frame.paging import stored_number
from web.frame.toasts import toast
from web.requests.awaited import moved_on
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record

blueprint = Blueprint("segments", __name__)


@blueprint.context_processor
def _words_for_templates() -> dict[str, Any]:
    return {"endpoints": lambda: current_app.view_functions, "customer_href": customer_href}



QUESTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "once": ("Bought once and never came back", "Bought once", {"all": [
        {"orders": "count", "equals": 1}, {"orders": "count", "window": {"last_days": 365}, "equals": 0}]}),
    "overdue": ("Used to buy often, now overdue", "Overdue regulars", {"all": [
        {"orders": "count", "at_least": 4},
        {"orders": "count", "window": {"last_days": 180}, "equals": 0}]}),
    "good": ("Spent €1,500 or more in at most three orders", "Few orders, much spent", {"all": [
        {"orders": "count", "at_most": 3}, {"orders": "revenue", "at_least": 150_000}]}),
}
"""Ready questions of the empty list -> words, name, rule."""
EVERYBODY = ("admin", "marketer", "analyst", "agent")
"""Trying a rule out changes nothing, so everybody may; saving it is for those who may change."""


@blueprint.get("/segments/_new")
def new() -> ResponseReturnValue:
    """Begin a segment: empty, from a ready question (`question`), or from a rule made elsewhere (`rule`, `name`)."""
    question = QUESTIONS.get(request.args.get("question", ""))
    name, rule = (question[1], question[2]) if question else (request.args.get("name", "")[:200], {"all": []})
    given = request.args.get("rule") or json.dumps(rule)
    state = State(Group("all"), name=name, page=secrets.token_urlsafe(9))
    problem = None
    try:
        state.draft = draft_of(parse_rule(json.loads(given)).to_json())
    except (ValueError, RecursionError, WinbackError) as error:
        problem = f"The rule in the address cannot be read: {str(error)[:300]}"
    return _page(state, problem=problem)


@blueprint.get("/segments/<key>")
def show(key: str) -> ResponseReturnValue:
    """Open a segment in the builder, a list on its own page; `version` opens an older rule as a draft."""
    version = request.args.get("version", type=stored_number)
    with reading() as session:
        segment = segment_by_key(session, key)
        if segment.kind != "rule":
            return redirect(url_for("segments.people_list", key=key))
        rule = segment_rule(session, key, version=version)
    state = State(draft_of(rule.to_json()), key=segment.key, name=segment.name, seen_version=segment.version,
                  page=secrets.token_urlsafe(9))
    return _page(state)


@blueprint.post("/segments/_builder")
@needs_role(*EVERYBODY)
def edit() -> ResponseReturnValue:
    """Take one change and draw the builder anew. Saving is a change too."""
    around = around_of(request.form.get("key", ""))
    form = request.form.to_dict(flat=False)
    state = state_of(form, around)
    moved_on(state.page)  # figures of the draft before are worked out for nobody
    act = request.form.get("do", "")
    if act in ("save", "save-over"):
        return _saved(state, around, over=act == "save-over")
    problem = None
    try:
        command(state, act, form)
    except WinbackError as error:
        problem = error.message
    if "HX-Request" in request.headers:
        return render_template("fragments/segments/answer.html", **view_of(state, around), problem=problem,
                               conflict=None)
    return _page(state, problem=problem, found=whole_page(state, around))


def _saved(state: State, around: Around, *, over: bool) -> ResponseReturnValue:
    now = request_now()
    who = person()
    if who is None or not who.may_change():
        raise Forbidden("Segments are saved by marketers and administrators. Your draft is still here.")
    key = state.key or state.new_key or free_key(state.name)
    newest = request.form.get("newest", type=stored_number)
    expected = newest if over and newest else state.seen_version
    try:
        if not state.name:
            raise Invalid("Give the segment a name, for example Lapsed furniture buyers.", place="name")
        rule = state.rule()
        with writing() as session:
            before = None if state.key else _existing(session, key)
            if before is not None:
                raise Invalid(f"There is a segment “{before.name}” with the key {key} already. Choose another key.",
                              place="key")
            segment = save_segment(session, key, name=state.name, rule=rule, author=who.name if who else None,
                                   expected_version=expected, now=now)
            record(session, "segment.saved", f"segment:{key}", now=now, version=segment.version)
            version, name = segment.version, segment.name
            missing = uncomputed(session.connection(), resolved(session.connection(), rule))
    except Conflict:
        return _conflict(state, around)
    except WinbackError as error:
        return _refused(state, around, _mended(error))
    undo = state.seen_version if version > 1 and version > state.seen_version > 0 else None
    waits = f" Nobody can be found before the score “{missing[0]}” is there." if missing else ""
    toast(f"“{name}” saved as version {version}.{waits}", action="Undo" if undo else None, post=True,
          href=url_for("segments.restore", key=key, number=undo) if undo else None)
    return _go(url_for("segments.show", key=key))


def _mended(error: WinbackError) -> str:
    message = error.message[:1].upper() + error.message[1:]
    place = error.place or ""
    return f"Not saved. {place}: {message}" if "[" in place or "." in place else f"Not saved. {message}"


def _existing(session: Session, key: str) -> Segment | None:
    try:
        return segment_by_key(session, key)
    except NotFound:
        return None


def _conflict(state: State, around: Around) -> ResponseReturnValue:
    with reading() as session:
        newest = versions_of(session, state.key)[0]
    return _refused(state, around, None, conflict=newest)


def _refused(state: State, around: Around, problem: str | None, conflict: Any = None) -> ResponseReturnValue:
    if "HX-Request" in request.headers:
        return render_template("fragments/segments/answer.html", **view_of(state, around), problem=problem,
                               conflict=conflict)
    return _page(state, problem=problem, conflict=conflict), 409 if conflict else 422


def _go(address: str) -> ResponseReturnValue:
    if "HX-Request" in request.headers:
        return Response("", 200, {"HX-Redirect": address})
    return redirect(address, 303)


def free_key(name: str) -> str:
    """A key made of the name that no segment has yet."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-") or "segment"
    with reading() as session:
        for number in range(1, 1000):
            key = stem if number == 1 else f"{stem}-{number}"
            if _existing(session, key) is None:
                return key
    return stem


def _page(state: State, *, problem: str | None = None, conflict: Any = None, found: Any = None) -> str:
    around = around_of(state.key)
    return render_template("pages/segments/builder.html", **view_of(state, around), problem=problem, conflict=conflict,
                           found=found)


def view_of(state: State, around: Around) -> dict[str, Any]:
    """What every template of the builder needs."""
    shown, lefts = read_shown(state.shown), read_shown(state.lefts)
    mark = mark_of(state.rule_text)
    saved, using, versions, same = None, [], [], False
    if state.key:
        with reading() as session:
            saved = segment_by_key(session, state.key)
            using, versions = campaigns_on(session, saved.id), versions_of(session, state.key)
            same = versions[0].rule == state.draft.to_json() and saved.name == state.name
    return {
        "state": state, "saved": saved, "using": using, "versions": versions, "same": same, "mark": mark,
        "rows": rows_of(state.draft, around, lefts, fresh=lefts.of == mark), "mode": mode_chip(state.draft),
        "shown_now": shown, "words": words_of(state.draft, around, state.language), "new_conditions": menu(),
        "json_text": state.json_text if state.json_text is not None else laid_out(state.draft),
    }

"""The figures beside a draft, each asked for by itself once the draft has been counted.

Owns what a draft means in people: the total first, then the people left after each line, ten people, the reach, the
shape, the overlap, the sizes of the past year. Each answers with a fragment; a changed draft stops asking, and
what was still being worked out is stopped.
"""

from collections.abc import Callable
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from core.errors import WinbackError
from segments.choosing.choices import choices
from segments.figures.shape import shape_of
from web.builder import numbers as counting
from web.builder.around import around_of
from web.builder.counted import reach_of, sample_of, shown_with, total_of
from web.builder.figures import histograms, months_view, overlap_view, rule_text
from web.builder.lines import Around
from web.builder.state import State, state_of
from web.builder.view import Shown, mark_of
from web.pages.segments import EVERYBODY, blueprint, view_of
from web.requests.awaited import awaited, moved_on
from web.requests.questions import overlaps, questions, sizes
from web.requests.transactions import request_now
from web.security.access import needs_role

FOLLOWING = ("lines", "sample", "reach", "months", "shape", "overlap")
"""What is asked for after the total, in this order."""


@blueprint.post("/segments/_numbers")
@needs_role(*EVERYBODY)
def numbers() -> ResponseReturnValue:
    """How many people the draft finds; the page then asks for what follows."""
    around, state = _asked()
    with awaited(state.page):
        found = total_of(state, around)
    return render_template("fragments/segments/numbers.html", **view_of(state, around), found=found,
                           following=FOLLOWING)


@blueprint.post("/segments/_stop")
@needs_role(*EVERYBODY)
def stop() -> ResponseReturnValue:
    """Stop whatever this page is asking: its reader says so, or has left."""
    moved_on(request.form.get("page", ""))
    return "", 204


def _asked() -> tuple[Around, State]:
    around = around_of(request.form.get("key", ""))
    return around, state_of(request.form.to_dict(flat=False), around)


def _fragment(name: str, work: Callable[[State, Around], dict[str, Any]]) -> ResponseReturnValue:
    """One figure, or one sentence on why there is none; of a draft with a wrong line there is nothing to say."""
    around, state = _asked()
    found: dict[str, Any] = {"why": None}
    try:
        if not counting.has_problem(state.draft, around):
            with awaited(state.page):
                found |= work(state, around)
    except WinbackError as error:
        found["why"] = error.message
    return render_template(f"fragments/segments/{name}.html", **view_of(state, around), found=found)


@blueprint.post("/segments/_lines")
@needs_role(*EVERYBODY)
def lines() -> ResponseReturnValue:
    """The people left after each line."""
    return _fragment("lines", lambda state, around: {
        "lefts": Shown(mark_of(state.rule_text), counting.lefts(state.draft, questions(), around, now=request_now()))})


@blueprint.post("/segments/_sample")
@needs_role(*EVERYBODY)
def sample() -> ResponseReturnValue:
    """Ten of the people, with why they are in; `next_draw` asks for another ten."""

    def work(state: State, _around: Around) -> dict[str, Any]:
        state.draw = request.form.get("next_draw", state.draw, type=int) % 1_000_000
        return {**sample_of(state), "total": questions().count(state.rule(), as_of=request_now(), fresh=False)}

    return _fragment("sample", work)


@blueprint.post("/segments/_reach")
@needs_role(*EVERYBODY)
def reach() -> ResponseReturnValue:
    """Who can be reached, by channel, and why the others cannot."""

    def work(state: State, _around: Around) -> dict[str, Any]:
        found = reach_of(state)
        return {"reach": found, "shown": shown_with(found, mark_of(state.rule_text))}

    return _fragment("reach", work)


@blueprint.post("/segments/_shape")
@needs_role(*EVERYBODY)
def shape() -> ResponseReturnValue:
    """What the people spent and when they ordered last, beside everybody."""

    def work(state: State, _around: Around) -> dict[str, Any]:
        rule = state.rule()
        found = shape_of(questions(), rule, as_of=request_now())
        return {"histograms": histograms(found, rule) if found.people else ()}

    return _fragment("shape", work)


@blueprint.post("/segments/_overlap")
@needs_role(*EVERYBODY)
def overlap() -> ResponseReturnValue:
    """Which other segments the people are in."""

    def work(state: State, around: Around) -> dict[str, Any]:
        keys = [key for key in around.segments if key != state.key and key not in around.archived]
        found = overlaps().overlap(questions(), state.rule(), keys, as_of=request_now())
        return {"overlap": overlap_view(found, around.segments), "compared": len(keys)}

    return _fragment("overlap", work)


@blueprint.post("/segments/_months")
@needs_role(*EVERYBODY)
def months() -> ResponseReturnValue:
    """The size at each month end of the past year; while some are missing, the page asks again."""

    def work(state: State, _around: Around) -> dict[str, Any]:
        now, rule = request_now(), state.rule()
        ends = sizes().over_time(questions(), rule, now=now)
        total = questions().count(rule, as_of=now, fresh=False).value
        return {"months": months_view(ends, total), "rule_text": rule_text(rule)}

    return _fragment("months", work)


@blueprint.get("/segments/_choices")
def offered() -> ResponseReturnValue:
    """The values a picker offers, most frequent first."""
    asked = {name: request.args.get(name, "") for name in ("source", "word", "event", "q", "name")}
    try:
        found = choices(questions(), asked["source"], asked["word"], now=request_now(),
                        event=asked["event"].replace("\x00", ""), text=asked["q"][:100])
        why = None
    except WinbackError as error:
        found, why = [], error.message
    return render_template("fragments/segments/choices.html", found=found, why=why, name=asked["name"],
                           source=asked["source"], typed=asked["q"].strip())

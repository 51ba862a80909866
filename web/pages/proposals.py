"""Proposals: segments that the history itself suggests, each opened in the builder as an ordinary rule."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from core.errors import Invalid, NotReady, TooSlow
from reporting.past_response import Past, past_response
from segments.proposals.associations import FEWEST_PEOPLE, Word, associations
from segments.proposals.lateness import LATE, Lateness, late_rule, lateness
from segments.proposals.rfm_grid import Place, RfmGrid, cells_rule, rfm_grid
from web.campaigns.proposals import LENSES, builder_href, cells_words, grid_view, group_of
from web.frame.fragments import part_of
from web.frame.toasts import toast
from web.requests.questions import questions
from web.requests.transactions import request_now
from web.requests.wired import settings
from web.wording.formatting import number

blueprint = Blueprint("proposals", __name__)

T = TypeVar("T")
GOOD_FOR_SECONDS = 300
MOST_KEPT = 12


@blueprint.get("/proposals")
def index() -> ResponseReturnValue:
    """The grid of recency and frequency, with what each cell is worth, who can be reached, and who responded."""
    try:
        grid, past = _grids()
    except (NotReady, TooSlow) as error:
        return _waiting("rfm", error.message)
    if grid is None or not grid.people:
        return render_template("pages/proposals/none.html", here="rfm", computed=grid is not None)
    lens = request.args.get("show", "response" if past.looked_at else "value")
    view = grid_view(grid, past, lens if lens in dict(LENSES) else "value", _cells(request.args))
    return render_template("pages/proposals/rfm.html", here="rfm", grid=grid, past=past, view=view,
                           as_of=grid.facts_at,
                           lenses=[(name, words, url_for("proposals.index", show=name)) for name, words in LENSES])


@blueprint.get("/proposals/selection")
@part_of("proposals.index")
def chosen() -> ResponseReturnValue:
    """The sentence of the chosen cells, as a fragment."""
    grid, past = _grids()
    places = _cells(request.args)
    together = group_of(grid, past, places) if grid is not None and places else None
    return render_template("pages/proposals/selection.html", together=together, past=past)


@blueprint.get("/proposals/segment")
def make() -> ResponseReturnValue:
    """Open the builder with the rule of the chosen cells."""
    grid, _past = _grids()
    places = _cells(request.args)
    if grid is None or not places:
        toast("Choose at least one cell of the grid, then make the segment.")
        return redirect(url_for("proposals.index"), 303)
    return redirect(builder_href(cells_rule(places), cells_words(grid, places)), 303)


@blueprint.get("/proposals/together")
def together() -> ResponseReturnValue:
    """What is bought by the same people."""
    word: Word = "brand" if request.args.get("by") == "brand" else "category"
    asker, now = questions(), request_now()
    try:
        found = _kept(("together", word), now, lambda: associations(asker, now=now, word=word))
    except (NotReady, TooSlow) as error:
        return _waiting("together", error.message)
    rows = [(pair, builder_href(pair.rule(word), f"Bought {pair.x}, not yet {pair.y}")) for pair in found.pairs]
    return render_template(
        "pages/proposals/together.html", here="together", found=found, rows=rows, word=word, fewest=FEWEST_PEOPLE,
        words="categories" if word == "category" else "brands", as_of=found.facts_at,
        kinds=[(kind, label, url_for("proposals.together", by=kind))
               for kind, label in (("category", "Categories"), ("brand", "Brands"))])


@blueprint.get("/proposals/rhythm")
def rhythm() -> ResponseReturnValue:
    """Who is late against their own usual time between orders."""
    asker, now = questions(), request_now()
    try:
        found: Lateness = _kept(("rhythm",), now,
                                lambda: lateness(asker, now=now, secret_key=settings().secret_key))
    except (NotReady, TooSlow) as error:
        return _waiting("rhythm", error.message)
    named = [(band, _late_words(band.low, band.high)) for band in found.bands]
    bands = [(band, words, builder_href(band.rule, f"Rhythm: {words} the usual time")) for band, words in named]
    late = [band for band in found.bands if band.low >= LATE]
    return render_template(
        "pages/proposals/rhythm.html", here="rhythm", found=found, bands=bands, as_of=found.facts_at,
        late={"people": sum(band.people for band in late), "cents": sum(band.cents for band in late),
              "asked": sum(band.reach.asked for band in late), "reached": sum(band.reach.reached for band in late)},
        late_href=builder_href(late_rule(LATE), "Late against their own rhythm"))


def _late_words(low: float, high: float | None) -> str:
    if high is None:
        return f"{_times(low)} times and more"
    return f"under {_times(high)} times" if not low else f"{_times(low)} to {_times(high)} times"


def _times(value: float) -> str:
    return number(value, decimals=0 if value == int(value) else 1)


def _waiting(here: str, why: str) -> ResponseReturnValue:
    return render_template("pages/proposals/waiting.html", here=here, why=why), 503


def _grids() -> tuple[RfmGrid | None, Past]:
    asker, now = questions(), request_now()
    grid = _kept(("rfm",), now, lambda: rfm_grid(asker, now=now, secret_key=settings().secret_key))
    return grid, _kept(("past",), now, lambda: past_response(asker, now=now))


def _cells(form: MultiDict[str, str]) -> tuple[Place, ...]:
    """The cells of a request. Raises Invalid."""
    try:
        return tuple((int(recency), int(frequency)) for recency, frequency in
                     (each[:20].split(":", 1) for each in form.getlist("cell")[:100]))
    except ValueError as error:
        raise Invalid("These cells do not exist. Open the page again and choose.", place="cell") from error


def _kept(key: tuple[str, ...], now: datetime, work: Callable[[], T]) -> T:
    """What was worked out from the same facts a short while ago: every click on a cell asks again."""
    asker = questions()
    mine, kept = current_app.extensions.get("winback.proposals", (None, {}))
    if mine is not asker:
        kept = {}
        current_app.extensions["winback.proposals"] = asker, kept
    whole: tuple[Any, ...] = (*key, asker.facts_mark(), int(now.timestamp()) // GOOD_FOR_SECONDS)
    if whole not in kept:
        found = work()
        while len(kept) >= MOST_KEPT:
            kept.pop(next(iter(kept)), None)
        kept[whole] = found
    answer: T = kept[whole]
    return answer

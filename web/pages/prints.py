"""Print runs: the letters of each day, ready for the print shop, with their manifest."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid
from delivery.print_runs import letter_path, letters_of, manifest_path, print_runs
from journeys.walk.posting import posted, read_day
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.requests.transactions import request_now, writing
from web.requests.wired import settings
from web.security.access import needs_role
from web.security.audit import record

blueprint = Blueprint("prints", __name__)

PAGE = 100
READERS = ("admin", "marketer")


@blueprint.get("/prints")
def index() -> ResponseReturnValue:
    """The days with letters, newest first."""
    return render_template("pages/prints/index.html", runs=print_runs(settings().home), readers=READERS)


@blueprint.get("/prints/<day>")
@needs_role(*READERS)
def show(day: str) -> ResponseReturnValue:
    """The letters of one day."""
    return _letters(day)


def _letters(day: str, *, posted_on: str = "", wrong: str | None = None) -> str:
    start = cursor(request.args.get("after"))
    letters = letters_of(settings().home, day)
    end = start + PAGE
    return render_template("pages/prints/show.html", day=day, on=read_day(day, "day"),
                           letters=letters[start:end], total=len(letters), posted_on=posted_on, wrong=wrong,
                           next_href=url_for("prints.show", day=day, after=end) if end < len(letters) else None,
                           first_href=url_for("prints.show", day=day) if start else None)


@blueprint.post("/prints/<day>/posted")
@needs_role(*READERS)
def post_day(day: str) -> ResponseReturnValue:
    """Take over the day on which the print shop really posted these letters."""
    now, typed = request_now(), request.form.get("posted_on", "")
    try:
        with writing() as session:
            letters = posted(session, read_day(day, "day"), read_day(typed, "posted_on"), now=now)
            record(session, "letters.posted", f"print run:{day}", now=now, posted_on=typed, letters=letters)
    except Invalid as error:
        if error.place != "posted_on":
            raise
        return _letters(day, posted_on=typed, wrong=error.message), 400
    toast(f"{letters:,} {'letter is' if letters == 1 else 'letters are'} reckoned from the day they were posted.")
    return redirect(url_for("prints.show", day=day))


@blueprint.get("/prints/<day>/manifest.csv")
@needs_role(*READERS)
def manifest(day: str) -> Any:
    """The manifest for the print shop."""
    return _file(manifest_path(settings().home, day), "text/csv", f"letters-{day}.csv")


@blueprint.get("/prints/<day>/<public_id>.pdf")
@needs_role(*READERS)
def letter(day: str, public_id: str) -> Any:
    """One letter as it is printed."""
    return _file(letter_path(settings().home, day, public_id), "application/pdf", f"{public_id}.pdf")


def _file(path: Any, kind: str, name: str) -> Any:
    answer = send_file(path, mimetype=kind, as_attachment=True, download_name=name, max_age=0)
    answer.headers["Cache-Control"] = "no-store"  # a letter holds a name and an address
    return answer

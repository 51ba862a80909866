"""Settings: which share of all customers every journey leaves alone."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid
from journeys.entry.holding_out import SALT, global_percent, set_global_percent
from web.frame.toasts import toast
from web.pages.settings import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record


@blueprint.get("/settings/left-alone")
@needs_role("admin")
def left_alone() -> ResponseReturnValue:
    """The share left alone everywhere."""
    with reading() as session:
        percent = global_percent(session)
    return _page(f"{percent:g}")


@blueprint.post("/settings/left-alone")
@needs_role("admin")
def set_left_alone() -> ResponseReturnValue:
    """Set that share."""
    now, who = request_now(), person()
    typed = request.form.get("percent", "").strip()[:20]
    try:
        percent = _number(typed)
        with writing() as session:
            set_global_percent(session, percent, author=who.name if who else None, now=now)
            record(session, "holdout.set", "global-holdout", now=now, percent=percent)
    except Invalid as error:
        return _page(typed, wrong=error.message), 400
    toast("Nobody is left alone everywhere any more." if not percent else
          f"Saved: {percent:g} % of all customers are left alone by every journey published from now on.")
    return redirect(url_for("settings.left_alone"))


def _number(typed: str) -> float:
    try:
        number = float(typed.replace(",", "."))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise Invalid("Use a number such as 5, or 0 for nobody.")
    return number


def _page(typed: str, *, wrong: str | None = None) -> str:
    return render_template("pages/settings/left_alone.html", typed=typed, wrong=wrong, salt=SALT)

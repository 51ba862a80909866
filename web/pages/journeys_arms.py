"""The arm that goes to the rest of a split, chosen by hand."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Conflict, Invalid
from journeys.arms.deciding import decide
from web.frame.toasts import toast
from web.pages.journeys import blueprint
from web.requests.transactions import request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record


@blueprint.post("/journeys/<key>/winner")
@needs_role("admin", "marketer")
def choose_winner(key: str) -> ResponseReturnValue:
    """Send one arm to everybody who waits for the winner."""
    now, who = request_now(), person()
    step, arm = (request.form.get(name, "")[:60].replace("\x00", "") for name in ("step", "arm"))
    try:
        with writing() as session:
            decide(session, key.replace("\x00", ""), step, arm, author=who.name if who else "somebody", now=now)
            record(session, "journey.winner", f"journey:{key[:100]}", now=now, step=step, arm=arm)
        toast(f"“{arm}” goes to everybody who waited.")
    except (Conflict, Invalid) as error:
        toast(error.message, kind="refused")
    return redirect(url_for("journeys.show", key=key))

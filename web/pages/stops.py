"""Stopping codes: what would stop and the question whether to, doing it, and undoing it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.codes import canonical
from core.errors import Conflict, NotFound
from coupons.codes.stopping import Reach, Target, reach
from web.coupons.stops import make_stop, undo_stop
from web.frame.links import page_url
from web.frame.toasts import toast
from web.requests.transactions import database, reading, request_now
from web.security.access import needs_role
from web.wording.formatting import count

blueprint = Blueprint("stops", __name__)

WHY = "it leaked"
LONGEST_WHY = 70


@blueprint.get("/stops/_new")
@needs_role("admin", "marketer")
def new() -> ResponseReturnValue:
    """Say how many live codes would stop, and ask."""
    target = _target(request.args.get("what", ""), request.args.get("which", ""))
    with reading() as session:
        found = reach(session, target, now=request_now())
    return render_template("pages/stops/new.html", target=target, reach=found, what=_what(target, found),
                           back=_back(target), why=WHY, longest=LONGEST_WHY)


@blueprint.post("/stops")
def make() -> ResponseReturnValue:
    """Withdraw the codes; done twice, the second finds nothing left."""
    target = _target(request.form.get("what", ""), request.form.get("which", ""))
    why = " ".join(request.form.get("why", "").replace("\x00", "").split())[:LONGEST_WHY] or WHY
    number, codes = make_stop(database(), target, why=why, now=request_now())
    if codes:
        toast(f"{count(codes)} {'code is' if codes == 1 else 'codes are'} withdrawn. Shops refuse "
              f"{'it' if codes == 1 else 'them'} from now on.", action="Undo",
              href=url_for("stops.release", number=number), post=True)
    elif target.kind == "offer":
        toast("The offer gives out no more codes. None was left to withdraw.", action="Undo",
              href=url_for("stops.release", number=number), post=True)
    else:
        toast("Nothing was changed: no code was left to withdraw.", kind="refused")
    return redirect(_back(target), 303)


@blueprint.post("/stops/<int:number>/release")
def release(number: int) -> ResponseReturnValue:
    """Undo one stop: exactly the codes that it withdrew work again."""
    try:
        found, codes = undo_stop(database(), number if number < 2**62 else 0, now=request_now())
    except Conflict as error:
        toast(error.message, kind="refused")
        return redirect(url_for("leaks.index"), 303)
    again = f"{count(codes)} {'code works' if codes == 1 else 'codes work'} again"
    toast(f"{again}, and the offer gives out codes." if found.target.kind == "offer" and found.was_issuing
          else f"{again}.")
    return redirect(_back(found.target), 303)


def _target(what: str, which: str) -> Target:
    text = which.replace("\x00", "").strip()[:200]
    if what == "code":
        text = canonical(text)[:64]
    if not text:
        raise NotFound("Say what is to be stopped.")
    return Target(what, text)


def _what(target: Target, found: Reach) -> str:
    """The target in a sentence: "the offer “Ten percent”"."""
    return {"code": f"the code {found.name}", "batch": f"the batch “{found.name}”",
            "campaign": f"the campaign “{found.name}”", "offer": f"the offer “{found.name}”"}[target.kind]


def _back(target: Target) -> str:
    """The page of what was stopped."""
    pages = {"code": ("codes.show", "code"), "batch": ("pools.show", "batch"), "offer": ("offers.show", "key"),
             "campaign": ("campaigns.show", "key")}
    endpoint, name = pages[target.kind]
    if target.kind == "campaign":
        return url_for("leaks.index")
    return page_url(endpoint, **{name: int(target.which) if target.kind == "batch" else target.which}) or url_for(
        "leaks.index")

"""The leak watch: redemptions with something odd, codes that travel, held-out people who redeem, what was stopped."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from coupons.codes.leaks import BASKETS, count_flagged, flagged, look_at_flags, travelling
from coupons.till.flags import FLAGS
from reporting.leaks import held_out_redeemers
from web.coupons.stops import list_stops
from web.frame.toasts import toast
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Blueprint("leaks", __name__)


def nav_count(session: Session, _now: object) -> int:
    """Redemptions with flags that nobody has looked at."""
    return count_flagged(session)


@blueprint.get("/leaks")
def index() -> ResponseReturnValue:
    """What the watch sees now."""
    now = request_now()
    with reading() as session:
        odd, total = flagged(session), count_flagged(session)
        moving = travelling(session, now=now)
        held_out = held_out_redeemers(session, now=now)
        stopped = list_stops(session, now=now)
    return render_template("pages/leaks/index.html", odd=odd, total=total, moving=moving, held_out=held_out,
                           stopped=stopped, words=FLAGS, baskets=BASKETS)


@blueprint.post("/leaks/_seen")
def seen() -> ResponseReturnValue:
    """Note that somebody has looked, at one redemption or at all."""
    now = request_now()
    public_id = request.form.get("redemption", "").replace("\x00", "")[:40] or None
    with writing() as session:
        count = look_at_flags(session, now=now, public_id=public_id)
        record(session, "flags.seen", f"redemption:{public_id or 'all'}", now=now, count=count)
    toast(f"{count} {'redemption is' if count == 1 else 'redemptions are'} looked at.")
    return redirect(url_for("leaks.index"), 303)

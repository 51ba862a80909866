"""The leak watch: redemptions with something odd, codes that travel, held-out people who redeem, and how to stop it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Invalid
from coupons.flags import FLAGS
from coupons.leaks import BASKETS, count_flagged, flagged, look_at_flags, travelling
from coupons.stopping import stop_batch, stop_campaign, stop_code, stop_offer
from reporting.leaks import held_out_redeemers
from web.audit import record
from web.toasts import toast
from web.transactions import database, reading, request_now, writing

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
    return render_template("pages/leaks/index.html", odd=odd, total=total, moving=moving, held_out=held_out,
                           words=FLAGS, baskets=BASKETS)


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


@blueprint.post("/leaks/_stop")
def stop() -> ResponseReturnValue:
    """Withdraw one code, the codes of a campaign or batch, or everything of an offer."""
    now = request_now()
    what, which = request.form.get("what", ""), request.form.get("which", "").replace("\x00", "")[:200]
    reason = "stopped: it leaked"
    if what == "code":
        count = stop_code(database(), which, reason=reason, now=now)
    elif what == "campaign":
        count = stop_campaign(database(), which, reason=reason, now=now)
    elif what == "batch" and which.isascii() and which.isdigit() and len(which) < 18:
        count = stop_batch(database(), int(which), reason=reason, now=now)
    elif what == "offer":
        count = stop_offer(database(), which, reason=reason, now=now)
    else:
        raise Invalid("Stop a code, a campaign's codes, a batch or an offer.")
    with writing() as session:
        record(session, "codes.stopped", f"{what}:{which}"[:200], now=now, count=count)
    toast(f"{count} {'code is' if count == 1 else 'codes are'} withdrawn. Shops refuse them from now on.")
    return redirect(url_for("leaks.index"), 303)

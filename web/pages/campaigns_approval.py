"""Four eyes: asking for a campaign's approval, approving and refusing."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.approving import ask, decide
from campaigns.planning import campaign_by_key
from core.errors import Conflict, Forbidden, Invalid
from journeys.editing.approval_parts import parts_of
from web.campaigns.approvals import asking_person
from web.frame.toasts import toast
from web.pages.campaigns import blueprint
from web.requests.transactions import request_now, writing
from web.security.audit import record


@blueprint.post("/campaigns/<key>/approval")
def ask_for_approval(key: str) -> ResponseReturnValue:
    """Ask somebody else to look at the campaign as it stands."""
    now = request_now()
    try:
        with writing() as session:
            campaign = campaign_by_key(session, key)
            asked = ask(session, campaign, parts=parts_of(session, campaign), by=asking_person(),
                        note=request.form.get("note", "")[:3000], now=now)
            record(session, "approval.asked", f"campaign:{key}", now=now, approval=asked.id)
    except (Conflict, Invalid) as error:
        toast(error.message, kind="refused")
    else:
        toast("Asked. Somebody else can approve it now; any change before then asks anew.")
    return redirect(url_for("campaigns.show", key=key))


@blueprint.post("/campaigns/<key>/approval/decide")
def decide_approval(key: str) -> ResponseReturnValue:
    """Approve, or refuse with a comment."""
    now, approved = request_now(), request.form.get("answer") == "approve"
    number = request.form.get("asking", "")
    try:
        with writing() as session:
            campaign = campaign_by_key(session, key)
            decided = decide(session, campaign, approved=approved, parts=parts_of(session, campaign),
                             by=asking_person(), asking=int(number) if number.isascii() and number.isdigit() else 0,
                             comment=request.form.get("comment", "")[:3000], now=now)
            record(session, f"approval.{decided.state}", f"campaign:{key}", now=now, approval=decided.id,
                   comment=(decided.comment or "")[:300] or None)
            name = campaign.name
    except (Conflict, Forbidden, Invalid) as error:
        toast(error.message, kind="refused")
    else:
        toast(f"“{name}” is approved as it stands." if approved
              else f"“{name}” is refused; {decided.asked_by} reads why.")
    return redirect(url_for("campaigns.show", key=key))

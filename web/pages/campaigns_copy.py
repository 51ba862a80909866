"""A campaign as the template of the next one: copied with its journey, to be looked at and given its days."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.planning import campaign_by_key, list_campaigns
from journeys.editing.duplicating import duplicate
from web.campaigns.form import key_from
from web.frame.toasts import toast
from web.pages.campaigns import blueprint
from web.requests.transactions import request_now, writing
from web.security.access import person
from web.security.audit import record


@blueprint.post("/campaigns/<key>/duplicate")
def duplicate_campaign(key: str) -> ResponseReturnValue:
    """Copy the campaign with its journey and open the copy's form."""
    now, who = request_now(), person()
    with writing() as session:
        first = campaign_by_key(session, key)
        name = (request.form.get("name", "").strip() or f"{first.name}, copy")[:200]
        taken = {each.key for each in list_campaigns(session)}
        copy = duplicate(session, key, new_key=key_from(name, taken=taken.__contains__), name=name,
                         owner=who.name if who else None, now=now)
        record(session, "campaign.saved", f"campaign:{copy.key}", now=now, copy_of=key)
        made = copy.key
    toast(f"“{name}” is a copy with its own journey. Choose its days.")
    return redirect(url_for("campaigns.edit", key=made))

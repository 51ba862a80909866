"""A campaign from a ready play: planned with its segment, offers, contents and journey in one click."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.planning import list_campaigns
from journeys.editing.playbook import play_by_key, use_play
from web.campaigns.form import key_from
from web.frame.toasts import toast
from web.pages.campaigns import blueprint
from web.requests.transactions import request_now, writing
from web.security.access import person
from web.security.audit import record


@blueprint.post("/campaigns/_plays/<play>")
def begin_from_play(play: str) -> ResponseReturnValue:
    """Plan the campaign of a play; it is looked at, changed and started like any other."""
    now, who, chosen = request_now(), person(), play_by_key(play)
    name = (request.form.get("name", "").strip() or chosen.name)[:200]
    author = who.name if who else None
    with writing() as session:
        taken = {each.key for each in list_campaigns(session)}
        campaign = use_play(session, chosen, key_from(name, taken=taken.__contains__), name=name, owner=author,
                            author=author, now=now)
        record(session, "campaign.saved", f"campaign:{campaign.key}", now=now, play=chosen.key)
        made = campaign.key
    toast(f"“{name}” is planned with its journey. Look at its contents and choose its days.")
    return redirect(url_for("campaigns.show", key=made))

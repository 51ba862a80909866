"""A campaign that said something wrong: who has it, what is taken back, and the correction."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.planning import campaign_by_key
from core.errors import Invalid
from journeys.editing.repairing import repair, spoken
from web.pages.campaigns import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record


@blueprint.get("/campaigns/<key>/repair")
def repairs(key: str) -> ResponseReturnValue:
    """Every text this campaign has said, and how many have it."""
    with reading() as session:
        campaign = campaign_by_key(session, key)
        lines = spoken(session, key)
    return render_template("pages/campaigns/repair.html", campaign=campaign, lines=lines, done=None)


@blueprint.post("/campaigns/<key>/repair")
def repair_campaign(key: str) -> ResponseReturnValue:
    """Stop, take back, list and draft the correction for one wrong text."""
    now, who = request_now(), person()
    content, revision = request.form.get("content", "")[:100].replace("\0", ""), request.form.get("revision", "")
    if not (revision.isascii() and revision.isdigit() and len(revision) < 9):
        raise Invalid("Choose the text that was wrong.", place="revision")
    with writing() as session:
        done = repair(session, key, content=content, revision=int(revision), author=who.name if who else None, now=now)
        record(session, "campaign.repaired", f"campaign:{key}", now=now, content=content, revision=int(revision),
               withdrawn=done.withdrawn, listed=done.listed)
        campaign = campaign_by_key(session, key)
        lines = spoken(session, key)
    return render_template("pages/campaigns/repair.html", campaign=campaign, lines=lines, done=done,
                           list_href=url_for("segments.people_list", key=done.people) if done.people else None)

"""A campaign that said something wrong: who has it, what is taken back, and the correction."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.planning import campaign_by_key
from core.errors import Invalid, NotFound
from customers.people import customers_with_city, display_name
from journeys.editing.repairing import people_with, repair, spoken
from web.frame.links import customer_url
from web.frame.paging import cursor
from web.pages.campaigns import PAGE, blueprint
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


@blueprint.get("/campaigns/<key>/repair/people")
def repair_people(key: str) -> ResponseReturnValue:
    """The people behind one number of the repair: who has this text, or for whom it has not left the house."""
    after, content = cursor(request.args.get("after")), request.args.get("content", "")[:100].replace("\0", "")
    revision, waiting = _revision(request.args.get("revision", "")), request.args.get("part") == "waiting"
    with reading() as session:
        campaign = campaign_by_key(session, key)
        line = next((each for each in spoken(session, key) if (each.content, each.revision) == (content, revision)),
                    None)
        if line is None:
            raise NotFound(f"{campaign.name} never said that text.")
        ids = people_with(session, key, content=content, revision=revision, waiting=waiting, after=after,
                          limit=PAGE + 1)
        rows = customers_with_city(session, ids[:PAGE])
    people = [{"name": display_name(rows[each][0]), "customer": rows[each][0].external_id, "city": rows[each][1]}
              for each in ids[:PAGE] if each in rows]
    return render_template(
        "pages/campaigns/repair_people.html", campaign=campaign, line=line, waiting=waiting, people=people, after=after,
        following=ids[PAGE - 1] if len(ids) > PAGE else None, customer_url=customer_url)


@blueprint.post("/campaigns/<key>/repair")
def repair_campaign(key: str) -> ResponseReturnValue:
    """Stop, take back, list and draft the correction for one wrong text."""
    now, who = request_now(), person()
    content = request.form.get("content", "")[:100].replace("\0", "")
    revision = _revision(request.form.get("revision", ""))
    with writing() as session:
        done = repair(session, key, content=content, revision=revision, author=who.name if who else None, now=now)
        record(session, "campaign.repaired", f"campaign:{key}", now=now, content=content, revision=revision,
               withdrawn=done.withdrawn, listed=done.listed)
        campaign = campaign_by_key(session, key)
        lines = spoken(session, key)
    return render_template("pages/campaigns/repair.html", campaign=campaign, lines=lines, done=done,
                           list_href=url_for("segments.people_list", key=done.people) if done.people else None)


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise Invalid("Choose the text that was wrong.", place="revision")
    return int(text)

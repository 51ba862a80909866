"""Two versions of a journey side by side, and moving people from an older one to the newest."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.models import Campaign
from core.errors import NotFound
from journeys.editing import editing, moving
from journeys.graphs.comparing import compare, standing
from journeys.graphs.reading import parse_graph
from journeys.telling.showing import version_of, versions_of
from web.frame.paging import cursor
from web.frame.presentation import zone
from web.frame.toasts import toast
from web.journeys.comparing import differences
from web.journeys.view import names_of, picture
from web.journeys.words import step_name
from web.pages.journeys import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role
from web.security.audit import record
from web.wording.formatting import count


@blueprint.get("/journeys/<key>/versions/<int:number>")
def compare_version(key: str, number: int) -> ResponseReturnValue:
    """What the newest version (or `?with=`) changed against this one, and who stands where in it."""
    wanted = cursor(request.args.get("with"))
    with reading() as session:
        journey = editing.journey_by_key(session, key)
        versions = versions_of(session, journey)
        old = version_of(session, journey, min(number, 2**31 - 1))
        new = versions[0] if versions and not wanted else version_of(session, journey, min(wanted, 2**31 - 1))
        if old is None or new is None:
            raise NotFound(f"{journey.name} has no such version.")
        before, after = parse_graph(old.graph), parse_graph(new.graph)
        comparison = compare(before, after)
        names = names_of(session)
        lines = differences(comparison, (before, old.graph), (after, new.graph), names, zone=zone())
        campaign = session.get_one(Campaign, journey.campaign_id)
        drawing = picture(session, campaign, new.graph, None, [], marks=comparison.steps)
        people = standing(session, old, new) if new.id == versions[0].id != old.id else []
        targets = moving.steps_to_choose(versions[0])
    return render_template(
        "pages/journeys/versions.html", journey=journey, old=old, new=new, lines=lines, drawing=drawing, people=people,
        movable=journey.state in ("running", "paused"), newest=versions[0],
        name=lambda step: step_name(old.graph, step),
        targets=[(step, step_name(versions[0].graph, step)) for step in targets])


@blueprint.post("/journeys/<key>/versions/<int:number>/move")
@needs_role("admin", "marketer")
def move_people(key: str, number: int) -> ResponseReturnValue:
    """Bring those who stand at one step to the newest version."""
    now, form = request_now(), request.form
    step, target = (form.get(name, "")[:60].replace("\x00", "") for name in ("step", "target"))
    shown = form.get("people", "")
    with writing() as session:
        moved = moving.take_over(session, key, number=min(number, 2**31 - 1), step=step, target=target or None, now=now,
                                 expected_people=int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 10
                                 else None)
        record(session, "journey.moved", f"journey:{key}", now=now, number=number, step=step, people=moved)
    toast(f"{count(moved)} {'person goes' if moved == 1 else 'people go'} on in the newest version.")
    return redirect(url_for("journeys.compare_version", key=key, number=number))


@blueprint.post("/journeys/<key>/versions/<int:number>/retire")
@needs_role("admin", "marketer")
def retire_version(key: str, number: int) -> ResponseReturnValue:
    """End an older version for everybody still inside it."""
    now = request_now()
    with writing() as session:
        left = moving.retire(session, key, number=min(number, 2**31 - 1), now=now)
        record(session, "journey.version_retired", f"journey:{key}", now=now, number=number, people=left)
    toast(f"Version {number} is retired: {count(left)} {'person' if left == 1 else 'people'} left.")
    return redirect(url_for("journeys.compare_version", key=key, number=number))

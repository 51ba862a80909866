"""Who came into a segment and who left, refresh by refresh; beside it where it lies and what uses it."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import NotFound, WinbackError
from journeys.uses import uses_of
from segments.membership.refreshing import refresh
from segments.membership.snapshots import snapshot_of, snapshots_from
from segments.membership.stays import moved, newest_refreshes, refresh_numbered
from segments.saving.filing import listed_folders
from segments.saving.saved import segment_by_key, segment_rule
from web.builder import numbers as counting
from web.builder.draft import draft_of
from web.frame.links import use_url
from web.frame.paging import stored_number
from web.frame.toasts import toast
from web.pages.segments import blueprint
from web.requests.questions import questions
from web.requests.transactions import database, reading, request_now, writing
from web.requests.wired import settings
from web.security.audit import record

PAGE = 25
PEOPLE = 50

HOW_OFTEN = (("", "Only when somebody asks"), ("300", "Every 5 minutes at most"), ("900", "Every 15 minutes at most"),
             ("3600", "Every hour at most"), ("21600", "Every 6 hours at most"), ("86400", "Once a day at most"))
CAUSES = {"first": "first time", "rule": "rule changed",
          "facts": "facts changed", "time": "time passed", "asked": "asked for"}


@blueprint.get("/segments/<key>/history")
def history(key: str) -> ResponseReturnValue:
    """The refreshes in which somebody came or left, newest first."""
    before = request.args.get("before", 0, type=stored_number)
    with reading() as session:
        segment = segment_by_key(session, key)
        rows = newest_refreshes(session, segment.id, before=before or None, limit=PAGE + 1)
        view: dict[str, Any] = {
            "segment": segment, "rows": rows[:PAGE], "first": before > 0, "uses": uses_of(session, key),
            "snapshot": snapshot_of(session, segment), "snapshots": snapshots_from(session, key),
            "folders": listed_folders(session),
            "following": url_for("segments.history", key=key, before=rows[PAGE - 1].id) if len(rows) > PAGE else None,
        }
    often = list(HOW_OFTEN)
    chosen = str(segment.refresh_seconds or "")
    if chosen not in dict(often):
        often.append((chosen, f"Every {segment.refresh_seconds:,} seconds at most"))
    return render_template("pages/segments/history.html", **view, causes=CAUSES, often=often, chosen=chosen,
                           use_url=use_url)


@blueprint.get("/segments/<key>/history/<int:number>/<any(came, left):which>")
def movers(key: str, number: int, which: str) -> ResponseReturnValue:
    """The people who came in, or left, with one refresh, page by page."""
    now, after = request_now(), request.args.get("after", 0, type=stored_number)
    with reading() as session:
        segment, rule = segment_by_key(session, key), segment_rule(session, key)
        row = refresh_numbered(session, segment, number)
        if row is None:
            raise NotFound("There is no such refresh. Look at the history of the segment.")
        ids = moved(session, row, left=which == "left", after=after, limit=PEOPLE + 1)
        members = counting.members(session, draft_of(rule.to_json()), ids[:PEOPLE], now=now,
                                   secret_key=settings().secret_key)
    following = (url_for("segments.movers", key=key, number=number, which=which, after=ids[PEOPLE - 1])
                 if len(ids) > PEOPLE else None)
    total = row.left_count if which == "left" else row.entered_count
    return render_template("pages/segments/movers.html", segment=segment, row=row, which=which, members=members,
                           total=total, following=following, first=after > 0)


@blueprint.post("/segments/<key>/refresh")
def refresh_now(key: str) -> ResponseReturnValue:
    """Work the members out now."""
    now = request_now()
    try:
        found = refresh(database(), questions(), key, now=now)
    except NotFound:
        raise
    except WinbackError as error:
        toast(f"Not refreshed: {error.message}", kind="refused")
    else:
        if found is None:
            toast("Somebody is refreshing it at this moment. Look again shortly.", kind="refused")
        else:
            toast(f"{found.members:,} people are in: {found.entered:,} came in, {found.left:,} left.")
            with writing() as session:
                record(session, "segment.refreshed", f"segment:{key}", now=now, members=found.members)
    return redirect(url_for("segments.history", key=key), 303)

"""Keeping segments in order: copies, the archive."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from campaigns.uses import campaigns_on
from segments.filing import archive_segment
from segments.saved import save_segment, segment_by_key, segment_rule
from web.access import person
from web.audit import record
from web.pages.segments import blueprint, free_key
from web.toasts import toast
from web.transactions import reading, request_now, writing


@blueprint.post("/segments/<key>/duplicate")
def duplicate(key: str) -> ResponseReturnValue:
    """Save a copy under a new name and open it."""
    now, who = request_now(), person()
    with reading() as session:
        name = f"{segment_by_key(session, key).name[:190]}, copy"
    copy_key = free_key(name)
    with writing() as session:
        save_segment(session, copy_key, name=name, rule=segment_rule(session, key), author=who.name if who else None,
                     expected_version=0, now=now)
        record(session, "segment.saved", f"segment:{copy_key}", now=now, copy_of=key)
    toast(f"This is the copy, “{name}”.")
    return redirect(url_for("segments.show", key=copy_key), 303)


@blueprint.post("/segments/<key>/archive")
def archive(key: str) -> ResponseReturnValue:
    """Take a segment out of the lists, unless a campaign still stands on it."""
    now = request_now()
    with writing() as session:
        segment = segment_by_key(session, key)
        using = campaigns_on(session, segment.id)
        if using:
            names = ", ".join(f"“{campaign.name}”" for campaign in using[:5])
            more = f" and {len(using) - 5} more" if len(using) > 5 else ""
            toast(f"Not archived: {names}{more} {'uses' if len(using) == 1 else 'use'} this segment. "
                  "End them or give them another segment first.", kind="refused")
            return redirect(url_for("segments.show", key=key), 303)
        archive_segment(session, key, now=now)
        record(session, "segment.archived", f"segment:{key}", now=now)
        name = segment.name
    toast(f"“{name}” is archived.", action="Undo", href=url_for("segments.unarchive", key=key), post=True)
    return redirect(url_for("segments.index"), 303)


@blueprint.post("/segments/<key>/unarchive")
def unarchive(key: str) -> ResponseReturnValue:
    """Put an archived segment back into the lists: its rule is saved again, which adds no version."""
    now = request_now()
    with writing() as session:
        segment = segment_by_key(session, key)
        save_segment(session, key, name=segment.name, rule=segment_rule(session, key), now=now)
        record(session, "segment.unarchived", f"segment:{key}", now=now)
    toast("The segment is back in the list.")
    return redirect(url_for("segments.show", key=key), 303)

"""The versions of a segment, and the way back to an older one."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from segments.saved import save_segment, segment_by_key, segment_rule
from web.access import person
from web.audit import record
from web.pages.segments import blueprint
from web.toasts import toast
from web.transactions import request_now, writing


@blueprint.post("/segments/<key>/versions/<int:number>/restore")
def restore(key: str, number: int) -> ResponseReturnValue:
    """Save an older version's rule as the newest one."""
    now, who = request_now(), person()
    with writing() as session:
        segment = segment_by_key(session, key)
        rule = segment_rule(session, key, version=number)
        saved = save_segment(session, key, name=segment.name, rule=rule, author=who.name if who else None,
                             expected_version=segment.version, now=now)
        record(session, "segment.restored", f"segment:{key}", now=now, version=number)
        version = saved.version
    toast(f"The rule of version {number} is back, as version {version}.")
    return redirect(url_for("segments.show", key=key), 303)

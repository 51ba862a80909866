"""The versions of a segment: who saved what when, what changed, and the way back to an older one."""

from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from segments.language.rules import parse_rule
from segments.models import SegmentVersion
from segments.saving.saved import save_segment, segment_by_key, segment_rule, versions_of
from segments.telling.naming import segment_names, with_names
from segments.telling.versions import Difference, difference
from segments.telling.words import sentence
from web.frame.paging import stored_number
from web.frame.toasts import toast
from web.pages.segments import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record

PAGE = 20


@dataclass(frozen=True)
class Shown:
    """One version with its sentence and what changed from the one before; None for the first."""

    version: SegmentVersion
    words: str
    changed: Difference | None


@blueprint.get("/segments/<key>/versions")
def versions(key: str) -> ResponseReturnValue:
    """Every version, newest first, with its author, its sentence and its difference."""
    before = request.args.get("before", 0, type=stored_number)
    with reading() as session:
        segment = segment_by_key(session, key)
        found = [row for row in versions_of(session, key) if not before or row.number < before]
        names = segment_names(session)
    rules = [with_names(parse_rule(row.rule), names) for row in found[:PAGE + 1]]
    shown = [Shown(row, sentence(rule), difference(older, rule) if older else None)
             for row, rule, older in zip(found[:PAGE], rules, [*rules[1:], None], strict=False)]
    return render_template("pages/segments/versions.html", segment=segment, versions=shown, first=before > 0,
                           following=url_for("segments.versions", key=key, before=shown[-1].version.number)
                           if len(found) > PAGE else None)


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

"""Keeping segments in order: name, folder, tags, copies, how often to refresh, snapshots, the archive, deletion."""

from collections.abc import Callable

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Invalid, WinbackError
from journeys.uses import higher_uses
from segments.membership.snapshots import freeze
from segments.saving.filing import (
    archive_segment,
    delete_segment,
    duplicate_segment,
    file_segment,
    rename_segment,
    set_refreshing,
    unarchive_segment,
)
from segments.saving.saved import segment_by_key, segment_rule
from web.frame.toasts import toast
from web.pages.segments import blueprint, free_key
from web.requests.questions import questions
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record


def _done(key: str, work: Callable[[Session], str], refused: str) -> ResponseReturnValue:
    """Do the work in one transaction and go back to the history page; a refusal says why and changes nothing."""
    try:
        with writing() as session:
            said = work(session)
    except WinbackError as error:
        message = error.message
        toast(message if message.startswith(refused) else f"{refused}: {message}", kind="refused")
    else:
        toast(said)
    return redirect(url_for("segments.history", key=key), 303)


@blueprint.post("/segments/<key>/file")
def file(key: str) -> ResponseReturnValue:
    """Name, description, folder, tags and how often members are refreshed."""
    now, form = request_now(), request.form

    def work(session: Session) -> str:
        rename_segment(session, key, name=form.get("name", ""), description=form.get("description", ""), now=now)
        file_segment(session, key, folder=form.get("folder"), tags=form.get("tags", "").split(","), now=now)
        if "refresh_seconds" in form:
            set_refreshing(session, key, seconds=_seconds(form["refresh_seconds"]))
        record(session, "segment.filed", f"segment:{key}", now=now)
        return "Saved."

    return _done(key, work, "Not saved")


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("choose how often from the list.", place="refresh_seconds")
    return int(text)


@blueprint.post("/segments/<key>/freeze")
def snapshot(key: str) -> ResponseReturnValue:
    """Freeze the people of now as a snapshot and open it."""
    now, who = request_now(), person()
    with reading() as session:
        rule = segment_rule(session, key)
    try:
        answer = questions().ids(rule, as_of=now)
        with writing() as session:
            made = freeze(session, key, now=now, members=answer.value, engine=answer.engine,
                          author=who.name if who else None)
            record(session, "segment.frozen", f"segment:{made.key}", now=now, of=key, people=len(answer.value))
            new_key, name = made.key, made.name
    except WinbackError as error:
        toast(f"Not frozen: {error.message}", kind="refused")
        return redirect(url_for("segments.history", key=key), 303)
    toast(f"“{name}” keeps {len(answer.value):,} people as they are now.")
    return redirect(url_for("segments.people_list", key=new_key), 303)


@blueprint.post("/segments/<key>/duplicate")
def duplicate(key: str) -> ResponseReturnValue:
    """Save a copy under a new name and open it."""
    now, who = request_now(), person()
    with reading() as session:
        name = f"{segment_by_key(session, key).name[:190]}, copy"
    copy_key = free_key(name)
    with writing() as session:
        duplicate_segment(session, key, new_key=copy_key, name=name, author=who.name if who else None, now=now)
        record(session, "segment.saved", f"segment:{copy_key}", now=now, copy_of=key)
    toast(f"This is the copy, “{name}”.")
    return redirect(url_for("segments.show", key=copy_key), 303)


@blueprint.post("/segments/<key>/archive")
def archive(key: str) -> ResponseReturnValue:
    """Take a segment out of the lists, unless something still stands on it."""
    now = request_now()
    try:
        with writing() as session:
            segment = archive_segment(session, key, above=higher_uses, now=now)
            record(session, "segment.archived", f"segment:{key}", now=now)
            name = segment.name
    except WinbackError as error:
        toast(error.message, kind="refused")
        return redirect(url_for("segments.history", key=key), 303)
    toast(f"“{name}” is archived.", action="Undo", href=url_for("segments.unarchive", key=key), post=True)
    return redirect(url_for("segments.index"), 303)


@blueprint.post("/segments/<key>/unarchive")
def unarchive(key: str) -> ResponseReturnValue:
    """Put an archived segment back into the lists."""
    now = request_now()
    with writing() as session:
        unarchive_segment(session, key, now=now)
        record(session, "segment.unarchived", f"segment:{key}", now=now)
    toast("The segment is back in the list.")
    return redirect(url_for("segments.show", key=key), 303)


@blueprint.post("/segments/<key>/delete")
def delete(key: str) -> ResponseReturnValue:
    """Delete a segment with its versions and history; refused with the list of what uses it."""
    try:
        with writing() as session:
            name = segment_by_key(session, key).name
            delete_segment(session, key, above=higher_uses)
            record(session, "segment.deleted", f"segment:{key}", now=request_now(), name=name)
    except WinbackError as error:
        toast(error.message, kind="refused")
        return redirect(url_for("segments.history", key=key), 303)
    toast(f"“{name}” is deleted.")
    return redirect(url_for("segments.index"), 303)

"""Static lists: make one, see who is on it, add people by typing, pasting or a CSV file, take people off."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid, WinbackError
from segments.membership.snapshots import snapshot_of
from segments.saving.lists import (
    Entry,
    Outcome,
    add_people,
    listed_ids,
    make_list,
    people_on,
    read_entries,
    remove_people,
)
from segments.saving.saved import segment_by_key
from web.builder import numbers as counting
from web.builder.draft import draft_of
from web.frame.paging import stored_number
from web.frame.toasts import toast
from web.pages.segments import blueprint, free_key
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import settings
from web.security.access import CHANGERS, needs_role, person
from web.security.audit import record

PAGE = 50
MOST_SHOWN = 200


@blueprint.get("/segments/_list")
@needs_role(*CHANGERS)
def new_list() -> ResponseReturnValue:
    """Begin a static list."""
    return render_template("pages/segments/new_list.html", name="", wrong=None)


@blueprint.post("/segments/_list")
def create_list() -> ResponseReturnValue:
    """Make the list, with the people given at once."""
    now, who, name = request_now(), person(), request.form.get("name", "").strip()
    try:
        entries = _entries()
        key = free_key(name)
        with writing() as session:
            make_list(session, key, name=name, author=who.name if who else None, now=now)
            found = add_people(session, key, entries, now=now)
            record(session, "list.made", f"segment:{key}", now=now, people=found.changed)
    except WinbackError as error:
        return render_template("pages/segments/new_list.html", name=name, wrong=error.message,
                               people=request.form.get("people", "")), 422
    return _told(key, found, added=True)


@blueprint.get("/segments/<key>/list")
def people_list(key: str) -> ResponseReturnValue:
    """Who is on a list or in a snapshot, page by page."""
    return _page(key)


@blueprint.post("/segments/<key>/list/add")
def add_to_list(key: str) -> ResponseReturnValue:
    """Put people onto the list."""
    return _changed(key, add=True)


@blueprint.post("/segments/<key>/list/remove")
def remove_from_list(key: str) -> ResponseReturnValue:
    """Take people off the list: those ticked, or those given like for adding."""
    return _changed(key, add=False)


def _changed(key: str, *, add: bool) -> ResponseReturnValue:
    now = request_now()
    try:
        entries = [Entry(line, value) for line, value in enumerate(request.form.getlist("number"), 1)] or _entries()
        if not entries:
            raise Invalid("Tick somebody, paste customer numbers or e-mail addresses, or choose a file.")
        with writing() as session:
            found = (add_people if add else remove_people)(session, key, entries, now=now)
            record(session, "list.added" if add else "list.removed", f"segment:{key}", now=now, people=found.changed)
    except Invalid as error:
        return _page(key, wrong=error.message), 422
    except WinbackError as error:
        toast(error.message, kind="refused")
        return redirect(url_for("segments.people_list", key=key), 303)
    return _told(key, found, added=add)


def _told(key: str, found: Outcome, *, added: bool) -> ResponseReturnValue:
    if found.unknown:
        # Stays on this page, so that the lines can be copied and mended.
        return _page(key, found=found, added=added)
    already = f", {found.already:,} {'were on it' if added else 'were not on it'} already" if found.already else ""
    toast(f"{found.changed:,} people {'added' if added else 'taken off'}{already}.")
    return redirect(url_for("segments.people_list", key=key), 303)


def _entries() -> list[Entry]:
    """What was pasted, else what is in the file; in UTF-8, or as Windows writes it."""
    pasted, sent = request.form.get("people", ""), request.files.get("file")
    if pasted.strip():
        return read_entries(pasted)
    if sent is None or not sent.filename:
        return []
    data = sent.stream.read()
    if data.startswith(b"PK\x03\x04"):
        raise Invalid("This is an Excel or zip file, not CSV. Save it as CSV (UTF-8) and choose that.")
    for codec in ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp1252", "latin-1"):
        try:
            return read_entries(data.decode(codec).replace("\r\n", "\n").replace("\r", "\n"))
        except UnicodeDecodeError:
            continue
    return []


def _page(key: str, *, found: Outcome | None = None, added: bool = True, wrong: str | None = None) -> str:
    now, after = request_now(), request.args.get("after", 0, type=stored_number)
    with reading() as session:
        segment = segment_by_key(session, key)
        total, ids = people_on(session, segment), listed_ids(session, segment, after=after, limit=PAGE + 1)
        members = counting.members(session, draft_of({"segment": key}), ids[:PAGE], now=now,
                                   secret_key=settings().secret_key)
        origin = snapshot_of(session, segment)
    following = url_for("segments.people_list", key=key, after=ids[PAGE - 1]) if len(ids) > PAGE else None
    return render_template("pages/segments/list.html", segment=segment, members=members, total=total, origin=origin,
                           following=following, first=after > 0, found=found, added=added, wrong=wrong,
                           most=MOST_SHOWN, people=request.form.get("people", "") if wrong else "")

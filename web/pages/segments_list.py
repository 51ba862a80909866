"""The list of segments: which there are, in which folder, what each says, how many are in, who came and left lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import WinbackError
from segments.membership.stays import newest_of_all
from segments.models import Segment, SegmentRefresh
from segments.saving.filing import rename_folder
from segments.saving.saved import list_segments, segment_rule
from segments.telling.naming import segment_names, with_names
from segments.telling.words import sentence
from web.frame.fragments import part_of
from web.frame.toasts import toast
from web.pages.segments import QUESTIONS, blueprint
from web.registry import Found
from web.requests.questions import questions
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    segment: Segment
    words: str
    newest: SegmentRefresh | None

    @property
    def folder(self) -> str:
        """Where it lies; empty: in no folder."""
        return self.segment.folder or ""


def nav_count(session: Session, _now: Any) -> int:
    """How many segments there are."""
    return len(list_segments(session))


def find(session: Session, words: str) -> list[Found]:
    """Segments whose name holds the words."""
    wanted = words.casefold()
    return [Found(segment.name, "segment", url_for("segments.show", key=segment.key), "users-group")
            for segment in list_segments(session) if wanted in segment.name.casefold()][:5]


@blueprint.get("/segments")
def index() -> ResponseReturnValue:
    """List the segments with their rule in words; `q`, `folder`, `tag` and `kind` narrow the list."""
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("q", "folder", "tag", "kind")}
    archived = request.args.get("show") == "archived"
    with reading() as session:
        everything = [segment for segment in list_segments(session, archived=archived)
                      if not archived or segment.archived_at is not None]
        found = [segment for segment in everything if _fits(segment, asked)]
        newest = newest_of_all(session)
        names = segment_names(session)
        rows = [Row(segment, _sentence_of(session, segment, names), newest.get(segment.id)) for segment in found]
    rows.sort(key=lambda row: ((row.segment.folder or "").casefold(), row.segment.name.casefold()))
    ready = [(words, url_for("segments.new", question=name)) for name, (words, _name, _rule) in QUESTIONS.items()]
    return render_template(
        "pages/segments/index.html", rows=rows, archived=archived, questions=ready, asked=asked,
        folders=_counted(segment.folder for segment in everything if segment.folder),
        tags=_counted(tag for segment in everything for tag in segment.tags), total=len(everything),
        narrowed=any(asked.values()))


def _fits(segment: Segment, asked: dict[str, str]) -> bool:
    words = asked["q"].casefold()
    return ((not words or words in segment.name.casefold() or words in segment.key
             or words in (segment.description or "").casefold() or any(words in tag.casefold() for tag in segment.tags))
            and (not asked["folder"] or segment.folder == asked["folder"])
            and (not asked["tag"] or asked["tag"] in segment.tags)
            and (not asked["kind"] or segment.kind == asked["kind"]))


def _counted(words: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda item: item[0].casefold()))


def _sentence_of(session: Session, segment: Segment, names: Mapping[str, str]) -> str:
    if segment.kind != "rule":
        return segment.description or ("A list of people chosen one by one." if segment.kind == "list"
                                       else "People frozen at one instant.")
    try:
        return sentence(with_names(segment_rule(session, segment.key), names))
    except WinbackError as error:
        return f"This rule cannot be read: {error}"


@blueprint.get("/segments/<key>/size")
@part_of("segments.show")
def size(key: str) -> ResponseReturnValue:
    """The size of one segment with the time it is from, for the list."""
    now: datetime = request_now()
    with reading() as session:
        rule = segment_rule(session, key)
    try:
        answer = questions().count(rule, as_of=now, fresh=False)
    except WinbackError as error:
        return render_template("fragments/segments/size.html", answer=None, why=error.message)
    return render_template("fragments/segments/size.html", answer=answer, why=None)


@blueprint.post("/segments/_folder")
def folder() -> ResponseReturnValue:
    """Rename a folder for everything in it, or dissolve it when the new name is empty."""
    old, new = request.form.get("folder", ""), request.form.get("name", "").strip()
    try:
        with writing() as session:
            moved = rename_folder(session, old, new=new or None)
            record(session, "folder.renamed", f"folder:{old[:100]}", now=request_now(), name=new)
    except WinbackError as error:
        toast(f"Not renamed: {error.message}", kind="refused")
        return redirect(url_for("segments.index", folder=old), 303)
    many = f"{moved} segment{'' if moved == 1 else 's'}"
    toast(f"“{old}” is now “{new}”, with {many}." if new else f"{many} lie in no folder now.")
    return redirect(url_for("segments.index", folder=new or None), 303)

"""The list of segments: which there are, what each says, how many people are in it."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import WinbackError
from segments.models import Segment
from segments.naming import segment_names, with_names
from segments.saved import list_segments, segment_rule
from segments.words import sentence
from web.pages.segments import QUESTIONS, blueprint
from web.questions import questions
from web.registry import Found
from web.transactions import reading, request_now


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
    """List the segments with their rule in words."""
    archived = request.args.get("show") == "archived"
    with reading() as session:
        found = [segment for segment in list_segments(session, archived=archived)
                 if not archived or segment.archived_at is not None]
        rows = [(segment, _sentence_of(session, segment)) for segment in found]
    ready = [(words, url_for("segments.new", question=name)) for name, (words, _name, _rule) in QUESTIONS.items()]
    return render_template("pages/segments/index.html", rows=rows, archived=archived, questions=ready)


def _sentence_of(session: Session, segment: Segment) -> str:
    try:
        return sentence(with_names(segment_rule(session, segment.key), segment_names(session)))
    except WinbackError as error:
        return f"This rule cannot be read: {error}"


@blueprint.get("/segments/<key>/size")
def size(key: str) -> ResponseReturnValue:
    """The size of one segment with the time it is from, for the list."""
    now = request_now()
    with reading() as session:
        rule = segment_rule(session, key)
    try:
        answer = questions().count(rule, as_of=now, fresh=False)
    except WinbackError as error:
        return render_template("fragments/segments/size.html", answer=None, why=error.message)
    return render_template("fragments/segments/size.html", answer=answer, why=None)

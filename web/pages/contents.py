"""The pages of contents: the list, and the form with its preview.

The preview of the e-mail is a page of its own in a sandboxed frame, with a content policy of its own; the form posts
itself into that frame. What does not compile is not saved, and every finding stands beside its field with its line.
"""

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound, WinbackError
from delivery.content import CompiledContent, ContentSource, compile_content, compiled_from
from delivery.contents import (
    archive_content,
    content_by_key,
    content_channels,
    list_contents,
    newest_revision,
    revisions_of,
    save_content,
)
from delivery.models import Content, ContentRevision
from delivery.policy import CONSENT_NEEDED
from delivery.templating import FILTERS, TAGS, VARIABLES
from web.campaigns.content_preview import drawn_letter, preview
from web.frame.paging import stored_number
from web.frame.toasts import toast
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.security.access import CHANGERS, needs_role, person
from web.security.audit import record
from web.security.headers import preview_policy

blueprint = Blueprint("contents", __name__)

PARTS = ("subject", "mjml", "letter", "call_script")
START = """<mjml>
  <mj-body>
    <mj-section>
      <mj-column>
        <mj-text>{{ greeting }},</mj-text>
        <mj-text>Here is your code: {{ code }}. It is valid until {{ code_valid_until }}.</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>"""
_LOOKERS = ("admin", "marketer", "analyst", "agent")


def nav_count(session: Session, _now: Any) -> int:
    """How many contents there are."""
    return len(list_contents(session))


def find(session: Session, words: str) -> list[Found]:
    """Contents whose name or key holds the words."""
    wanted = words.casefold()
    return [Found(content.name, "content", url_for("contents.show", key=content.key), "file-text")
            for content in list_contents(session) if wanted in f"{content.name} {content.key}".casefold()][:5]


@blueprint.get("/contents")
def index() -> ResponseReturnValue:
    """List the contents with the channels they can speak in."""
    archived = request.args.get("show") == "archived"
    with reading() as session:
        rows = [(content, content_channels(newest_revision(session, content.key)))
                for content in list_contents(session, archived=archived)]
    return render_template("pages/contents/index.html", rows=rows, archived=archived)


@blueprint.get("/contents/_new")
@needs_role(*CHANGERS)
def new() -> ResponseReturnValue:
    """Begin a content from a small e-mail."""
    return _form({"mjml": START, "subject": "{{ greeting }}, your code", "language": "en",
                  "message_class": "marketing"}, None)


@blueprint.get("/contents/<key>")
def show(key: str) -> ResponseReturnValue:
    """Open a content; `revision` opens an older text as a draft."""
    number = request.args.get("revision", type=stored_number)
    with reading() as session:
        content, revisions = content_by_key(session, key), revisions_of(session, key)
    found = revisions[0] if number is None else next((each for each in revisions if each.number == number), None)
    if found is None:
        raise NotFound(f"This content has no revision {number}; the newest is {content.revision}.")
    return _form(_texts_of(content, found), content)


def _texts_of(content: Content, revision: ContentRevision) -> dict[str, str]:
    texts = {part: getattr(revision, part) or "" for part in PARTS}
    return {**texts, "name": content.name, "message_class": content.message_class, "seen": str(content.revision),
            "language": compiled_from(revision.compiled).language}


def _compiled(texts: dict[str, str]) -> CompiledContent:
    return compile_content(ContentSource(**_parts(texts), language=_language(texts),
                                         marketing=texts.get("message_class", "marketing") == "marketing"))


@blueprint.post("/contents/_save")
def save() -> ResponseReturnValue:
    """Save a revision; what cannot be saved stays in the form with the reason beside its field."""
    now, who = request_now(), person()
    texts = request.form.to_dict()
    was = texts.get("was", "").replace("\x00", "")
    key = was or texts.get("key", "").strip()
    compiled = _compiled(texts)
    errors: dict[str, str] = {}
    conflict = None
    if compiled.valid:
        try:
            _check_new(was, key)
            expected = None if texts.get("do") == "save-over" else _whole(texts.get("seen", "0"))
            with writing() as session:
                content = save_content(
                    session, key, name=texts.get("name", "").replace("\0", "").strip(), **_parts(texts),
                    language=_language(texts), message_class=texts.get("message_class", "marketing"),
                    author=who.name if who else None, expected_revision=expected, now=now)
                record(session, "content.saved", f"content:{key}", now=now, revision=content.revision)
                name, revision = content.name, content.revision
            toast(f"“{name}” is saved as revision {revision}.")
            return redirect(url_for("contents.show", key=key), 303)
        except Conflict:
            conflict = _newest(key)
        except WinbackError as error:
            errors[error.place if error.place in ("key", "name", "message_class") else "form"] = error.message
    stored = _stored(was)
    return _form(texts, stored, compiled=compiled, errors=errors, conflict=conflict), 409 if conflict else 422


def _parts(texts: dict[str, str]) -> dict[str, str]:
    return {part: texts.get(part, "").replace("\r\n", "\n").replace("\0", "") for part in PARTS}


def _language(texts: dict[str, str]) -> str:
    given = texts.get("language", "en")
    return given if given.isascii() and given.replace("-", "").isalpha() and len(given) <= 16 else "en"


def _check_new(was: str, key: str) -> None:
    if was:
        return
    if _stored(key) is not None:
        raise Invalid("There is a content with this key already. Choose another key.", place="key")


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _stored(key: str) -> Content | None:
    if not key:
        return None
    with reading() as session:
        try:
            return content_by_key(session, key.replace("\x00", ""))
        except NotFound:
            return None


def _newest(key: str) -> ContentRevision:
    with reading() as session:
        return newest_revision(session, key)


@blueprint.post("/contents/_check")
@needs_role(*_LOOKERS)
def check() -> ResponseReturnValue:
    """What is to mend in the text typed so far, and how it reads; htmx puts both into the page."""
    texts = request.form.to_dict()
    compiled = _compiled(texts)
    return render_template("fragments/contents/checked.html", found=_findings(compiled), compiled=compiled,
                           shown=preview(compiled, now=request_now()), parts=PARTS, oob=True)


@blueprint.post("/contents/_email")
@needs_role(*_LOOKERS)
def email() -> ResponseReturnValue:
    """The e-mail typed so far as one person would get it, for the sandboxed frame only."""
    compiled = _compiled(request.form.to_dict())
    shown = preview(compiled, now=request_now())
    if shown.mail is not None:
        body = shown.mail.html
    else:
        said = shown.trouble or ("This content has no e-mail." if compiled.valid else "Mend the text first.")
        body = render_template("fragments/contents/no_mail.html", said=said)
    response = make_response(body)
    response.headers["Content-Security-Policy"] = preview_policy()
    return response


@blueprint.post("/contents/_letter")
@needs_role(*_LOOKERS)
def letter() -> ResponseReturnValue:
    """The letter typed so far as a PDF."""
    compiled = _compiled(request.form.to_dict())
    if not compiled.valid or not compiled.letter:
        raise Invalid("There is no letter to draw yet. Write one and mend what is red.", place="letter")
    drawn = drawn_letter(compiled, now=request_now())
    if not drawn.valid:
        raise Invalid(" ".join(drawn.errors), place="letter")
    return Response(drawn.pdf, mimetype="application/pdf",
                    headers={"Content-Disposition": 'inline; filename="letter.pdf"'})


@blueprint.post("/contents/<key>/archive")
def archive(key: str) -> ResponseReturnValue:
    """Take a content out of the list, or put it back."""
    now = request_now()
    back = request.form.get("back") == "yes"
    with writing() as session:
        content = archive_content(session, key, archived=not back, now=now)
        record(session, "content.unarchived" if back else "content.archived", f"content:{key}", now=now)
        name = content.name
    toast(f"“{name}” is {'back in the list' if back else 'archived'}. Journeys that use it go on.")
    return redirect(url_for("contents.show", key=key) if back else url_for("contents.index"), 303)


def _findings(compiled: CompiledContent) -> dict[str, list[Any]]:
    return {part: [error for error in compiled.errors if error.part == part] for part in PARTS}


def _form(texts: dict[str, str], content: Content | None, *, compiled: CompiledContent | None = None,
          errors: dict[str, str] | None = None, conflict: ContentRevision | None = None) -> str:
    compiled = compiled or _compiled(texts)
    revisions: list[ContentRevision] = []
    if content is not None:
        with reading() as session:
            revisions = revisions_of(session, content.key)
    return render_template(
        "pages/contents/form.html", texts=texts, content=content, compiled=compiled, found=_findings(compiled),
        errors=errors or {}, conflict=conflict, revisions=revisions, shown=preview(compiled, now=request_now()),
        parts=PARTS, variables=VARIABLES, tags=TAGS, filters=FILTERS, classes=list(CONSENT_NEEDED), oob=False)

"""What do messages say? The resource `contents`."""

from typing import Any

from flask import Response, g, jsonify
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from core.errors import Conflict
from coupons.codes.showing import instant_text
from delivery.content import ContentSource, compile_content, compiled_from
from delivery.contents import content_by_key, list_contents, newest_revision, save_content
from delivery.models import Content
from web.requests.bodies import Page, Resource, Whole, Words, listed, page_of
from web.requests.errors import Problem, answer
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-contents", __name__, url_prefix="/api/v1", description="What messages say, per channel.")

_LONGEST = 500_000


class ContentSchema(Schema):
    """A content's texts; a part left out says nothing in that channel. `revision` is the one the editor saw."""

    name = Words(longest=200, required=True)
    subject = Words(longest=_LONGEST, shortest=0, load_default="")
    mjml = Words(longest=_LONGEST, shortest=0, load_default="")
    letter = Words(longest=_LONGEST, shortest=0, load_default="")
    call_script = Words(longest=_LONGEST, shortest=0, load_default="")
    language = Words(longest=16, load_default="en")
    message_class = Words(longest=16, load_default="marketing")
    revision = Whole(most=2**31 - 1, allow_none=True, load_default=None)


class NewContentSchema(ContentSchema):
    """A new content and the key that journeys name it by."""

    key = Words(longest=100, required=True)


class ContentAnswer(Schema):
    """A content with the texts of its newest revision."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    revision = fields.Integer(required=True)
    message_class = fields.String()
    language = fields.String()
    channels = fields.List(fields.String())
    variables = fields.List(fields.String())
    subject = fields.String()
    mjml = fields.String()
    letter = fields.String()
    call_script = fields.String()
    archived = fields.Boolean()
    updated_at = fields.String()


class ContentPage(Schema):
    """One page of contents."""

    items = fields.List(fields.Nested(ContentAnswer), required=True)
    next = fields.String(required=True, allow_none=True)


def content_body(session: Session, content: Content) -> dict[str, Any]:
    """A content as programs see it."""
    revision = newest_revision(session, content.key)
    compiled = compiled_from(revision.compiled)
    return {
        "key": content.key, "name": content.name, "revision": content.revision, "language": compiled.language,
        "message_class": content.message_class, "channels": list(compiled.channels),
        "variables": list(compiled.variables),
        **{part: getattr(revision, part) or "" for part in ("subject", "mjml", "letter", "call_script")},
        "archived": content.archived_at is not None, "created_at": instant_text(content.created_at),
        "updated_at": instant_text(content.updated_at),
    }


@blueprint.route("/contents", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, ContentPage)
def index(asked: dict[str, Any]) -> Response:
    """List contents in the order of their keys; archived ones are left out."""
    _start, limit = page_of({**asked, "after": None})
    after = asked["after"] or ""
    with reading() as session:
        found = sorted((content for content in list_contents(session) if content.key > after),
                       key=lambda content: content.key)
        items = [content_body(session, content) for content in found[:limit]]
    return jsonify(listed(items, items[-1]["key"] if len(found) > limit else None))


@blueprint.route("/contents/<key>", methods=["GET"])
@blueprint.response(200, ContentAnswer)
def show(key: str) -> Response:
    """Look one content up."""
    with reading() as session:
        return jsonify(content_body(session, content_by_key(session, key.replace("\x00", ""))))


@blueprint.route("/contents", methods=["POST"])
@blueprint.arguments(NewContentSchema)
@blueprint.response(201, ContentAnswer)
def create(body: dict[str, Any]) -> Response:
    """Make a new content. What does not compile is refused with every finding."""
    key = body["key"]
    try:
        response = _save(key, body, expected=0)
    except Conflict as error:
        raise Conflict(f"There is a content {key} already. Choose another key or replace that one.",
                       place="key") from error
    if response.status_code == 200:
        response.status_code = 201
    return response


@blueprint.route("/contents/<key>", methods=["PUT"])
@blueprint.arguments(ContentSchema)
@blueprint.response(200, ContentAnswer)
def replace(body: dict[str, Any], key: str) -> Response:
    """Save the next revision of a content, or make it. The same text again adds no revision."""
    return _save(key, body, expected=body["revision"])


def _save(key: str, body: dict[str, Any], *, expected: int | None) -> Response:
    now = request_now()
    parts = {part: body[part] for part in ("subject", "mjml", "letter", "call_script")}
    compiled = compile_content(ContentSource(**parts, language=body["language"],
                                             marketing=body["message_class"] == "marketing"))
    if not compiled.valid:
        found: dict[str, Any] = {}
        for error in compiled.errors:
            found.setdefault(error.part, []).append(str(error))
        first = compiled.errors[0]
        return answer(Problem(400, "invalid", str(first), first.part, found))
    with writing() as session:
        content = save_content(session, key, name=body["name"], **parts, language=body["language"],
                               message_class=body["message_class"], author=f"key {g.api_key.name}"[:200],
                               expected_revision=expected, now=now)
        record(session, "content.saved", f"content:{key}", now=now, revision=content.revision)
        return jsonify(content_body(session, content))

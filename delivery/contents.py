"""Which contents are there, and what did each say at the time?

Owns saving contents and reading their revisions. Each change is a new revision, compiled once when it is saved; a
revision never changes, so what was sent can always be shown again. What does not compile is not saved.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.errors import Conflict, Invalid, NotFound
from delivery.content import CompiledContent, ContentSource, compile_content, compiled_from
from delivery.models import Content, ContentRevision
from delivery.policy import CONSENT_NEEDED

_OVERTAKEN = "Somebody saved this content after you opened it. Open it again and repeat your change."


def save_content(
    session: Session, key: str, *, name: str, subject: str = "", mjml: str = "", letter: str = "",
    call_script: str = "", language: str = "en", message_class: str = "marketing", author: str | None = None,
    expected_revision: int | None = None, now: datetime,
) -> Content:
    """Compile and store a content; an unchanged text makes no new revision.

    `expected_revision` is the revision the author was looking at (0: none yet; None: does not matter). Raises Invalid
    with everything there is to mend, Conflict when somebody saved a newer revision meanwhile.
    """
    _checked(key, name, message_class)
    source = ContentSource(subject, mjml, letter, call_script, language, marketing=message_class == "marketing")
    compiled = compile_content(source)
    if not compiled.valid:
        raise Invalid(" ".join(str(error) for error in compiled.errors), place=key)
    content = session.scalars(select(Content).where(Content.key == key).with_for_update()).one_or_none()
    found = content.revision if content is not None else 0
    if expected_revision is not None and expected_revision != found:
        raise Conflict(_OVERTAKEN, place=key)
    if content is None:
        content = _added(session, key, name, message_class, now)
    elif _newest(session, content).compiled["digest"] == compiled.digest and content.message_class == message_class:
        content.name = name
        session.flush()
        return content
    _next_revision(session, content)
    content.name, content.message_class, content.updated_at = name, message_class, now
    session.add(ContentRevision(
        content_id=content.id, number=content.revision, subject=subject, mjml=mjml, letter=letter,
        call_script=call_script, compiled=compiled.stored(), author=author, created_at=now,
    ))
    session.flush()
    return content


def newest_revision(session: Session, key: str) -> ContentRevision:
    """The newest revision of a content. Raises NotFound, naming it."""
    return _newest(session, content_by_key(session, key))


def content_by_key(session: Session, key: str) -> Content:
    """The content with this key. Raises NotFound, naming it."""
    content = session.scalars(select(Content).where(Content.key == key)).one_or_none()
    if content is None:
        raise NotFound(f"There is no content {key!r}. Create it first, or correct the name.")
    return content


def list_contents(session: Session, *, archived: bool = False) -> list[Content]:
    """Every content that is not archived, by name; or those that are."""
    which = Content.archived_at.is_not(None) if archived else Content.archived_at.is_(None)
    return list(session.scalars(select(Content).where(which).order_by(Content.name, Content.id)))


def archive_content(session: Session, key: str, *, archived: bool = True, now: datetime) -> Content:
    """Take a content out of the list, or put it back; journeys that use it go on. Harmless when repeated."""
    content = content_by_key(session, key)
    content.archived_at = (content.archived_at or now) if archived else None
    session.flush()
    return content


def revisions_of(session: Session, key: str) -> list[ContentRevision]:
    """Every revision of a content, newest first. Raises NotFound, naming it."""
    content = content_by_key(session, key)
    return list(session.scalars(select(ContentRevision).where(ContentRevision.content_id == content.id)
                                .order_by(ContentRevision.number.desc())))


def content_channels(revision: ContentRevision) -> tuple[str, ...]:
    """The channels a revision can speak in."""
    return compiled_from(revision.compiled).channels


def compiled_revisions(session: Session, ids: Sequence[int]) -> dict[int, CompiledContent]:
    """These revisions, ready to be filled, by id."""
    rows = session.execute(select(ContentRevision.id, ContentRevision.compiled).where(in_ids(ContentRevision.id, ids)))
    return {row[0]: compiled_from(row[1]) for row in rows}


def _checked(key: str, name: str, message_class: str) -> None:
    if not key or len(key) > 100 or not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
        raise Invalid("The key of a content has letters, digits, - and _ only, at most 100.", place="key")
    if not name.strip():
        raise Invalid("A content needs a name.", place="name")
    if message_class not in CONSENT_NEEDED:
        raise Invalid(f"There is no message class {message_class!r}: use one of {', '.join(CONSENT_NEEDED)}.",
                      place="message_class")


def _newest(session: Session, content: Content) -> ContentRevision:
    return session.scalars(
        select(ContentRevision)
        .where(ContentRevision.content_id == content.id, ContentRevision.number == content.revision)
    ).one()


def _added(session: Session, key: str, name: str, message_class: str, now: datetime) -> Content:
    content = Content(key=key, name=name, message_class=message_class, revision=0, created_at=now, updated_at=now)
    try:
        with session.begin_nested():
            session.add(content)
            session.flush()
    except IntegrityError as error:
        raise Conflict("Somebody created a content with this key a moment ago. Open it and repeat your change.",
                       place=key) from error
    return content


def _next_revision(session: Session, content: Content) -> None:
    """Count the revision up only if it is still the one that was read."""
    changed = session.execute(
        update(Content).where(Content.id == content.id, Content.revision == content.revision)
        .values(revision=Content.revision + 1).returning(Content.id)
    ).all()
    if len(changed) != 1:
        raise Conflict(_OVERTAKEN, place=content.key)
    session.refresh(content)

"""What do people read about a campaign's approval?

Owns the approval as the pages and the API say it: state, who asked, who decided, and, when it is void, who changed
what since, from the audit trail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.approving import OFF, Person, Standing, history_of, is_needed, standing_of, thing_words
from campaigns.models import Approval, Campaign
from journeys.editing.approval_parts import parts_of
from web.models import ApiKey, AuditEntry, User
from web.security.access import person

STATES = {
    "none": ("not asked for", ""), "asked": ("waits for approval", "w"), "approved": ("approved", "a"),
    "refused": ("refused", "b"), "void": ("void", "b"), "replaced": ("replaced", ""),
}
"""State -> its word and how its pill looks."""


@dataclass(frozen=True)
class Change:
    """One part that is not what was asked about: what it is, and who changed it when (None: nobody is on record)."""

    thing: str
    who: str | None
    at: datetime | None


@dataclass(frozen=True)
class View:
    """Everything a page says about the approval. `mine`: whoever reads asked for it; `askable`: it can be asked for."""

    state: str
    needed: bool
    newest: Approval | None
    changes: Sequence[Change]
    history: Sequence[Approval]
    mine: bool

    @property
    def askable(self) -> bool:
        """Whether asking makes sense now."""
        return self.state in ("none", "refused", "void") or (self.state == "asked" and bool(self.changes))

    @property
    def holds_back(self) -> bool:
        """Whether publishing waits for it."""
        return self.needed and self.state != "approved"


def approval_view(session: Session, campaign: Campaign) -> View:
    """The approval of a campaign as whoever asks reads it."""
    found = standing_of(session, campaign, parts_of(session, campaign))
    newest = found.newest
    who = asking_person()
    return View(found.state, is_needed(session, campaign), newest, _changes(session, found),
                history_of(session, campaign), newest is not None and newest.asked_ref == who.ref)


def asking_person() -> Person:
    """Whoever makes this request, as approvals know them."""
    key = g.get("api_key")
    if key is not None:  # a program, whatever cookies it carries
        return Person("a program", f"key:{key.id}")
    caller = person()
    return Person("the command line", "shell") if caller is None else Person(caller.name, f"user:{caller.id}")


def _changes(session: Session, found: Standing) -> list[Change]:
    if found.newest is None or not found.changed:
        return []
    since = found.newest.asked_at
    things = [part for part in found.changed if not part.startswith(OFF)]
    rows = session.execute(
        select(AuditEntry.thing, AuditEntry.at, User.name, ApiKey.name)
        .outerjoin(User, User.id == AuditEntry.user_id).outerjoin(ApiKey, ApiKey.id == AuditEntry.key_id)
        .where(AuditEntry.thing.in_(things), AuditEntry.at >= since).order_by(AuditEntry.id))
    last = {thing: (f"key {key}" if key else name or "the command line", at) for thing, at, name, key in rows}
    return [Change(thing_words(part), *last.get(part, (None, None))) for part in found.changed]

"""Who has a login, which programs have a key, and what did they do? The lists and verbs of the settings page.

Owns disabling people, changing roles and reading the audit trail. The promise: the last active administrator cannot be
disabled or demoted, not by two clicks at once either; whoever is changed is signed out everywhere.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from web.models import ApiKey, AuditEntry, User
from web.security.logins import ROLES


@dataclass(frozen=True)
class AuditLine:
    """One entry of the trail with who did it, a person's or a key's name."""

    id: int
    at: datetime
    who: str
    verb: str
    thing: str
    detail: str


def list_users(session: Session) -> list[User]:
    """Everybody with a login, active ones first."""
    return list(session.scalars(select(User).order_by(User.disabled_at.is_not(None), User.name, User.id)))


def list_keys(session: Session) -> list[ApiKey]:
    """Every key, the valid ones first, newest first."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())))


def change_role(session: Session, user_id: int, role: str) -> User:
    """Give a person another role. Raises Invalid, NotFound, Conflict when nobody could administer any more."""
    if role not in ROLES:
        raise Invalid(f"There is no role {role!r}. Use one of {', '.join(ROLES)}.", place="role")
    user = _locked(session, user_id)
    if user.role == role:
        return user
    if role != "admin":
        _keep_an_admin(session, user)
    user.role = role
    user.session_version += 1
    session.flush()
    return user


def disable(session: Session, user_id: int, *, now: datetime) -> User:
    """Take a person's login away and end their sessions. Twice is harmless."""
    user = _locked(session, user_id)
    if user.disabled_at is None:
        _keep_an_admin(session, user)
        user.disabled_at = now
        user.session_version += 1
        session.flush()
    return user


def enable(session: Session, user_id: int) -> User:
    """Give a login back."""
    user = _locked(session, user_id)
    user.disabled_at = None
    session.flush()
    return user


def _locked(session: Session, user_id: int) -> User:
    """The person, with every administrator's row locked first, so that two changes cannot remove the last two."""
    session.scalars(select(User).where(User.role == "admin").order_by(User.id).with_for_update()).all()
    user = session.get(User, user_id, populate_existing=True)
    if user is None:
        raise NotFound("There is no such person.")
    return user


def _keep_an_admin(session: Session, user: User) -> None:
    others = session.scalars(
        select(User.id).where(User.role == "admin", User.disabled_at.is_(None), User.id != user.id)).all()
    if user.role == "admin" and user.disabled_at is None and not others:
        raise Conflict(f"{user.name} is the only administrator. Make somebody else one first.")


def audit_trail(session: Session, *, before: int | None = None, limit: int = 50) -> tuple[list[AuditLine], int | None]:
    """What was changed, newest first, and where the next page begins (None: no more)."""
    statement = (select(AuditEntry, User.name, ApiKey.name).outerjoin(User, User.id == AuditEntry.user_id)
                 .outerjoin(ApiKey, ApiKey.id == AuditEntry.key_id).order_by(AuditEntry.id.desc()).limit(limit + 1))
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    rows = session.execute(statement).all()
    lines = [AuditLine(entry.id, entry.at, person or (f"key {key}" if key else "the command line"), entry.verb,
                       entry.thing, ", ".join(f"{name} {value}" for name, value in (entry.detail or {}).items()
                                              if value is not None))
             for entry, person, key in rows[:limit]]
    return lines, lines[-1].id if len(rows) > limit else None

"""Who has a login, and may this attempt be made?

Owns adding people, counting attempts and signing in. The promise: an attempt is counted and committed *before* the
password is compared, so a thousand parallel guesses get no more tries than one after the other; after five wrong ones
each next wait doubles, from 30 seconds to 15 minutes.
"""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from web.models import User
from web.security.passwords import hash_password

ROLES = ("admin", "marketer", "agent", "analyst")
FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)


def add_user(session: Session, email: str, *, name: str, password: str, role: str = "marketer", now: datetime) -> User:
    """Add a person. Raises Invalid for a bad role, address or password, Conflict when the address has a login."""
    address = email.strip().lower()
    if role not in ROLES:
        raise Invalid(f"There is no role {role!r}. Use one of {', '.join(ROLES)}.", place="role")
    if "@" not in address or len(address) > 320:
        raise Invalid(f"{email!r} is not an e-mail address.", place="email")
    if session.scalar(select(User.id).where(User.email == address)) is not None:
        raise Conflict(f"{address} already has a login.", place="email")
    user = User(
        email=address, name=name.strip() or address, role=role, password_hash=hash_password(password),
        session_version=1, failed_logins=0, created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def wait_after(failures: int) -> timedelta:
    """How long the next attempt has to wait after so many wrong ones in a row."""
    if failures < FREE_TRIES:
        return timedelta(0)
    doublings = min(failures - FREE_TRIES, 10)
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << doublings))


def open_attempt(session: Session, email: str, *, now: datetime) -> User | None:
    """Count one attempt for this address and return the person, or None: unknown, disabled, or has to wait."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()).with_for_update())
    if user is None or user.disabled_at is not None:
        return None
    if user.locked_until is not None and user.locked_until > now:
        return None
    user.failed_logins += 1
    wait = wait_after(user.failed_logins)
    user.locked_until = now + wait if wait else None
    session.flush()
    return user


def close_attempt(session: Session, user_id: int) -> None:
    """The password was right: forget the wrong tries."""
    session.execute(update(User).where(User.id == user_id).values(failed_logins=0, locked_until=None))


def end_sessions(session: Session, user_id: int) -> None:
    """End every session of this person on every device."""
    session.execute(update(User).where(User.id == user_id).values(session_version=User.session_version + 1))


def person_of_session(session: Session, user_id: int, version: int) -> User | None:
    """The person of a session cookie; None when disabled or when their sessions were ended."""
    return session.scalar(
        select(User).where(User.id == user_id, User.session_version == version, User.disabled_at.is_(None))
    )

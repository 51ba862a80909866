"""Who may use the doors, and what did they do?

Owns users, API keys and the audit trail. Secrets are stored hashed: passwords with argon2, keys as SHA-256 of 256
random bits. The audit trail is append-only.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class User(Base):
    """One person with a login."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True, doc="lower case")
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16), default="marketer", doc="admin, marketer, agent or analyst")
    password_hash: Mapped[str] = mapped_column(String(200))
    session_version: Mapped[int] = mapped_column(Integer, default=1, doc="raised to end every session of this user")
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)


class ApiKey(Base):
    """One key of one program. The key itself is shown once and never stored."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lookup: Mapped[str] = mapped_column(String(16), unique=True, doc="first part of the key, finds the row")
    secret_hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]] = mapped_column(Json, doc="read, write, redemptions")
    shop: Mapped[str | None] = mapped_column(String(100), doc="the label of the one shop it is for; None: the house")
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class AuditEntry(Base):
    """One thing one person or key changed."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id"))
    verb: Mapped[str] = mapped_column(String(60), doc="what was done, e.g. segment.saved")
    thing: Mapped[str] = mapped_column(String(200), doc="to what, e.g. segment:lapsed-furniture")
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

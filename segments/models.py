"""Which audiences has somebody defined, and who is in them?

Owns segments and their versions, members, refreshes, static lists and snapshots. A segment is a name for a rule; saving
a changed rule adds a version and never changes an old one. Of its members every stay is a row that says which refresh
let the person in and which one let them go, so the table is the members and the log of coming and going at once.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class Segment(Base):
    """A named audience. Of kind rule its newest version says who is in; list and snapshot name people one by one."""

    __tablename__ = "segments"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True, doc="stable short name, as journeys and rules use it")
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8), default="rule", doc="rule, list or snapshot; never changes")
    folder: Mapped[str | None] = mapped_column(String(100), doc="a folder is there as long as something lies in it")
    tags: Mapped[list[str]] = mapped_column(Json, default=list)
    version: Mapped[int] = mapped_column(Integer, doc="number of the newest version, from 1; also guards two tabs")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)
    refresh_seconds: Mapped[int | None] = mapped_column(
        Integer, default=3600, doc="at most this often; None: only when somebody asks")
    refresh_id: Mapped[int | None] = mapped_column(BigInteger, doc="the newest refresh whose outcome counts")
    refreshing_id: Mapped[int | None] = mapped_column(BigInteger, doc="the refresh being written, or left unfinished")
    members: Mapped[int | None] = mapped_column(BigInteger, doc="how many are in since `refresh_id`")
    refreshed_at: Mapped[datetime | None] = mapped_column(Instant, doc="the instant as of which the members are right")
    stale_at: Mapped[datetime | None] = mapped_column(Instant, doc="since when facts or the rule have changed")
    next_change_at: Mapped[datetime | None] = mapped_column(
        Instant, doc="before it time alone changes nothing; set by each refresh; None: never")
    look_again_at: Mapped[datetime | None] = mapped_column(Instant, doc="no scheduled refresh before it")
    rule_digest: Mapped[str | None] = mapped_column(
        String(64), doc="of the rule as of `refreshed_at`, nested ones in their place; None: never refreshed, or by an"
        " older program")
    refresh_error: Mapped[str | None] = mapped_column(Text, doc="why the newest attempt failed; None: it did not")


class SegmentVersion(Base):
    """One saved rule of a segment; never changed."""

    __tablename__ = "segment_versions"
    __table_args__ = (UniqueConstraint("segment_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    rule: Mapped[dict[str, Any]] = mapped_column(Json)
    author: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)


class SegmentRefresh(Base):
    """One time the members were worked out and somebody came or went; its outcome counts from `published_at` on."""

    __tablename__ = "segment_refreshes"
    __table_args__ = (Index("ix_segment_refreshes_segment_id", "segment_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer, doc="of the rule")
    as_of: Mapped[datetime] = mapped_column(Instant)
    cause: Mapped[str] = mapped_column(String(12), doc="first, rule (its own, or one it names), facts, time or asked")
    engine: Mapped[str] = mapped_column(String(12))
    took_ms: Mapped[int] = mapped_column(BigInteger, doc="to work out and to write")
    entered_count: Mapped[int] = mapped_column(BigInteger)
    left_count: Mapped[int] = mapped_column(BigInteger)
    members: Mapped[int] = mapped_column(BigInteger, doc="afterwards")
    published_at: Mapped[datetime | None] = mapped_column(Instant, doc="None: being written, or given up")


class SegmentMember(Base):
    """One stay of one customer in one segment.

    It counts once `entered_by` is not above the segment's `refresh_id`, and it is over once `left_by` is not. Without
    foreign keys: customers are never deleted, and half a million rows are written at a time.
    """

    __tablename__ = "segment_members"
    __table_args__ = (
        Index("ix_segment_members_entered", "entered_by", "customer_id"),
        Index("ix_segment_members_left", "left_by", "customer_id", sqlite_where=text("left_by IS NOT NULL"),
              postgresql_where=text("left_by IS NOT NULL")),
        {"sqlite_with_rowid": False},
    )

    segment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entered_by: Mapped[int] = mapped_column(BigInteger, primary_key=True, doc="segment_refreshes.id")
    entered_at: Mapped[datetime] = mapped_column(Instant, doc="the refresh's as_of")
    left_by: Mapped[int | None] = mapped_column(BigInteger, doc="segment_refreshes.id; None: still in")
    left_at: Mapped[datetime | None] = mapped_column(Instant)


class ListedPerson(Base):
    """One customer on a static list, or in a snapshot."""

    __tablename__ = "listed_people"
    __table_args__ = (Index("ix_listed_people_customer_id", "customer_id"), {"sqlite_with_rowid": False})

    segment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("segments.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(Instant)


class SegmentSnapshot(Base):
    """Where a segment of kind snapshot comes from: the rule and the instant that its people were frozen at."""

    __tablename__ = "segment_snapshots"

    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"), primary_key=True)
    source_key: Mapped[str | None] = mapped_column(String(100), doc="the segment frozen; None: a rule of its own")
    source_version: Mapped[int | None] = mapped_column(Integer)
    rule: Mapped[dict[str, Any]] = mapped_column(Json, doc="as it was said, nested segments by name")
    taken_at: Mapped[datetime] = mapped_column(Instant)
    engine: Mapped[str] = mapped_column(String(12))
    people: Mapped[int] = mapped_column(BigInteger)

"""Which tables does the ground itself own?

The installation (its identity, its kind and its clock), the append-only list of changed rows that triggers fill, and
the position of every reader of that list.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant


class Installation(Base):
    """The one row (id 1) that says which installation this is."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[str] = mapped_column(String(36), doc="random, set once; a mirror of another identity is rebuilt")
    kind: Mapped[str] = mapped_column(String(8), doc="live, demo or test; only the last two may move the clock")
    clock_offset_us: Mapped[int] = mapped_column(BigInteger, default=0, doc="added to wall time; 0 when live")
    clock_stands_at: Mapped[datetime | None] = mapped_column(
        Instant, doc="while simulated work is under way the clock stands here; None: it runs"
    )
    created_at: Mapped[datetime] = mapped_column(Instant)


class Change(Base):
    """One changed row of a followed table, or rows that were written together; see core/cursors.py."""

    __tablename__ = "changes"
    __table_args__ = (
        Index("ix_changes_xid", "xid").ddl_if(dialect="postgresql"),
        {"sqlite_autoincrement": True},  # a pruned number must never come back
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    xid: Mapped[int | None] = mapped_column(
        BigInteger, doc="PostgreSQL: the writing transaction (64 bit), so that late commits are not missed"
    )
    tbl: Mapped[str] = mapped_column(String(24), doc="the followed table")
    key: Mapped[int] = mapped_column(BigInteger, doc="the changed row's own key, or its order's or customer's")
    last: Mapped[int | None] = mapped_column(BigInteger, doc="all keys from `key` to this one; None: that one only")


class NotedAhead(Base):
    """SQLite: new rows that this transaction has noted already, so that no trigger does it row by row. Empty outside
    it; see `noted_at_once` in core/cursors.py."""

    __tablename__ = "noted_ahead"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    tbl: Mapped[str] = mapped_column(String(24))
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)


class Cursor(Base):
    """How far one named reader has read the changes."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)

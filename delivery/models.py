"""What do we say, to whom was it said, and what became of it?

Owns contents with their revisions, the message ledger, what happened to messages, and call tasks. One ledger row per
(occasion, customer): a decision to stay silent is a row like any other, with its reason. Labels (`occasion`, `origin`,
`campaign`, `arm`, `step`) are passed in by the caller; this room does not look behind them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class Content(Base):
    """A named piece of communication with a text for each channel; the newest revision is used by new sends."""

    __tablename__ = "contents"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    message_class: Mapped[str] = mapped_column(String(16), default="marketing", doc="marketing, service, transactional")
    revision: Mapped[int] = mapped_column(Integer, doc="number of the newest revision; also guards two tabs")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)


class ContentRevision(Base):
    """One saved state of a content, compiled once; never changed."""

    __tablename__ = "content_revisions"
    __table_args__ = (UniqueConstraint("content_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    subject: Mapped[str | None] = mapped_column(Text, doc="Liquid")
    mjml: Mapped[str | None] = mapped_column(Text, doc="MJML with Liquid")
    letter: Mapped[str | None] = mapped_column(Text, doc="Liquid, paragraphs divided by blank lines")
    call_script: Mapped[str | None] = mapped_column(Text, doc="Liquid")
    compiled: Mapped[dict[str, Any]] = mapped_column(Json, doc="html and text with Liquid restored")
    author: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)


class Message(Base):
    """The ledger: one decision to speak or to stay silent, and what became of it."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("occasion", "customer_id"),
        Index("ix_messages_state_due_at", "state", "due_at"),
        Index("ix_messages_campaign_state", "campaign", "state"),
        Index("ix_messages_customer_id", "customer_id", "queued_at"),
        Index("ix_messages_enrolment_ref", "enrolment_ref"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, doc="not guessable; in links and Message-ID")
    occasion: Mapped[str] = mapped_column(String(160), doc="enrolment.step.visit.fallback, or another caller's label")
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    origin: Mapped[str] = mapped_column(String(100), doc="label of who asked, e.g. enrolment:17")
    enrolment_ref: Mapped[int | None] = mapped_column(BigInteger, doc="the caller's own number, opaque here")
    campaign: Mapped[str | None] = mapped_column(String(100), doc="label: the campaign's key")
    arm: Mapped[str | None] = mapped_column(String(60), doc="label")
    step: Mapped[str | None] = mapped_column(String(60), doc="label")
    message_class: Mapped[str] = mapped_column(String(16), default="marketing")
    channel: Mapped[str | None] = mapped_column(String(16), doc="None: silent before a channel was chosen")
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("content_revisions.id"))
    code: Mapped[str | None] = mapped_column(String(64), doc="the coupon code it carries, canonical")
    values: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, doc="what the caller knows")
    state: Mapped[str] = mapped_column(String(16), doc="see delivery/states.py")
    reason: Mapped[str | None] = mapped_column(String(200), doc="why it is not sent, or failed")
    attempt: Mapped[int] = mapped_column(Integer, default=0, doc="times handed over or refused for now")
    cost_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    worker: Mapped[int | None] = mapped_column(BigInteger, doc="lease number of the claimant")
    queued_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant, doc="not claimed before")
    expires_at: Mapped[datetime | None] = mapped_column(Instant, doc="not sent at or after")
    quiet: Mapped[str | None] = mapped_column(
        String(11), doc="the caller's own quiet hours where the person lives, such as 21:00-08:00"
    )
    claimed_at: Mapped[datetime | None] = mapped_column(Instant)
    handed_over_at: Mapped[datetime | None] = mapped_column(Instant, doc="committed just before the outside gets it")
    released_at: Mapped[datetime | None] = mapped_column(Instant, doc="given to the outside (printed, called, sent)")
    sent_at: Mapped[datetime | None] = mapped_column(Instant, doc="accepted by the outside; a letter: posted")
    expected_at: Mapped[datetime | None] = mapped_column(Instant, doc="expected to reach the person")
    settled_at: Mapped[datetime | None] = mapped_column(Instant, doc="entered an end state or uncertain")
    opened_at: Mapped[datetime | None] = mapped_column(Instant)
    clicked_at: Mapped[datetime | None] = mapped_column(Instant)
    bounced_at: Mapped[datetime | None] = mapped_column(Instant)


class MessageEvent(Base):
    """One thing that happened to a message: delivered, opened, clicked, bounced, complained, unsubscribed."""

    __tablename__ = "message_events"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str] = mapped_column(String(40), doc="link, smtp, letter, call, or a provider's name")
    source_key: Mapped[str] = mapped_column(String(200), doc="the source's own id of the event; makes repeats harmless")
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class CallTask(Base):
    """One call for an agent, made from a message of channel phone; the words and number are filled when opened."""

    __tablename__ = "call_tasks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    state: Mapped[str] = mapped_column(String(12), index=True, doc="open, taken, done or withdrawn")
    due_at: Mapped[datetime] = mapped_column(Instant)
    agent: Mapped[str | None] = mapped_column(String(200), doc="who took it")
    taken_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    outcome: Mapped[str | None] = mapped_column(String(20), doc="of the last call; see delivery/calls.py")
    note: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class ContactRules(Base):
    """The one row (id 1) of the house's quiet hours and caps; see delivery/contact_rules.py."""

    __tablename__ = "contact_rules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rules: Mapped[dict[str, Any]] = mapped_column(Json)
    author: Mapped[str | None] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class SenderProfile(Base):
    """Who writes, as customers read it: the one row (id 1) behind every mail and letter."""

    __tablename__ = "sender_profile"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_name: Mapped[str] = mapped_column(String(200))
    shop_url: Mapped[str] = mapped_column(String(300), default="", doc="where a letter's code leads; empty: nowhere")
    address_lines: Mapped[list[str]] = mapped_column(Json, doc="street and city, for the head of a letter")
    country: Mapped[str] = mapped_column(String(2))
    sender_name: Mapped[str] = mapped_column(String(200))
    sender_address: Mapped[str] = mapped_column(String(320), doc="From and return path of e-mails")
    reply_to: Mapped[str] = mapped_column(String(320), default="", doc="empty: the sender address")
    unsubscribe_mailto: Mapped[str] = mapped_column(String(320), default="", doc="empty: by link only")
    updated_at: Mapped[datetime] = mapped_column(Instant)

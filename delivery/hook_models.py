"""Which programs of others do we tell something, and what became of each call?

Owns the receivers (an address and the secret we sign with) and the calls: one row per (occasion, customer), like the
ledger of messages, but in a queue of its own, so that a slow receiver holds up no mail.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant


class HookReceiver(Base):
    """A program that journeys may call. The secret signs what we send; it is stored sealed."""

    __tablename__ = "hook_receivers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(Text, doc="sealed; whsec_ and base64")
    active: Mapped[bool] = mapped_column(Boolean, default=True, doc="False: calls to it fail at once")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class HookCall(Base):
    """One thing to tell one receiver. `public_id` is the webhook-id: the same on every try, so that twins are told."""

    __tablename__ = "hook_calls"
    __table_args__ = (
        UniqueConstraint("occasion", "customer_id"),
        Index("ix_hook_calls_state_due_at", "state", "due_at"),
        Index("ix_hook_calls_enrolment_ref", "enrolment_ref"),
        Index("ix_hook_calls_customer_id", "customer_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    occasion: Mapped[str] = mapped_column(String(160), doc="the caller's label: enrolment.step.visit")
    receiver_id: Mapped[int] = mapped_column(ForeignKey("hook_receivers.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    enrolment_ref: Mapped[int | None] = mapped_column(BigInteger, doc="the caller's own number, opaque here")
    campaign: Mapped[str | None] = mapped_column(String(100), doc="label: the campaign's key")
    body: Mapped[str] = mapped_column(Text, doc="JSON, exactly as it is signed and sent")
    state: Mapped[str] = mapped_column(
        String(12), doc="queued, handed_over, delivered, failed, uncertain (may have arrived) or cancelled")
    reason: Mapped[str | None] = mapped_column(String(200), doc="the last answer, or why there is none")
    attempt: Mapped[int] = mapped_column(Integer, default=0, doc="times handed over")
    unclear: Mapped[bool] = mapped_column(Boolean, default=False, doc="a try ended without an answer")
    worker: Mapped[int | None] = mapped_column(BigInteger, doc="lease number of who has it in hand")
    queued_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant, doc="not tried before")
    settled_at: Mapped[datetime | None] = mapped_column(Instant)

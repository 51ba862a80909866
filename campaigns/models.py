"""What do we want from whom, until when, and at what price?

Owns campaigns (goal, window, budget, audience, hold-out) and the house's list of whom no campaign writes to. A campaign
of kind history was imported and never runs; its people stand in `past_people`. A running campaign's people are its
journey's enrolments.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Double,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class Campaign(Base):
    """One plan. `key` is the label that codes, messages and redemptions carry."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    objective: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(40), default="journey", doc="journey, or the history's own kind")
    state: Mapped[str] = mapped_column(String(12), doc="draft, running, paused, ended or history")
    starts_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant, doc="exclusive: orders and redemptions before it count")
    starts_on: Mapped[date | None] = mapped_column(Date, doc="history: as imported")
    ends_on: Mapped[date | None] = mapped_column(Date, doc="history: as imported, inclusive")
    timezone: Mapped[str] = mapped_column(String(64), default="Europe/Berlin")
    goal_categories: Mapped[list[str]] = mapped_column(Json, default=list, doc="orders in these count; empty: any")
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("segments.id"))
    segment_version: Mapped[int | None] = mapped_column(BigInteger, doc="the version the audience was drawn from")
    holdout_percent: Mapped[float] = mapped_column(Double, default=10)
    budget_cents: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    planned_people: Mapped[int | None] = mapped_column(BigInteger, doc="declared sample; judged when reached")
    owner: Mapped[str | None] = mapped_column(String(200))
    not_to: Mapped[list[str]] = mapped_column(
        Json, default=list, server_default="[]", doc="keys of segments nobody of whom enters or is written to"
    )
    standing_off: Mapped[list[str]] = mapped_column(
        Json, default=list, server_default="[]", doc="standing exclusions this campaign wants not to hold; see Approval"
    )
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    version: Mapped[int] = mapped_column(BigInteger, default=1, doc="guards two tabs")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class StandingExclusion(Base):
    """Whom the house leaves out of every campaign: one line of its list, as soon as it differs from the first one."""

    __tablename__ = "standing_exclusions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(60), doc="who is left out, as the reason says it")
    rule: Mapped[dict[str, Any]] = mapped_column(Json)
    active: Mapped[bool] = mapped_column(Boolean)
    version: Mapped[int] = mapped_column(BigInteger, doc="guards two tabs")
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Approval(Base):
    """One asking whether a campaign may go out as it stands, and the answer. Rows are never changed once decided."""

    __tablename__ = "approvals"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), doc="asked, approved, refused, or replaced by a later asking")
    parts: Mapped[dict[str, str]] = mapped_column(
        Json, doc="what was asked about: thing -> its version, such as offer:ten-percent -> an instant"
    )
    asked_by: Mapped[str] = mapped_column(String(200), doc="name, as it was then")
    asked_ref: Mapped[str] = mapped_column(String(40), doc="user:7, key:3 or shell: who may not answer")
    asked_at: Mapped[datetime] = mapped_column(Instant)
    note: Mapped[str | None] = mapped_column(Text, doc="what the approver should know")
    decided_by: Mapped[str | None] = mapped_column(String(200))
    decided_ref: Mapped[str | None] = mapped_column(String(40))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    comment: Mapped[str | None] = mapped_column(Text)


class HouseRules(Base):
    """How this house plans: the one row (id 1); without it everything is as it was at first."""

    __tablename__ = "house_rules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    approval_required: Mapped[bool] = mapped_column(Boolean, default=False, doc="nothing is published without one")
    margin_rate: Mapped[float | None] = mapped_column(Double, doc="0..1 of an order's value; None: never said")
    prices: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, doc="channel -> unit_cents, setup_cents, tiers")
    print_lead_days: Mapped[int] = mapped_column(
        Integer, default=0, server_default="0", doc="working days from handing a letter over until it is posted")
    updated_at: Mapped[datetime] = mapped_column(Instant)


class PastPerson(Base):
    """One person addressed by a campaign of the past, as imported."""

    __tablename__ = "past_people"
    __table_args__ = (UniqueConstraint("campaign_id", "customer_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    arm: Mapped[str | None] = mapped_column(String(60))
    channel: Mapped[str | None] = mapped_column(String(16))

"""Who is where in which journey, and how did they get there?

Owns journeys, their frozen versions, enrolments and visits. A published version never changes and people inside keep
theirs. Every step a person passes leaves a visit, so that one person's path reads as a story.

The foreign keys of enrolments and visits, as those of codes and messages, are SQLite's; on PostgreSQL the parents guard
them (docs/decisions/0007).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json

Errand = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Nothing to do is NULL, so that a statement can ask for it."""


class Journey(Base):
    """A named graph of steps belonging to one campaign; `draft` is what is being edited."""

    __tablename__ = "journeys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), unique=True)
    draft: Mapped[dict[str, Any]] = mapped_column(Json)
    draft_version: Mapped[int] = mapped_column(Integer, default=1, doc="rises with each save; guards two tabs")
    state: Mapped[str] = mapped_column(String(12), doc="draft, running, paused, ending (being swept) or ended")
    paused_at: Mapped[datetime | None] = mapped_column(Instant, doc="since when it is frozen; None: it is not")
    resuming: Mapped[dict[str, Any] | None] = mapped_column(
        Errand, doc="what is left to do of a pause or of going on after it (walk/errands.py); nobody walks till then")
    moving: Mapped[dict[str, Any] | None] = mapped_column(
        Errand, doc="what is left to do of bringing people to another version, or of ending one")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Version(Base):
    """A published graph, frozen, with the content revisions and offers it uses pinned to ids."""

    __tablename__ = "journey_versions"
    __table_args__ = (UniqueConstraint("journey_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int] = mapped_column(ForeignKey("journeys.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    graph: Mapped[dict[str, Any]] = mapped_column(Json)
    pins: Mapped[dict[str, Any]] = mapped_column(
        Json, doc="contents: key -> revision id; offers: key -> id; segments: key -> version; global_percent: share of"
        " all customers left alone everywhere"
    )
    author: Mapped[str | None] = mapped_column(String(200))
    published_at: Mapped[datetime] = mapped_column(Instant)
    drawing_as_of: Mapped[datetime | None] = mapped_column(
        Instant, doc="the instant whose segment members enter; kept, so that a drawing cut short goes on with the same"
    )
    entered_at: Mapped[datetime | None] = mapped_column(Instant, doc="when the drawing of its audience was complete")


class GlobalHoldout(Base):
    """The one row (id 1) that says which share of all customers is left alone by every journey; none: nobody is."""

    __tablename__ = "global_holdout"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    percent: Mapped[float] = mapped_column(Float)
    author: Mapped[str | None] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Forecast(Base):
    """One asking what would happen if a campaign ran from now on, and the answer."""

    __tablename__ = "forecasts"
    __table_args__ = (
        Index("ix_forecasts_open", "id", sqlite_where=text("state IN ('asked', 'running')"),
              postgresql_where=text("state IN ('asked', 'running')")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), doc="asked, running, done or failed")
    asked: Mapped[dict[str, Any]] = mapped_column(Json, doc="days, redemption_rate, order_rate")
    asked_by: Mapped[str | None] = mapped_column(String(200))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    worker: Mapped[int | None] = mapped_column(BigInteger, doc="lease number of who is at it")
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    answer: Mapped[dict[str, Any] | None] = mapped_column(Json, doc="the forecast, or the problem it failed with")


class Enrolment(Base):
    """One person's passage through one version. The arm and the hold-out are fixed at entry."""

    __tablename__ = "enrolments"
    __table_args__ = (
        UniqueConstraint("journey_id", "customer_id", "entry"),
        # In the order in which people are claimed, so that a chunk out of a million due at one instant is not sorted
        # out; and the lists need no look at each row.
        Index("ix_enrolments_state_due_at", "state", "due_at", "journey_id", "step", "id"),
        Index("ix_enrolments_customer_id", "customer_id"),
        # Holds all that is counted for the drawing of a version and for a journey's line in a list.
        Index("ix_enrolments_standing", "version_id", "step", "state", "held_out", "left_reason"),
        Index("ix_enrolments_entered_at", "entered_at", postgresql_using="brin"),
        Index("ix_enrolments_left_at", "left_at", sqlite_where=text("left_at IS NOT NULL"),
              postgresql_where=text("left_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int] = mapped_column(ForeignKey("journeys.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("journey_versions.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    entry: Mapped[int] = mapped_column(
        Integer, default=1, doc="how many times this customer has entered, from 1; 0 and below: was kept out"
    )
    key: Mapped[str | None] = mapped_column(
        String(200), doc="what this passage is about, such as a cart; each key has a passage of its own"
    )
    cause: Mapped[str | None] = mapped_column(
        String(240), doc="what let the person in, such as event:17; the same cause lets in once. None: a drawing"
    )
    held_out: Mapped[bool] = mapped_column(Boolean, default=False)
    arm: Mapped[str | None] = mapped_column(String(60), doc="set by the first split; None: not drawn")
    channel: Mapped[str | None] = mapped_column(String(16), doc="of the first message; None: none yet")
    state: Mapped[str] = mapped_column(String(12), doc="see journeys/states.py")
    step: Mapped[str | None] = mapped_column(String(60), doc="where the person stands; None: left")
    visit: Mapped[int] = mapped_column(Integer, default=0, doc="number of the current visit, from 1")
    due_at: Mapped[datetime | None] = mapped_column(Instant, doc="when the runner looks again; None: never")
    step_entered_at: Mapped[datetime | None] = mapped_column(Instant, doc="when the person came to this step")
    until_at: Mapped[datetime | None] = mapped_column(Instant, doc="when a wait for something gives up; None: no such")
    entered_at: Mapped[datetime] = mapped_column(Instant)
    left_at: Mapped[datetime | None] = mapped_column(Instant)
    left_reason: Mapped[str | None] = mapped_column(String(60), doc="finished, redeemed, ordered, window_over, ...")
    error: Mapped[str | None] = mapped_column(Text, doc="why this person was set aside")


class Visit(Base):
    """One step one person passed: when, with which outcome, and why."""

    __tablename__ = "visits"
    __table_args__ = (UniqueConstraint("enrolment_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(60))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    left_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(String(60), doc="the branch taken, queued, withheld, exited, ...")
    detail: Mapped[str | None] = mapped_column(String(300), doc="why, in words")


class ArmBelief(Base):
    """What a best_arm step believed for a while: the share each arm was drawn with, and the facts it rests on."""

    __tablename__ = "arm_beliefs"
    __table_args__ = (UniqueConstraint("journey_id", "step", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int] = mapped_column(ForeignKey("journeys.id", ondelete="CASCADE"))
    step: Mapped[str] = mapped_column(String(60))
    number: Mapped[int] = mapped_column(Integer, doc="from 1; also seeds the draws from the posterior")
    shares: Mapped[dict[str, Any]] = mapped_column(Json, doc="arm -> probability of being drawn")
    evidence: Mapped[dict[str, Any]] = mapped_column(Json, doc="arm -> people whose days are over, and what they did")
    formed_at: Mapped[datetime] = mapped_column(Instant)


class ArmDraw(Base):
    """One person's arm at a best_arm step, with the probability it was drawn with, so that reports can weight."""

    __tablename__ = "arm_draws"
    __table_args__ = (
        UniqueConstraint("enrolment_id", "step"),
        Index("ix_arm_draws_belief_id", "belief_id", "arm"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id", ondelete="CASCADE"))
    step: Mapped[str] = mapped_column(String(60))
    belief_id: Mapped[int] = mapped_column(ForeignKey("arm_beliefs.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    arm: Mapped[str] = mapped_column(String(60))
    share: Mapped[float] = mapped_column(Float, doc="the probability with which this arm was drawn, above 0")
    drawn_at: Mapped[datetime] = mapped_column(Instant)


class Allotment(Base):
    """One person among the best to whom a send step speaks by the channel that its budget pays for."""

    __tablename__ = "allotments"
    __table_args__ = (UniqueConstraint("enrolment_id", "step"), Index("ix_allotments_journey_id", "journey_id", "step"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id", ondelete="CASCADE"))
    journey_id: Mapped[int] = mapped_column(ForeignKey("journeys.id", ondelete="CASCADE"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    step: Mapped[str] = mapped_column(String(60))
    place: Mapped[int] = mapped_column(Integer, doc="1 for the best")


class Winner(Base):
    """Which arm of a split goes to the rest who wait there; `arm` None: not decided, and `reason` says why not."""

    __tablename__ = "winners"
    __table_args__ = (UniqueConstraint("journey_id", "step"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int] = mapped_column(ForeignKey("journeys.id", ondelete="CASCADE"))
    step: Mapped[str] = mapped_column(String(60))
    arm: Mapped[str | None] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(400), doc="in words, with the numbers it rests on")
    author: Mapped[str | None] = mapped_column(String(200), doc="who decided by hand; None: the rule did")
    looked_at: Mapped[datetime] = mapped_column(Instant)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)


class VisitSum(Base):
    """So many more people went a way: one row per chunk, now and then made one; see journeys/visits.py."""

    __tablename__ = "visit_sums"
    __table_args__ = (Index("ix_visit_sums_version_id", "version_id", "step", "outcome"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("journey_versions.id", ondelete="CASCADE"))
    step: Mapped[str] = mapped_column(String(60))
    outcome: Mapped[str] = mapped_column(String(60), doc="empty: none was noted")
    people: Mapped[int] = mapped_column(Integer)

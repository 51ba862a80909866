"""Which offers exist, who holds which code, and what was redeemed?

Owns offers, codes, the redemption ledger with its counters, refusals and the answers kept per idempotency key.
Counters change only by conditional UPDATEs whose row count is checked; the ledger is append-only but for the amount
rolled back. `origin` and `campaign` are labels that the caller passes in; this room does not look behind them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class Offer(Base):
    """What a code is worth and where its limits are. Editing it never changes codes already issued but for limits."""

    __tablename__ = "offers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True, doc="stable short name, as journeys use it")
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16), doc="percent, fixed, fixed_price, free_item or free_shipping")
    percent_bp: Mapped[int | None] = mapped_column(Integer, doc="hundredths of a percent, 1..10000; percent only")
    amount_cents: Mapped[int | None] = mapped_column(BigInteger, doc="fixed only")
    price_cents: Mapped[int | None] = mapped_column(
        BigInteger, doc="fixed_price only: what all goods that the offer covers cost together")
    free_skus: Mapped[list[str]] = mapped_column(Json, default=list, doc="free_item only: any of these")
    free_items: Mapped[int | None] = mapped_column(Integer, doc="free_item only: how many pieces, the cheapest first")
    currency: Mapped[str] = mapped_column(String(3), doc="matters for fixed amounts, minimum, cap and budget")
    minimum_cents: Mapped[int | None] = mapped_column(BigInteger, doc="on the goods' initial amount")
    minimum_items: Mapped[int | None] = mapped_column(Integer, doc="pieces of covered goods, free ones not counted")
    cap_cents: Mapped[int | None] = mapped_column(BigInteger, doc="largest discount of one redemption")
    categories: Mapped[list[str]] = mapped_column(Json, default=list, doc="only lines of these; empty: all")
    excluded_categories: Mapped[list[str]] = mapped_column(Json, default=list)
    skus: Mapped[list[str]] = mapped_column(Json, default=list, doc="only these products; empty: all")
    excluded_skus: Mapped[list[str]] = mapped_column(Json, default=list)
    brands: Mapped[list[str]] = mapped_column(Json, default=list, doc="only these brands; empty: all")
    excluded_brands: Mapped[list[str]] = mapped_column(Json, default=list)
    shops: Mapped[list[str]] = mapped_column(
        Json, default=list, doc="only in these, by the label that orders carry; elsewhere its codes are unknown")
    excludes_sale: Mapped[bool] = mapped_column(Boolean, default=False, doc="goods on sale are not covered")
    first_order_only: Mapped[bool] = mapped_column(Boolean, default=False)
    offer_class: Mapped[str] = mapped_column(String(40), default="", doc="by which other offers admit this one")
    combines: Mapped[str] = mapped_column(String(8), default="any", doc="in one order with: any, none, classes")
    combines_with: Mapped[list[str]] = mapped_column(Json, default=list, doc="classes only: the classes admitted")
    limit_per_code: Mapped[int] = mapped_column(Integer, default=1)
    limit_per_customer: Mapped[int | None] = mapped_column(Integer, doc="over all codes of this offer")
    customer_period: Mapped[str | None] = mapped_column(
        String(8), doc="day, week or month in which the limit per customer counts; None: ever")
    customer_is: Mapped[str] = mapped_column(
        String(8), default="id", doc="id, email or address: what makes two orders one customer's for that limit")
    limit_total: Mapped[int | None] = mapped_column(BigInteger)
    limit_per_day: Mapped[int | None] = mapped_column(BigInteger, doc="uses per calendar day in its zone; so below")
    limit_per_week: Mapped[int | None] = mapped_column(BigInteger, doc="from Monday")
    limit_per_month: Mapped[int | None] = mapped_column(BigInteger)
    budget_cents: Mapped[int | None] = mapped_column(BigInteger, doc="largest sum of discounts")
    budget_per_day_cents: Mapped[int | None] = mapped_column(BigInteger)
    budget_per_week_cents: Mapped[int | None] = mapped_column(BigInteger)
    budget_per_month_cents: Mapped[int | None] = mapped_column(BigInteger)
    valid_days: Mapped[int | None] = mapped_column(Integer, doc="validity counted from issue or expected arrival")
    valid_from: Mapped[datetime | None] = mapped_column(Instant)
    valid_until: Mapped[datetime | None] = mapped_column(Instant, doc="exclusive; the earlier of this and valid_days")
    weekdays: Mapped[list[int]] = mapped_column(Json, default=list, doc="1 Monday..7 Sunday in its zone; empty: all")
    from_minute: Mapped[int | None] = mapped_column(Integer, doc="minute of the local day, 0..1439; with until_minute")
    until_minute: Mapped[int | None] = mapped_column(
        Integer, doc="exclusive, 1..1440; not after from_minute: on the next day, which counts as the day before")
    zone: Mapped[str] = mapped_column(String(64), default="UTC", doc="IANA name: of weekdays, hours and periods")
    holder: Mapped[str] = mapped_column(
        String(8), default="flag", doc="enforce: only for its holder; flag: accepted and marked; off")
    return_rule: Mapped[str] = mapped_column(
        String(12), default="keep", doc="a return leaves less than the minimum: keep, recalculate or reverse")
    code_source: Mapped[str] = mapped_column(String(12), default="generated", doc="generated, or pool: stored before")
    pattern: Mapped[str] = mapped_column(String(64), default="", doc="of generated codes, # a symbol; empty: 13")
    prefix: Mapped[str] = mapped_column(String(12), default="", doc="put before generated codes")
    low_stock: Mapped[int | None] = mapped_column(Integer, doc="its owner is warned at this many codes in the pool")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    used: Mapped[int] = mapped_column(
        BigInteger, default=0, doc="live redemptions, counted while a total limit or budget is set"
    )
    spent_cents: Mapped[int] = mapped_column(BigInteger, default=0, doc="discounts in its currency, counted likewise")
    reserved: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0", doc="held uses, counted likewise")
    reserved_cents: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Code(Base):
    """One code. Personal codes belong to one customer and one origin; issuing the same twice gives the same code."""

    __tablename__ = "codes"
    __table_args__ = (
        # The origin leads: one index keeps issuing idempotent and finds the codes of an enrolment.
        UniqueConstraint("origin", "offer_id", "customer_id"),
        Index("ix_codes_customer_id", "customer_id"),
        Index("ix_codes_stock", "offer_id", "id", sqlite_where=text("state = 'stock'"),
              postgresql_where=text("state = 'stock'")),
        Index("ix_codes_batch_id", "batch_id", sqlite_where=text("batch_id IS NOT NULL"),
              postgresql_where=text("batch_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True, doc="canonical: upper case, no separators")
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    origin: Mapped[str] = mapped_column(String(100), doc="what it was issued for, e.g. enrolment:17")
    campaign: Mapped[str | None] = mapped_column(String(100), index=True, doc="label: the campaign's key")
    state: Mapped[str] = mapped_column(String(16), doc="stock, issued, redeemed or revoked; expired is derived")
    use_limit: Mapped[int] = mapped_column(Integer, default=1)
    used: Mapped[int] = mapped_column(Integer, default=0)
    reserved: Mapped[int] = mapped_column(Integer, default=0, server_default="0", doc="uses held for baskets")
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"), doc="the pool or poster it belongs to")
    written: Mapped[str | None] = mapped_column(String(64), doc="public, imported: as given, for people to read")
    region: Mapped[str | None] = mapped_column(String(100), doc="public codes: where this one hangs or is printed")
    issued_at: Mapped[datetime] = mapped_column(Instant)
    valid_from: Mapped[datetime] = mapped_column(Instant)
    valid_until: Mapped[datetime | None] = mapped_column(Instant, doc="exclusive; None: no end")
    redeemed_at: Mapped[datetime | None] = mapped_column(Instant, doc="first use that reached the limit")
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_reason: Mapped[str | None] = mapped_column(String(100))


class Batch(Base):
    """Codes that came together: a pool, generated or imported, or public codes for posters."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12), doc="generated, imported or public")
    name: Mapped[str] = mapped_column(String(200))
    codes: Mapped[int] = mapped_column(BigInteger, default=0, doc="how many it brought")
    rejected: Mapped[int] = mapped_column(BigInteger, default=0, doc="imported: lines not taken")
    created_at: Mapped[datetime] = mapped_column(Instant)


class LimitUse(Base):
    """What one customer, or everybody in one period, used of an offer that limits it: the row it is decided on."""

    __tablename__ = "limit_uses"
    __table_args__ = (
        CheckConstraint("used >= 0 AND reserved >= 0 AND spent_cents >= 0 AND reserved_cents >= 0"),
    )

    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"), primary_key=True)
    who: Mapped[str] = mapped_column(String(80), primary_key=True, doc="id:17, email:.., address:..; empty: everybody")
    period: Mapped[str] = mapped_column(String(12), primary_key=True, doc="d, w or m and its first day; empty: ever")
    used: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)
    spent_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved_cents: Mapped[int] = mapped_column(BigInteger, default=0)


class Reservation(Base):
    """One use of a code held for a basket until an instant; redeeming the same order spends it."""

    __tablename__ = "reservations"
    __table_args__ = (
        Index("uq_reservations_held", "shop", "order_ref", "code_id", unique=True,
              sqlite_where=text("state = 'held'"), postgresql_where=text("state = 'held'")),
        Index("ix_reservations_lapsing", "expires_at", sqlite_where=text("state = 'held'"),
              postgresql_where=text("state = 'held'")),
        Index("ix_reservations_code_id", "code_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, doc="what the API shows; not guessable")
    code_id: Mapped[int] = mapped_column(ForeignKey("codes.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"))
    counted_as: Mapped[str | None] = mapped_column(String(80), doc="who its customer limit counts; as in limit_uses")
    shop: Mapped[str] = mapped_column(String(100), default="")
    order_ref: Mapped[str] = mapped_column(String(200), doc="the shop's order or basket")
    discount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(12), doc="held, spent, released or lapsed")
    reserved_at: Mapped[datetime] = mapped_column(Instant, doc="the last time it was asked for; its periods count then")
    expires_at: Mapped[datetime] = mapped_column(Instant, doc="exclusive; from then on nobody counts it")
    settled_at: Mapped[datetime | None] = mapped_column(Instant, doc="spent, released or found lapsed")


class Redemption(Base):
    """One accepted use of a code, decided here or reported as history."""

    __tablename__ = "redemptions"
    __table_args__ = (
        UniqueConstraint("shop", "order_ref", "code_id"),
        UniqueConstraint("external_id"),
        Index("ix_redemptions_campaign", "campaign", "redeemed_at"),
        Index("ix_redemptions_customer_id", "customer_id"),
        Index("ix_redemptions_code_id", "code_id"),
        Index("ix_redemptions_guest", "guest", sqlite_where=text("guest IS NOT NULL"),
              postgresql_where=text("guest IS NOT NULL")),
        Index("ix_redemptions_redeemer_id", "redeemer_id", sqlite_where=text("redeemer_id <> customer_id"),
              postgresql_where=text("redeemer_id <> customer_id")),
        Index("ix_redemptions_flagged", "id", sqlite_where=text("flags <> '' AND flags_seen_at IS NULL"),
              postgresql_where=text("flags <> '' AND flags_seen_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, doc="what the API shows; not guessable")
    external_id: Mapped[str | None] = mapped_column(String(200), doc="redemption_id of an imported one")
    code_id: Mapped[int | None] = mapped_column(ForeignKey("codes.id"), doc="None: imported history")
    code_text: Mapped[str] = mapped_column(String(64))
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offers.id"))
    offer_name: Mapped[str | None] = mapped_column(String(200), doc="as imported, when we have no such offer")
    origin: Mapped[str | None] = mapped_column(String(100), doc="the code's origin")
    campaign: Mapped[str | None] = mapped_column(String(100), doc="the code's campaign label")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), doc="the holder, else who redeemed")
    redeemer_id: Mapped[int | None] = mapped_column(BigInteger, doc="customer named by the shop, when known")
    counted_as: Mapped[str | None] = mapped_column(String(80), doc="who its customer limit counts; as in limit_uses")
    guest: Mapped[str | None] = mapped_column(String(80), doc="the mark of whom the shop named, when nobody knew them")
    shop: Mapped[str] = mapped_column(String(100), default="")
    order_ref: Mapped[str | None] = mapped_column(String(200), doc="the shop's order id")
    order_total_cents: Mapped[int | None] = mapped_column(BigInteger, doc="goods before this discount")
    discount_cents: Mapped[int] = mapped_column(BigInteger)
    rolled_back_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16), doc="redeemed or rolled_back")
    history: Mapped[bool] = mapped_column(Boolean, default=False, doc="imported: touched no limit")
    told_by: Mapped[str] = mapped_column(
        String(16), server_default="api", doc="api: decided here; order: reported with it; agent"
    )
    agent: Mapped[str | None] = mapped_column(String(200), doc="who redeemed it for a phone or letter order")
    flags: Mapped[str] = mapped_column(
        String(120), server_default="", doc="words of coupons.till.flags.FLAGS with spaces; empty: nothing odd"
    )
    flags_seen_at: Mapped[datetime | None] = mapped_column(Instant, doc="somebody has looked at the flags")
    uncounted: Mapped[bool] = mapped_column(
        Boolean, server_default=false(), doc="told beyond a limit or with no code of ours: no counter"
    )
    redeemed_at: Mapped[datetime] = mapped_column(Instant, index=True)
    rolled_back_at: Mapped[datetime | None] = mapped_column(Instant)


class CodeRenewal(Base):
    """One time an agent gave an expired code more days, with the reason."""

    __tablename__ = "code_renewals"
    __table_args__ = (Index("ix_code_renewals_agent", "agent", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code_id: Mapped[int] = mapped_column(ForeignKey("codes.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    agent: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[datetime] = mapped_column(Instant, doc="the end that had passed")
    valid_until: Mapped[datetime] = mapped_column(Instant, doc="the new end, exclusive")


class CancelledOrder(Base):
    """An order the shop took back; a late redemption for it is refused, not resurrected."""

    __tablename__ = "cancelled_orders"

    shop: Mapped[str] = mapped_column(String(100), primary_key=True)
    order_ref: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)


class Refusal(Base):
    """One request to redeem that was refused, with the reason given."""

    __tablename__ = "refusals"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    reason: Mapped[str] = mapped_column(String(40))
    code_text: Mapped[str] = mapped_column(String(64), doc="as typed, cut")
    code_id: Mapped[int | None] = mapped_column(BigInteger)
    campaign: Mapped[str | None] = mapped_column(String(100))
    customer_id: Mapped[int | None] = mapped_column(BigInteger)
    shop: Mapped[str] = mapped_column(String(100), default="")
    order_ref: Mapped[str | None] = mapped_column(String(200))
    order_total_cents: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3), doc="of the order; none: refused before this was kept")


class KeptAnswer(Base):
    """The answer given under one idempotency key, written in the transaction that redeems: a crash leaves nothing."""

    __tablename__ = "kept_answers"

    client: Mapped[str] = mapped_column(String(64), primary_key=True, doc="the API key's own id")
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    answer: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(Instant, index=True)


class Guess(Base):
    """How many unknown codes one caller named within one window, over all processes."""

    __tablename__ = "guesses"

    caller: Mapped[str] = mapped_column(String(64), primary_key=True, doc="hash of key, address and customer")
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, doc="number of the minute since 1970")
    unknown: Mapped[int] = mapped_column(Integer)

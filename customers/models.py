"""Which facts do we hold about people and what they bought?

Owns customers, their addresses per channel, consents with proof, suppressions, orders and lines, products, stores,
contacts, events, organisations with people's relations to them, and scores. A fact is stored once; what an import
repeats replaces it. Consents and suppressions are never overwritten: the newest one counts, the older ones stay as
proof.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json

CHANNELS = ("email", "letter", "phone", "sms", "push", "ads")


class Customer(Base):
    """One person (or firm) the shop knows by its own number."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), unique=True, doc="the shop's customer number")
    salutation: Mapped[str | None] = mapped_column(String(100))
    first_name: Mapped[str | None] = mapped_column(String(200))
    last_name: Mapped[str | None] = mapped_column(String(200))
    company: Mapped[str | None] = mapped_column(String(200))
    birthday_on: Mapped[date | None] = mapped_column(Date)
    language: Mapped[str | None] = mapped_column(String(16))
    timezone: Mapped[str | None] = mapped_column(String(64), doc="IANA name; None: the campaign's zone")
    preferred_channel: Mapped[str | None] = mapped_column(String(16), doc="the explicit wish; None: never asked")
    household: Mapped[str | None] = mapped_column(String(200), index=True, doc="the shop's household_id")
    dunning_level: Mapped[int | None] = mapped_column(Integer)
    attributes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, doc="further import columns, typed")
    search: Mapped[str] = mapped_column(
        Text, default="", server_default="", doc="case-folded number, names, e-mail, phone and city; see people.py"
    )
    created_at: Mapped[datetime | None] = mapped_column(Instant, doc="as the shop says; None: unknown")
    imported_at: Mapped[datetime] = mapped_column(Instant)
    forgotten_at: Mapped[datetime | None] = mapped_column(Instant, doc="personal data erased at this person's wish")


class AttributeType(Base):
    """The type of a further customer attribute, fixed when it is first imported."""

    __tablename__ = "attribute_types"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), doc="number, boolean, date or text")


class Address(Base):
    """Where one customer is reached on one channel; one row per customer and channel (email, phone, letter, push)."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("customer_id", "channel"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(16), doc="email, phone (calls and SMS), letter or push")
    value: Mapped[str] = mapped_column(
        String(320), doc="e-mail address, E.164 number, or street and number; empty: only the place is known"
    )
    lookup: Mapped[str] = mapped_column(String(320), index=True, doc="normalised for search and suppression")
    postal_code: Mapped[str | None] = mapped_column(String(20))
    city: Mapped[str | None] = mapped_column(String(200))
    country: Mapped[str | None] = mapped_column(String(2), doc="ISO 3166, letter only like the two fields above")
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    undeliverable_at: Mapped[datetime | None] = mapped_column(Instant, doc="set by a hard bounce or a returned letter")


class Consent(Base):
    """One statement of one customer about one channel, with its proof. History is kept and never overwritten.

    The newest `at` counts; of two statements at one instant a refusal (denied, withdrawn) counts.
    """

    __tablename__ = "consents"
    __table_args__ = (UniqueConstraint("customer_id", "channel", "at", "state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), doc="granted, denied or withdrawn")
    basis: Mapped[str | None] = mapped_column(String(40), doc="consent, existing_customer, legitimate_interest ...")
    at: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str | None] = mapped_column(String(200), doc="where it was said: form, call, unsubscribe link")
    proof: Mapped[str | None] = mapped_column(Text, doc="what shows it: form version, address, recording")
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Suppression(Base):
    """Nobody at this address is written to on this channel. Survives erasure: it holds a keyed hash only."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("channel", "address_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    address_hash: Mapped[str] = mapped_column(String(64), doc="HMAC-SHA256 of the normalised address")
    reason: Mapped[str] = mapped_column(String(40), doc="unsubscribed, bounced, complained, objected, erased")
    at: Mapped[datetime] = mapped_column(Instant)


class Order(Base):
    """One order as the shop reports it. `cancelled` ones are kept and never count."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop", "external_id"),
        Index("ix_orders_customer_id_ordered_at", "customer_id", "ordered_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop: Mapped[str] = mapped_column(String(100), default="")
    external_id: Mapped[str] = mapped_column(String(200))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    ordered_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[str | None] = mapped_column(String(40), doc="the shop's own word")
    cancelled: Mapped[bool] = mapped_column(Boolean, default=False, doc="status is cancelled, canceled or voided")
    currency: Mapped[str] = mapped_column(String(3))
    coupon_code: Mapped[str | None] = mapped_column(String(64))
    ordered_via: Mapped[str | None] = mapped_column(String(16), doc="web, phone, letter or store")
    payment: Mapped[str | None] = mapped_column(String(40))
    total_cents: Mapped[int] = mapped_column(BigInteger, doc="sum of its lines, VAT in, shipping out")


class ToldOrder(Base):
    """How new the state is that a shop's webhook told us of an order, so that an older one changes nothing.

    The row stays when the shop has removed the order, and may come before the order itself.
    """

    __tablename__ = "told_orders"

    shop: Mapped[str] = mapped_column(String(100), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    modified_at: Mapped[datetime] = mapped_column(Instant, doc="as the shop says")
    gone: Mapped[bool] = mapped_column(Boolean, doc="removed in the shop")


class OrderLine(Base):
    """One line of an order. Customer, time and cancellation repeat the order's: one table answers most rules."""

    __tablename__ = "order_lines"
    __table_args__ = (
        Index("ix_order_lines_category_customer", "category", "customer_id", "ordered_at"),
        Index("ix_order_lines_order_id", "order_id"),
        Index("ix_order_lines_customer_id", "customer_id", "ordered_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    customer_id: Mapped[int] = mapped_column(BigInteger)
    ordered_at: Mapped[datetime] = mapped_column(Instant)
    cancelled: Mapped[bool] = mapped_column(Boolean, default=False)
    currency: Mapped[str] = mapped_column(String(3))
    sku: Mapped[str | None] = mapped_column(String(100))
    product: Mapped[str | None] = mapped_column(String(300))
    category: Mapped[str | None] = mapped_column(String(200))
    brand: Mapped[str | None] = mapped_column(String(200))
    quantity_milli: Mapped[int] = mapped_column(BigInteger, doc="thousandths: metres and kilos have fractions")
    unit_price_cents: Mapped[int] = mapped_column(BigInteger)
    total_cents: Mapped[int] = mapped_column(BigInteger, doc="VAT in; the shop's line_total or quantity x price")
    discount_cents: Mapped[int | None] = mapped_column(BigInteger, doc="None: unknown")
    tax_rate: Mapped[float | None] = mapped_column(Double, doc="0..1; None: unknown")
    unit_cost_cents: Mapped[int | None] = mapped_column(BigInteger, doc="None: unknown")
    delivered_at: Mapped[datetime | None] = mapped_column(Instant, doc="None: open or unknown")
    returned_quantity_milli: Mapped[int | None] = mapped_column(BigInteger, doc="None: unknown")
    returned_at: Mapped[datetime | None] = mapped_column(Instant)


class Product(Base):
    """One article of the shop."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sku: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str | None] = mapped_column(String(300))
    category: Mapped[str | None] = mapped_column(String(200), index=True)
    brand: Mapped[str | None] = mapped_column(String(200))
    price_cents: Mapped[int | None] = mapped_column(BigInteger)
    sale_price_cents: Mapped[int | None] = mapped_column(BigInteger)
    unit_cost_cents: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    stock: Mapped[int | None] = mapped_column(BigInteger)
    url: Mapped[str | None] = mapped_column(Text)
    image_url: Mapped[str | None] = mapped_column(Text)
    non_discountable: Mapped[bool] = mapped_column(Boolean, default=False)


class Store(Base):
    """One place people can walk into."""

    __tablename__ = "stores"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)


class Contact(Base):
    """One time a customer and the shop were in touch: a call, a letter, a mail, a complaint, a visit."""

    __tablename__ = "contacts"
    __table_args__ = (Index("ix_contacts_customer_id_at", "customer_id", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(40))
    direction: Mapped[str] = mapped_column(String(3), doc="in: from the customer; out: from the shop")
    channel: Mapped[str | None] = mapped_column(String(16))
    subject: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(40))


class Event(Base):
    """Something one person did that the shop tells us of: a cart abandoned, a newsletter form, a visit to a page.

    Arrivals are followed by id through the list of changes; `at` is when it happened, which may be long before.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_customer_id", "customer_id", "name", "at"),
        Index("ix_events_name_at", "name", "at", "customer_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(
        String(200), unique=True, doc="the shop's id, or made of what the event says: the same event comes once"
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100), doc="exactly as the shop writes it: cart_abandoned")
    at: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str | None] = mapped_column(String(100), doc="which system told us: web, app, till")
    properties: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, doc="name -> text, number, boolean or null")
    recorded_at: Mapped[datetime] = mapped_column(Instant, doc="when we first heard of it")


class Organisation(Base):
    """A firm, a paper, an authority: what people belong to or speak for."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), unique=True, doc="the shop's number, or its name without one")
    name: Mapped[str] = mapped_column(String(200), index=True)


class Relation(Base):
    """What one person is to us, with or without an organisation: partner, supplier, press, employee, investor."""

    __tablename__ = "relations"
    __table_args__ = (Index("ix_relations_customer_id", "customer_id", "kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_id: Mapped[str] = mapped_column(
        String(200), unique=True, doc="the shop's id, or made of person, kind and organisation"
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40), doc="in lower case")
    role: Mapped[str | None] = mapped_column(String(100), doc="editor, buyer, managing director")
    since_at: Mapped[datetime | None] = mapped_column(Instant, doc="None: from the beginning")
    until_at: Mapped[datetime | None] = mapped_column(Instant, doc="the first instant without it; None: to this day")


class Score(Base):
    """One number about one person, computed by us or by the shop; the newest value only."""

    __tablename__ = "scores"
    __table_args__ = (Index("ix_scores_name_value", "name", "value"), {"sqlite_with_rowid": False})

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True, doc="rfm, recency, frequency, monetary, clv_12m")
    value: Mapped[float] = mapped_column(Double)
    computed_at: Mapped[datetime] = mapped_column(Instant, doc="when the value last changed")


class ScoreName(Base):
    """A score that exists, and since when: a rule about a score nobody has computed by then is an error."""

    __tablename__ = "score_names"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    first_at: Mapped[datetime] = mapped_column(Instant, doc="the earliest instant for which it was computed")
    computed_at: Mapped[datetime] = mapped_column(Instant, doc="the last one")
    told: Mapped[bool] = mapped_column(Boolean, default=False, doc="it comes from the shop; we do not compute it daily")

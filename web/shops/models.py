"""Which shops are connected, and what did they send?

Owns shop connections and the webhook inbox. Secrets are stored sealed with the installation's key. A delivery is stored
before its sender is answered, with the raw body; the body goes when it is no longer needed.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.types import Base, BigId, Instant, Json


class ShopConnection(Base):
    """One shop that sends webhooks."""

    __tablename__ = "shop_connections"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True, doc="stands in the hook's address; random")
    kind: Mapped[str] = mapped_column(String(16), doc="shopify, woocommerce, shopware or standard")
    name: Mapped[str] = mapped_column(String(200))
    shop: Mapped[str] = mapped_column(String(100), unique=True, doc="the label its orders and redemptions carry")
    zone: Mapped[str] = mapped_column(String(64), doc="of times that the shop writes without one")
    currency: Mapped[str] = mapped_column(String(3), doc="what its orders are usually in; another one is flagged")
    shop_url: Mapped[str] = mapped_column(String(500), doc="where customers shop; empty: not given")
    link_template: Mapped[str] = mapped_column(String(500), doc="basket link that applies a code: holds {code}")
    secret: Mapped[str] = mapped_column(Text, doc="sealed; signs deliveries")
    secret_before: Mapped[str | None] = mapped_column(Text, doc="sealed; still good after a rotation")
    rotated_at: Mapped[datetime | None] = mapped_column(Instant)
    refused: Mapped[int] = mapped_column(Integer, default=0, doc="deliveries whose signature was wrong")
    refused_at: Mapped[datetime | None] = mapped_column(Instant, doc="the last of them")
    created_at: Mapped[datetime] = mapped_column(Instant)
    paused_at: Mapped[datetime | None] = mapped_column(Instant, doc="deliveries are stored and wait")
    archived_at: Mapped[datetime | None] = mapped_column(Instant, doc="its address answers no more")


class InboxDelivery(Base):
    """One webhook as it came."""

    __tablename__ = "inbox_deliveries"
    __table_args__ = (
        UniqueConstraint("connection_id", "key"),
        Index("ix_inbox_deliveries_state", "state", "id"),
        Index("ix_inbox_deliveries_order", "connection_id", "order_ref"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("shop_connections.id"))
    key: Mapped[str] = mapped_column(String(200), doc="the same key again is the same delivery; see systems/")
    topic: Mapped[str] = mapped_column(String(80))
    headers: Mapped[dict[str, str]] = mapped_column(Json, doc="those that matter; never the signature")
    body: Mapped[bytes | None] = mapped_column(LargeBinary, doc="raw; None: dropped after its time or with a person")
    body_bytes: Mapped[int] = mapped_column(Integer)
    order_ref: Mapped[str | None] = mapped_column(String(200), doc="the shop's order id, once it was read")
    state: Mapped[str] = mapped_column(String(10), doc="received, done, failed or ignored")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(Instant, doc="not tried before")
    note: Mapped[str | None] = mapped_column(String(300), doc="what was done, or the error")
    flags: Mapped[str] = mapped_column(String(120), default="", doc="words of told.ODD with spaces")
    received_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)

"""shops and their inbox, told orders, reported redemptions, renewals

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "shop_connections",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("shop", sa.String(length=100), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("shop_url", sa.String(length=500), nullable=False),
        sa.Column("link_template", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("secret_before", sa.Text(), nullable=True),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint("shop"),
    )
    op.create_table(
        "inbox_deliveries",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("connection_id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("order_ref", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=True),
        sa.Column("flags", sa.String(length=120), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["shop_connections.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "key"),
    )
    op.create_index("ix_inbox_deliveries_state", "inbox_deliveries", ["state", "id"])
    op.create_index("ix_inbox_deliveries_order", "inbox_deliveries", ["connection_id", "order_ref"])
    op.create_table(
        "told_orders",
        sa.Column("shop", sa.String(length=100), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("shop", "external_id"),
    )
    op.create_table(
        "code_renewals",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("code_id", BIG_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_code_renewals_code_id", "code_renewals", ["code_id"])
    op.create_index("ix_code_renewals_agent", "code_renewals", ["agent", "at"])
    for column in (
        sa.Column("told_by", sa.String(length=16), nullable=False, server_default="api"),
        sa.Column("agent", sa.String(length=200), nullable=True),
        sa.Column("flags", sa.String(length=120), nullable=False, server_default=""),
        sa.Column("flags_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("uncounted", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("redemptions", column)
    op.create_index("ix_redemptions_flagged", "redemptions", ["id"],
                    sqlite_where=sa.text("flags <> '' AND flags_seen_at IS NULL"),
                    postgresql_where=sa.text("flags <> '' AND flags_seen_at IS NULL"))
    op.create_index("ix_redemptions_order", "redemptions", ["shop", "order_ref"])


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

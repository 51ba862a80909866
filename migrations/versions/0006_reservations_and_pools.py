"""Reservations, limits per period and per person as configured, pools and public codes, guesses over all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _count(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        _count("codes"), _count("rejected"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_batches_offer_id", "batches", ["offer_id"])
    op.create_table(
        "limit_uses",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("period", sa.String(12), nullable=False),
        _count("used"), _count("reserved"), _count("spent_cents"), _count("reserved_cents"),
        sa.CheckConstraint("used >= 0 AND reserved >= 0 AND spent_cents >= 0 AND reserved_cents >= 0"),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"]),
        sa.PrimaryKeyConstraint("offer_id", "who", "period"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("code_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("counted_as", sa.String(80), nullable=True),
        sa.Column("shop", sa.String(100), nullable=False),
        sa.Column("order_ref", sa.String(200), nullable=False),
        sa.Column("discount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reserved_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"]),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id"),
    )
    held = sa.text("state = 'held'")
    op.create_index("uq_reservations_held", "reservations", ["shop", "order_ref", "code_id"], unique=True,
                    sqlite_where=held, postgresql_where=held)
    op.create_index("ix_reservations_lapsing", "reservations", ["expires_at"], sqlite_where=held,
                    postgresql_where=held)
    op.create_index("ix_reservations_code_id", "reservations", ["code_id"])
    op.create_table(
        "guesses",
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "minute"),
    )
    for name in ("reserved", "reserved_cents"):
        op.add_column("offers", _count(name))
    op.add_column("codes", sa.Column("reserved", sa.Integer(), nullable=False, server_default="0"))
    # A column that refers to another table is added without a copy of the table by the words themselves.
    op.execute("ALTER TABLE codes ADD COLUMN batch_id BIGINT REFERENCES batches (id)")
    op.add_column("codes", sa.Column("region", sa.String(100), nullable=True))
    stock, batched = sa.text("state = 'stock'"), sa.text("batch_id IS NOT NULL")
    op.create_index("ix_codes_stock", "codes", ["offer_id", "id"], sqlite_where=stock, postgresql_where=stock)
    op.create_index("ix_codes_batch_id", "codes", ["batch_id"], sqlite_where=batched, postgresql_where=batched)
    op.add_column("redemptions", sa.Column("counted_as", sa.String(80), nullable=True))
    op.execute("UPDATE redemptions SET counted_as = 'id:' || customer_id WHERE NOT history AND customer_id IS NOT NULL")
    op.execute("INSERT INTO limit_uses (offer_id, who, period, used)"
               " SELECT offer_id, 'id:' || customer_id, '', used FROM customer_uses")
    op.drop_table("customer_uses")


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

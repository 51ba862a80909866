"""what would happen is asked for and answered; the print shop's lead time

Revision ID: 0015
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
OPEN = sa.text("state IN ('asked', 'running')")


def upgrade() -> None:
    op.create_table(
        "forecasts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("campaign_id", BIG_ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked", JSON, nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("answer", JSON, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_forecasts_campaign_id", "forecasts", ["campaign_id"])
    op.create_index("ix_forecasts_open", "forecasts", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.add_column("house_rules", sa.Column("print_lead_days", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

"""a guest nobody knows is recognised again, a key may be for one shop, and an index that another one holds goes

The unique one of redemptions begins with shop and order, too.

Revision ID: 0024
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("redemptions", sa.Column("guest", sa.String(80), nullable=True))
    op.create_index("ix_redemptions_guest", "redemptions", ["guest"], sqlite_where=sa.text("guest IS NOT NULL"),
                    postgresql_where=sa.text("guest IS NOT NULL"))
    op.drop_index("ix_redemptions_order", "redemptions")
    op.add_column("api_keys", sa.Column("shop", sa.String(100), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

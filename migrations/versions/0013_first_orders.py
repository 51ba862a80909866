"""redemptions by somebody else than the holder are found by who ordered

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BY_SOMEBODY_ELSE = sa.text("redeemer_id <> customer_id")


def upgrade() -> None:
    op.create_index("ix_redemptions_redeemer_id", "redemptions", ["redeemer_id"], sqlite_where=BY_SOMEBODY_ELSE,
                    postgresql_where=BY_SOMEBODY_ELSE)


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

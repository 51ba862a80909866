"""an offer may be for some shops only; elsewhere its codes are unknown

Revision ID: 0020
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0022"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("offers", sa.Column("shops", JSON, nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

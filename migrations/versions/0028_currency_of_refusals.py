"""a refused order keeps its currency: its amount was shown in the offer's

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refusals", sa.Column("currency", sa.String(3), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

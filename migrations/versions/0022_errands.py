"""what is left to do of going on after a pause, and of bringing people over to another version

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("journeys", sa.Column("resuming", JSON, nullable=True))
    op.add_column("journeys", sa.Column("moving", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("journeys", "moving")
    op.drop_column("journeys", "resuming")

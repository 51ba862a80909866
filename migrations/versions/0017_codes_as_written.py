"""public codes keep the form in which they were opened, for people to read

Revision ID: 0017
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("codes", sa.Column("written", sa.String(64)))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

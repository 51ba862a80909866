"""a change of a rule that a segment names is told apart from people coming in

Revision ID: 0016
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("rule_digest", sa.String(64), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

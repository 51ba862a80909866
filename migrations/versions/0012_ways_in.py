"""ways into a journey, waits for something, and who is left alone everywhere

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("enrolments", sa.Column("key", sa.String(length=200), nullable=True))
    op.add_column("enrolments", sa.Column("cause", sa.String(length=240), nullable=True))
    op.add_column("enrolments", sa.Column("until_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "global_holdout",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("percent", sa.Float(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

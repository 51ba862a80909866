"""how many went which way is added up as it happens, and who stands where is counted from an index

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LEFT = sa.text("left_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "visit_sums_new",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("version_id", BIG_ID, nullable=False),
        sa.Column("step", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=60), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["journey_versions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO visit_sums_new (version_id, step, outcome, people)"
               " SELECT version_id, step, outcome, people FROM visit_sums")
    op.execute("INSERT INTO visit_sums_new (version_id, step, outcome, people)"
               " SELECT e.version_id, v.step, COALESCE(v.outcome, ''), COUNT(*) FROM visits v"
               " JOIN enrolments e ON e.id = v.enrolment_id WHERE NOT e.held_out"
               " GROUP BY e.version_id, v.step, COALESCE(v.outcome, '')")
    op.drop_table("visit_sums")
    op.rename_table("visit_sums_new", "visit_sums")
    op.create_index("ix_visit_sums_version_id", "visit_sums", ["version_id", "step", "outcome"])
    op.create_index("ix_enrolments_standing", "enrolments",
                    ["version_id", "step", "state", "held_out", "left_reason"])
    op.drop_index("ix_enrolments_version_step", "enrolments")
    op.drop_index("ix_enrolments_state_due_at", "enrolments")
    op.create_index("ix_enrolments_state_due_at", "enrolments", ["state", "due_at", "journey_id", "step", "id"])
    op.create_index("ix_enrolments_entered_at", "enrolments", ["entered_at"], postgresql_using="brin")
    op.create_index("ix_enrolments_left_at", "enrolments", ["left_at"], sqlite_where=LEFT, postgresql_where=LEFT)


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

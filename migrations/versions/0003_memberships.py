"""segment members, refreshes, static lists, snapshots, folders and tags"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table('segments', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=8), nullable=False, server_default='rule'))
        batch_op.add_column(sa.Column('folder', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('tags', JSON, nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('refresh_seconds', sa.Integer(), nullable=True, server_default='3600'))
        batch_op.add_column(sa.Column('refresh_id', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('refreshing_id', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('members', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('refreshed_at', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('stale_at', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('next_change_at', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('look_again_at', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('refresh_error', sa.Text(), nullable=True))

    op.create_table('segment_refreshes',
    sa.Column('id', BIG_ID, autoincrement=True, nullable=False),
    sa.Column('segment_id', BIG_ID, nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('as_of', sa.BigInteger(), nullable=False),
    sa.Column('cause', sa.String(length=12), nullable=False),
    sa.Column('engine', sa.String(length=12), nullable=False),
    sa.Column('took_ms', sa.BigInteger(), nullable=False),
    sa.Column('entered_count', sa.BigInteger(), nullable=False),
    sa.Column('left_count', sa.BigInteger(), nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.Column('published_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['segment_id'], ['segments.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sqlite_autoincrement=True
    )
    op.create_index('ix_segment_refreshes_segment_id', 'segment_refreshes', ['segment_id', 'id'])

    op.create_table('segment_members',
    sa.Column('segment_id', sa.BigInteger(), nullable=False),
    sa.Column('customer_id', sa.BigInteger(), nullable=False),
    sa.Column('entered_by', sa.BigInteger(), nullable=False),
    sa.Column('entered_at', sa.BigInteger(), nullable=False),
    sa.Column('left_by', sa.BigInteger(), nullable=True),
    sa.Column('left_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('segment_id', 'customer_id', 'entered_by'),
    sqlite_with_rowid=False
    )
    op.create_index('ix_segment_members_entered', 'segment_members', ['entered_by', 'customer_id'])
    op.create_index('ix_segment_members_left', 'segment_members', ['left_by', 'customer_id'],
                    sqlite_where=sa.text("left_by IS NOT NULL"), postgresql_where=sa.text("left_by IS NOT NULL"))

    op.create_table('listed_people',
    sa.Column('segment_id', sa.BigInteger(), nullable=False),
    sa.Column('customer_id', sa.BigInteger(), nullable=False),
    sa.Column('added_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['segment_id'], ['segments.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('segment_id', 'customer_id'),
    sqlite_with_rowid=False
    )
    op.create_index('ix_listed_people_customer_id', 'listed_people', ['customer_id'])

    op.create_table('segment_snapshots',
    sa.Column('segment_id', BIG_ID, nullable=False),
    sa.Column('source_key', sa.String(length=100), nullable=True),
    sa.Column('source_version', sa.Integer(), nullable=True),
    sa.Column('rule', JSON, nullable=False),
    sa.Column('taken_at', sa.BigInteger(), nullable=False),
    sa.Column('engine', sa.String(length=12), nullable=False),
    sa.Column('people', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['segment_id'], ['segments.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('segment_id')
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("Going back would lose who came and went; restore a copy of the database instead.")


# The triggers as they were when this revision was written; later revisions change them by their own statements.
def _triggers(dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER changes_listed_people_{action.lower()} AFTER {action} ON listed_people BEGIN"
            f" INSERT INTO changes (tbl, key) VALUES ('listed_people', {row}.segment_id); END"
            for action, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old"))
        ]
    statements = [
        "CREATE FUNCTION changes_listed_people() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO changes (xid, tbl, key) SELECT DISTINCT pg_current_xact_id()::text::bigint, 'listed_people',"
        " segment_id FROM touched; RETURN NULL; END $$"
    ]
    for action, which in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        statements.append(
            f"CREATE TRIGGER changes_listed_people_{action.lower()} AFTER {action} ON listed_people"
            f" REFERENCING {which} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION changes_listed_people()"
        )
    return statements

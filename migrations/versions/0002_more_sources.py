"""events, organisations, relations, scores"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table('events',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.String(length=100), nullable=True),
    sa.Column('properties', JSON, nullable=False),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    op.create_index('ix_events_customer_id', 'events', ['customer_id', 'name', 'at'])
    op.create_index('ix_events_name_at', 'events', ['name', 'at', 'customer_id'])

    op.create_table('organisations',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    op.create_index('ix_organisations_name', 'organisations', ['name'])

    op.create_table('relations',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('organisation_id', BIG_ID, nullable=True),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=100), nullable=True),
    sa.Column('since_at', sa.BigInteger(), nullable=True),
    sa.Column('until_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    op.create_index('ix_relations_customer_id', 'relations', ['customer_id', 'kind'])
    op.create_index('ix_relations_organisation_id', 'relations', ['organisation_id'])

    op.create_table('scores',
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('value', sa.Double(), nullable=False),
    sa.Column('computed_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('customer_id', 'name'),
    sqlite_with_rowid=False
    )
    op.create_index('ix_scores_name_value', 'scores', ['name', 'value'])

    op.create_table('score_names',
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('first_at', sa.BigInteger(), nullable=False),
    sa.Column('computed_at', sa.BigInteger(), nullable=False),
    sa.Column('told', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("Events, relations and scores would be lost; restore a backup instead.")


# The triggers as they were when this revision was written; stores had none before.
FOLLOWED = {
    "events": "id", "organisations": "id", "relations": "id", "scores": "customer_id", "stores": "id",
}


def _triggers(dialect: str) -> list[str]:
    build = _sqlite_triggers if dialect == "sqlite" else _postgresql_triggers
    return [statement for table, key in FOLLOWED.items() for statement in build(table, key)]


def _sqlite_triggers(table: str, key: str) -> list[str]:
    return [
        f"CREATE TRIGGER changes_{table}_{action.lower()} AFTER {action} ON {table} BEGIN"
        f" INSERT INTO changes (tbl, key) VALUES ('{table}', {row}.{key}); END"
        for action, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old"))
    ]


def _postgresql_triggers(table: str, key: str) -> list[str]:
    statements = [
        f"CREATE FUNCTION changes_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key) SELECT DISTINCT pg_current_xact_id()::text::bigint, '{table}', {key}"
        f" FROM touched; RETURN NULL; END $$"
    ]
    for action, which in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        statements.append(
            f"CREATE TRIGGER changes_{table}_{action.lower()} AFTER {action} ON {table}"
            f" REFERENCING {which} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION changes_{table}()"
        )
    return statements

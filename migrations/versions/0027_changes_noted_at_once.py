"""messages and codes written together are noted in one row of `changes`, from the first number to the last

PostgreSQL's statement triggers see how far the numbers run on. On SQLite, whose triggers see row by row, whoever writes
many notes them first and says so in `noted_ahead`. There the index over `xid`, always empty, goes.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

from core.types import BigId

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = {"messages": "", "codes": "customer_id IS NOT NULL"}
"""Table -> which of its rows are followed; as it was when this revision was written."""


def upgrade() -> None:
    op.add_column("changes", sa.Column("last", sa.BigInteger(), nullable=True))
    op.create_table(
        "noted_ahead",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("tbl", sa.String(24), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_changes_xid", "changes")
    build = _on_sqlite if op.get_bind().dialect.name == "sqlite" else _on_postgresql
    for table, followed in TABLES.items():
        for statement in build(table, followed):
            op.execute(statement)


def _on_sqlite(table: str, followed: str) -> list[str]:
    mine = f"new.{followed} AND " if followed else ""
    return [
        f"DROP TRIGGER changes_{table}_insert",
        f"CREATE TRIGGER changes_{table}_insert AFTER INSERT ON {table} WHEN {mine}NOT EXISTS"
        f" (SELECT 1 FROM noted_ahead WHERE tbl = '{table}' AND new.id BETWEEN first AND last)"
        f" BEGIN INSERT INTO changes (tbl, key) VALUES ('{table}', new.id); END",
    ]


def _on_postgresql(table: str, followed: str) -> list[str]:
    # Numbers that follow one another stay as far from their place in the order.
    where = f" WHERE {followed}" if followed else ""
    return [
        f"CREATE OR REPLACE FUNCTION changes_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key, last) SELECT pg_current_xact_id()::text::bigint, '{table}', min(id),"
        " nullif(max(id), min(id)) FROM (SELECT id, id - row_number() OVER (ORDER BY id) AS run"
        f" FROM touched{where}) AS placed GROUP BY run ORDER BY 3; RETURN NULL; END $$",
    ]


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

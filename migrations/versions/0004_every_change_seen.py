"""Every change seen: codes are followed, and so are rows that change their owner and tables that are emptied.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 07:05:00.000000+00:00
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEYS = {
    "customers": "id", "addresses": "customer_id", "consents": "customer_id", "suppressions": "id",
    "orders": "id", "order_lines": "order_id", "contacts": "customer_id", "redemptions": "id", "messages": "id",
    "events": "id", "organisations": "id", "relations": "id", "scores": "customer_id", "stores": "id", "codes": "id",
    "listed_people": "segment_id",
}
OF_CODES = "customer_id, offer_id, campaign, issued_at"


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in [*(_codes_on_sqlite() if sqlite else _codes_on_postgresql()),
                      *(statement for table, key in KEYS.items()
                        for statement in (_left_on_sqlite(table, key) if sqlite else _left_on_postgresql(table, key)))]:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")


# A code is followed from the moment it is somebody's: generating a pool costs nothing. Redeeming changes the state and
# the counter, which no trigger waits for, so the busiest statements pay nothing either.
def _codes_on_sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER changes_codes_{action.split()[0].lower()} AFTER {action} ON codes"
        f" WHEN {row}.customer_id IS NOT NULL{or_before}"
        f" BEGIN INSERT INTO changes (tbl, key) VALUES ('codes', {row}.id); END"
        for action, row, or_before in (("INSERT", "new", ""), ("DELETE", "old", ""),
                                       (f"UPDATE OF {OF_CODES}", "new", " OR old.customer_id IS NOT NULL"))
    ]


def _codes_on_postgresql() -> list[str]:
    xid = "pg_current_xact_id()::text::bigint"
    statements = [
        "CREATE FUNCTION changes_codes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key) SELECT {xid}, 'codes', id FROM touched WHERE customer_id IS NOT NULL;"
        " RETURN NULL; END $$",
        "CREATE FUNCTION changes_one_code() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key) VALUES ({xid}, 'codes', NEW.id); RETURN NULL; END $$",
        # PostgreSQL gives no set of changed rows to a trigger that names its columns, hence row by row.
        f"CREATE TRIGGER changes_codes_update AFTER UPDATE OF {OF_CODES} ON codes FOR EACH ROW"
        " WHEN (NEW.customer_id IS NOT NULL OR OLD.customer_id IS NOT NULL) EXECUTE FUNCTION changes_one_code()",
    ]
    for action, which in (("INSERT", "NEW"), ("DELETE", "OLD")):
        statements.append(
            f"CREATE TRIGGER changes_codes_{action.lower()} AFTER {action} ON codes"
            f" REFERENCING {which} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION changes_codes()")
    return statements


# The triggers of 0001 and 0002 note the key that a changed row has now. A row that goes to another owner changes what
# the one before has, too; such updates are rare, and no other pays for this.
def _left_on_sqlite(table: str, key: str) -> list[str]:
    return [f"CREATE TRIGGER changes_{table}_left AFTER UPDATE OF {key} ON {table} WHEN old.{key} IS NOT new.{key}"
            f" BEGIN INSERT INTO changes (tbl, key) VALUES ('{table}', old.{key}); END"]


def _left_on_postgresql(table: str, key: str) -> list[str]:
    noted = f"INSERT INTO changes (xid, tbl, key) SELECT DISTINCT pg_current_xact_id()::text::bigint, '{table}', {key}"
    return [
        f"CREATE FUNCTION changes_{table}_left() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key) VALUES (pg_current_xact_id()::text::bigint, '{table}', OLD.{key});"
        " RETURN NULL; END $$",
        f"CREATE TRIGGER changes_{table}_left AFTER UPDATE OF {key} ON {table} FOR EACH ROW"
        f" WHEN (OLD.{key} IS DISTINCT FROM NEW.{key}) EXECUTE FUNCTION changes_{table}_left()",
        f"CREATE FUNCTION changes_{table}_emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {noted} FROM {table}; RETURN NULL; END $$",
        f"CREATE TRIGGER changes_{table}_emptied BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION changes_{table}_emptied()",
    ]

"""on PostgreSQL the ledgers' references are guarded where a parent would go, no longer at every row written

See docs/decisions/0007. SQLite keeps its foreign keys.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# (child, column, parent); as they were when this revision was written. The last goes with its parent, the others keep
# theirs from going.
KEEP = (
    ("enrolments", "customer_id", "customers"), ("messages", "customer_id", "customers"),
    ("codes", "customer_id", "customers"), ("enrolments", "journey_id", "journeys"),
    ("enrolments", "version_id", "journey_versions"), ("messages", "revision_id", "content_revisions"),
    ("codes", "offer_id", "offers"),
)
GO_ALONG = ("visits", "enrolment_id", "enrolments")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for child, column, _parent in (*KEEP, GO_ALONG):
        op.execute(f"ALTER TABLE {child} DROP CONSTRAINT {child}_{column}_fkey")
    for parent in sorted({parent for _child, _column, parent in KEEP}):
        for statement in _kept(parent, [(child, column) for child, column, of in KEEP if of == parent]):
            op.execute(statement)
    child, column, parent = GO_ALONG
    op.execute(f"CREATE FUNCTION take_{child}_along() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               f" DELETE FROM {child} WHERE {column} = OLD.id; RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER take_{child}_along AFTER DELETE ON {parent}"
               f" FOR EACH ROW EXECUTE FUNCTION take_{child}_along()")


def _kept(parent: str, named_by: list[tuple[str, str]]) -> list[str]:
    """As the foreign key did: a row that others name neither goes nor changes its number; the same error says so."""
    checks = "".join(
        f" IF EXISTS (SELECT FROM {child} WHERE {column} = OLD.id) THEN RAISE foreign_key_violation USING MESSAGE ="
        f" 'this row of {parent} is named by {child}.{column}', DETAIL = 'id ' || OLD.id; END IF;"
        for child, column in named_by)
    begun = f"CREATE TRIGGER {parent}_stay_named"
    return [
        f"CREATE FUNCTION {parent}_stay_named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN{checks}"
        " RETURN NULL; END $$",
        f"{begun} AFTER DELETE ON {parent} FOR EACH ROW EXECUTE FUNCTION {parent}_stay_named()",
        f"{begun}_again AFTER UPDATE OF id ON {parent} FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id)"
        f" EXECUTE FUNCTION {parent}_stay_named()",
    ]


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")

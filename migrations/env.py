"""Alembic's entry: runs the revisions on the database handed over by `winback.schema.upgrade`."""

from alembic import context
from sqlalchemy import text

from core.database import Database
from core.types import Base

database: Database = context.config.attributes["database"]

with database.writing() as session:
    connection = session.connection()
    if not database.is_sqlite:
        # Two processes may upgrade at once: the second waits and finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(7236001)"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
        render_as_batch=database.is_sqlite,
    )
    with context.begin_transaction():
        context.run_migrations()

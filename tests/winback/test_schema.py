"""The revision that the code expects is the newest one of the migrations, and a database says which one it is at."""

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from core.database import Database
from winback.schema import MIGRATIONS, found_revision, newest_revision


def test_the_newest_revision_is_the_head_of_the_migrations(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]
    assert found_revision(database) == newest_revision()
    assert found_revision(Database(create_engine("sqlite://"))) is None

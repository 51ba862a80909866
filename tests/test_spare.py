"""A PostgreSQL database that a test has used is as new for the next one, or it is dropped."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from core.database import open_database
from tests.segments.population import load, people
from tests.spare import SpareDatabases


@pytest.fixture
def spares(postgres_server: str, postgres_template: str) -> Iterator[SpareDatabases]:
    made = SpareDatabases(postgres_server, postgres_template)
    yield made
    made.close()


def connect(address: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(make_url(address).set(drivername="postgresql").render_as_string(hide_password=False))


def everything(address: str) -> dict[str, object]:
    """All rows and what every sequence gives next."""
    with connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found: dict[str, object] = {
            str(name): connection.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1').fetchall()  # type: ignore[arg-type]
            for (name,) in tables}
        found["sequences"] = sorted(connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences").fetchall(), key=str)
        return found


def test_what_a_test_wrote_is_gone_and_numbers_begin_anew(spares: SpareDatabases) -> None:
    first = spares.take()
    new = everything(first)
    database = open_database(first)
    load(database, people(20, seed=1))
    database.dispose()
    with connect(first) as connection:
        connection.execute("UPDATE installation SET kind = 'live'")
        connection.execute("SELECT nextval('customers_id_seq')")
    assert everything(first) != new
    spares.give_back(first)
    second = spares.take()
    assert second == first and everything(second) == new


@pytest.mark.parametrize("statement", [
    "ALTER TABLE customers ADD COLUMN more INTEGER", "DROP INDEX {index}", "CREATE TABLE more (id INTEGER)",
    "ALTER TABLE orders DISABLE TRIGGER ALL", "ALTER TABLE orders ALTER COLUMN shop SET DEFAULT 'x'",
    "ALTER DATABASE {database} SET work_mem = '64kB'", "DROP FUNCTION {function} CASCADE",
])
def test_a_database_whose_schema_was_changed_is_not_given_out_again(spares: SpareDatabases, statement: str) -> None:
    first = spares.take()
    with connect(first) as connection:
        index = connection.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE"
                                   " 'CREATE UNIQUE%' LIMIT 1").fetchone()
        function = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace LIMIT 1").fetchone()
        assert index and function
        connection.execute(statement.format(  # type: ignore[arg-type]
            index=index[0], function=function[0], database=make_url(first).database))
    spares.give_back(first)
    assert spares.take() != first


def test_who_is_still_connected_is_cut_off(spares: SpareDatabases) -> None:
    address = spares.take()
    left = connect(address)
    left.execute("DELETE FROM installation")  # holds its locks
    spares.give_back(address)
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    assert spares.take() == address and everything(address)["installation"]

"""A statement sent by one call of libpq gives the rows and the errors that a cursor gives."""

import psycopg
import pytest
from sqlalchemy import Boolean, String, bindparam, func, insert, literal, null, select, text, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from core.arrays import in_texts_named
from core.database import Database
from core.hot import Hot
from core.models import Cursor
from core.prepared import Prepared
from tests.conftest import only_postgresql

pytestmark = only_postgresql
WORDS = ['plain', 'with "quotes"', "back\\slash", "ö🛋", "", "comma, {brace}", "100 %", "NULL"]


def test_values_of_every_kind_travel_as_with_a_cursor(database: Database) -> None:
    with database.writing() as session:
        session.connection().execute(insert(Cursor.__table__), [
            {"name": word or "empty", "position": place} for place, word in enumerate(WORDS)])
    kinds = Hot(select(
        Cursor.name, Cursor.position, (Cursor.position > 3).label("late"), null().label("nothing"),
        type_coerce(func.jsonb_build_object("a", Cursor.position), JSONB).label("json"),
        bindparam("word", type_=String()).label("word"), bindparam("truth", type_=Boolean()).label("truth"),
        literal("100 %").label("percent"),
    ).where(in_texts_named(Cursor.name, "names")).order_by(Cursor.position).limit(1))
    with database.by_itself() as connection:
        for word in WORDS:
            for truth in (True, False):
                values = {"names": [word or "empty", "x"], "word": word, "truth": truth}
                assert kinds.answer(connection, values) == kinds.row(connection, values)
                assert kinds.answer(connection, values) is not None
        assert kinds.answer(connection, {"names": [], "word": "", "truth": True}) is None


def test_errors_are_the_drivers_own_and_leave_the_connection_usable(database: Database) -> None:
    divided = Prepared("SELECT 1 / %(by)s::bigint", "test_divided")
    unknown = Prepared("SELECT nothing_of_this_name", "test_unknown")
    with database.by_itself() as connection:
        raw = connection.connection.dbapi_connection
        with pytest.raises(psycopg.errors.DivisionByZero):
            divided.rows(raw, {"by": 0})
        with pytest.raises(psycopg.errors.UndefinedColumn):
            unknown.rows(raw, {})
        assert divided.rows(raw, {"by": 1}) == [(1,)]
        with pytest.raises(TypeError):
            divided.rows(raw, {"by": 1.5})


def test_a_connection_that_broke_is_told_and_replaced(database: Database) -> None:
    who = Prepared("SELECT pg_backend_pid()", "test_who")
    with database.by_itself() as connection:
        raw = connection.connection.dbapi_connection
        [(mine,)] = who.rows(raw, {})
        with database.writing() as session:
            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        with pytest.raises((psycopg.OperationalError, psycopg.errors.AdminShutdown)):
            for _attempt in range(1000):  # until the server has done so
                who.rows(raw, {})
    with database.by_itself() as connection:
        assert who.rows(connection.connection.dbapi_connection, {}) != [(mine,)]

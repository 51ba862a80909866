"""Statements that run often: constants stand in the text, values are bound, and a partial index is found."""

from datetime import datetime

import pytest
from sqlalchemy import bindparam, literal, select

from core.database import Database
from core.hot import Hot
from coupons.models import Reservation
from tests.coupons.factories import make_offer


def test_constants_are_written_and_values_are_bound(database: Database, now: datetime) -> None:
    said = bindparam("said", type_=Reservation.shop.type)
    asked = Hot(select(literal("it's 100 % \\ fine"), literal(7), literal(True), said))
    hostile = "'; DROP TABLE codes; -- %s ?"
    with database.reading() as session:
        row = asked.row(session.connection(), {"said": hostile})
    assert row is not None
    assert (row[0], row[1], bool(row[2]), row[3]) == ("it's 100 % \\ fine", 7, True, hostile)


def test_a_constant_lets_sqlite_keep_its_plan_and_use_a_partial_index(sqlite_database: Database, now: datetime) -> None:
    make_offer(sqlite_database, now=now)
    asked = Hot(select(Reservation.id).where(
        Reservation.shop == bindparam("shop"), Reservation.order_ref == bindparam("order_ref"),
        Reservation.state == "held"))
    with sqlite_database.reading() as session:
        connection = session.connection()
        asked.rows(connection, {"shop": "", "order_ref": "o"})
        text, order, fixed = asked._compiled["sqlite"]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("", "o")).fetchall()
    assert (order, fixed) == (("shop", "order_ref"), {})
    assert "uq_reservations_held" in str(plan)


def test_a_question_mark_in_the_text_is_refused(sqlite_database: Database) -> None:
    asked = Hot(select(literal("x")).prefix_with("/* why? */").where(bindparam("n", type_=Reservation.id.type) == 1))
    with sqlite_database.reading() as session, pytest.raises(ValueError, match="question mark"):
        asked.rows(session.connection(), {"n": 1})

"""Rows that are written together are noted in one line of the list of changes, and none is missed."""

from datetime import datetime

import pytest
from sqlalchemy import delete, insert, select, update

from core.cursors import count_changes, head, noted_at_once, read_changes
from core.database import Database
from core.models import Change, NotedAhead
from customers.models import Customer
from delivery.models import Message
from tests.conftest import only_postgresql


def _people(database: Database, now: datetime) -> None:
    with database.writing() as session:
        session.add(Customer(id=1, external_id="c1", imported_at=now, attributes={}))


def _rows(ids: range | list[int], now: datetime) -> list[dict[str, object]]:
    return [{"id": number, "public_id": f"m{number}", "occasion": f"{number}.mail.1.0", "customer_id": 1, "origin": "-",
             "message_class": "marketing", "values": {}, "state": "queued", "attempt": 0, "cost_cents": 0,
             "queued_at": now, "due_at": now} for number in ids]


def _noted(database: Database) -> list[tuple[int, int | None]]:
    with database.reading() as session:
        rows = session.execute(select(Change.key, Change.last).where(Change.tbl == "messages").order_by(Change.seq))
        return [(key, last) for key, last in rows]


def _read(database: Database, after: int) -> list[int]:
    with database.reading() as session:
        return read_changes(session.connection(), after=after).keys.get("messages", [])


def test_many_new_messages_are_one_line_and_all_of_them_are_read(database: Database, now: datetime) -> None:
    _people(database, now)
    ids = range(11, 511)
    with database.reading() as session:
        before = head(session.connection())
    with database.writing() as session, noted_at_once(session.connection(), "messages", ids):
        session.execute(insert(Message).values(_rows(ids, now)))
    assert _noted(database) == [(11, 510)]
    assert _read(database, before) == list(ids)
    with database.reading() as session:
        for most, counted in ((100, 100), (10_000, 500)):
            assert count_changes(session.connection(), after=before, tables=("messages",), most=most) == counted


def test_a_row_after_the_block_is_noted_by_itself(database: Database, now: datetime) -> None:
    """Also one with a number from the block: deleted and written anew it is another change."""
    _people(database, now)
    with database.writing() as session:
        with noted_at_once(session.connection(), "messages", [1, 2, 3]):
            session.execute(insert(Message).values(_rows([1, 2, 3], now)))
        assert session.scalar(select(NotedAhead.id)) is None
        session.execute(delete(Message).where(Message.id == 2))
    with database.reading() as session:
        before = head(session.connection())
    with database.writing() as session:
        session.execute(insert(Message).values(_rows([2], now)))
    assert _noted(database) == [(1, 3), (2, None), (2, None)]
    assert _read(database, before) == [2]


def test_what_fails_in_the_block_leaves_nothing_noted_ahead(sqlite_database: Database, now: datetime) -> None:
    _people(sqlite_database, now)
    with sqlite_database.writing() as session:
        with pytest.raises(ZeroDivisionError), noted_at_once(session.connection(), "messages", [1, 2]):
            raise ZeroDivisionError
        session.execute(insert(Message).values(_rows([1], now)))
    assert _noted(sqlite_database) == [(1, 2), (1, None)]


def test_numbers_with_a_gap_are_refused(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session, pytest.raises(ValueError, match="rise one by one"), \
            noted_at_once(session.connection(), "messages", [1, 3]):
        raise AssertionError("not reached")


@only_postgresql  # on SQLite a trigger sees one row at a time
def test_a_statement_notes_its_rows_run_by_run(database: Database, now: datetime) -> None:
    _people(database, now)
    with database.writing() as session:
        session.execute(insert(Message).values(_rows([5, 1, 2, 9, 3, 8], now)))
    assert _noted(database) == [(1, 3), (5, None), (8, 9)]
    with database.writing() as session:
        session.execute(update(Message).where(Message.id < 4).values(state="sent"))
        session.execute(update(Message).where(Message.id > 100).values(state="sent"))
        session.execute(delete(Message).where(Message.id >= 5))
    assert _noted(database)[3:] == [(1, 3), (5, None), (8, 9)]

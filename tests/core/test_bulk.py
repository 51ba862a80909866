"""Many rows at once: what is written is read back, whatever the values look like, and keys that are there stay."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, Double, Integer, MetaData, String, Table, select

from core.bulk import bulk_insert, bulk_update, insert_absent
from core.database import Database
from core.types import Json

TABLE = Table(
    "many", MetaData(), Column("id", Integer, primary_key=True), Column("word", String, unique=True),
    Column("cents", BigInteger), Column("share", Double), Column("sure", Boolean), Column("day", Date),
    Column("more", Json))
WORDS = ["plain", "", "NULL", '"quoted"', "back\\slash", "{a,b}", "two\nlines\t", "🛋 ö", "it's", "%s", ":x"]


def _columns(words: list[str]) -> dict[str, list[Any]]:
    count = len(words)
    return {"id": list(range(1, count + 1)), "word": words, "cents": [None, 10**15, -1, *[7] * (count - 3)],
            "share": [0.1, None, 1e300, *[2.5] * (count - 3)], "sure": [True, False, None, *[True] * (count - 3)],
            "day": ["2026-03-02", None, "1999-12-31", *["2026-03-02"] * (count - 3)],
            "more": ['{"a": "\\"b\\\\"}', None, "[]", *["{}"] * (count - 3)]}


def _written(connection: Connection) -> list[Any]:
    return [tuple(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.id))]


@pytest.mark.parametrize("insert", [bulk_insert, insert_absent])
def test_every_value_is_read_back_as_it_was_written(database: Database, insert: Callable[..., int]) -> None:
    with database.writing() as session:
        connection = session.connection()
        TABLE.create(connection)
        assert insert(connection, TABLE, _columns(WORDS)) == len(WORDS)
        first = _written(connection)
        assert [row[1] for row in first] == WORDS
        assert first[0][2:5] == (None, 0.1, True) and first[1][2:] == (10**15, None, False, None, None)
        assert (str(first[2][5]), first[0][6], first[2][6]) == ("1999-12-31", {"a": '"b\\'}, [])
        changed = _columns([f"{word}!" for word in WORDS[::-1]])
        assert bulk_update(connection, TABLE, "id", changed) == len(WORDS)
        assert [row[1] for row in _written(connection)] == [f"{word}!" for word in WORDS[::-1]]
        assert [row[2:] for row in _written(connection)] == [row[2:] for row in first]


def test_a_row_whose_key_is_there_is_left_out_and_not_counted(database: Database) -> None:
    count = 250  # more than one statement takes on SQLite
    with database.writing() as session:
        connection = session.connection()
        TABLE.create(connection)
        assert insert_absent(connection, TABLE, {"id": [7, 300], "word": ["there", "w9"]}) == 2
        assert insert_absent(connection, TABLE, {
            "id": list(range(count)), "word": [f"w{number}" for number in range(count)]}) == count - 2
        rows = {row[0]: row[1] for row in _written(connection)}
        assert (rows[7], rows[300], 9 in rows, len(rows)) == ("there", "w9", False, count)
        assert insert_absent(connection, TABLE, {"id": [], "word": []}) == 0


@pytest.mark.parametrize("insert", [bulk_insert, insert_absent])
@pytest.mark.parametrize("word", ["100 %s", "a\\N\tb\nc\rd", "\\N", ""])
def test_what_all_rows_share_is_written_as_it_is(
    database: Database, insert: Callable[..., int], word: str
) -> None:
    table = Table("shared", MetaData(), Column("id", Integer, primary_key=True), Column("word", String),
                  Column("cents", BigInteger), Column("sure", Boolean))
    for count in (1, 1_001):
        with database.writing() as session:
            connection = session.connection()
            table.drop(connection, checkfirst=True)
            table.create(connection)
            assert insert(connection, table, {
                "id": list(range(count)), "word": [word] * count, "cents": [None] * count, "sure": [True] * count,
            }) == count
            rows = connection.execute(select(table).order_by(table.c.id)).all()
            assert [tuple(row) for row in rows] == [(number, word, None, True) for number in range(count)]


def test_every_length_comes_through_with_what_its_rows_share_and_what_not(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        connection = session.connection()
        TABLE.create(connection)
        for count in (1, 2, 5, 85, 341, 600):
            ids = list(range(count))
            assert bulk_insert(connection, TABLE, {
                "id": ids, "cents": [7] * count, "share": [0.5] * (count - 1) + [1.5], "more": ["{}"] * count}) == count
            assert bulk_update(connection, TABLE, "id", {"cents": [9] * count, "id": ids, "sure": [True] * count}) == (
                count)
            rows = [(row[0], row[2], row[3], row[4]) for row in _written(connection)]
            assert rows == [(place, 9, 1.5 if place == count - 1 else 0.5, True) for place in ids]
            connection.execute(TABLE.delete())

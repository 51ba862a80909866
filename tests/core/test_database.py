"""Transactions: what they return from is committed; reads cannot write; writers take turns."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from core.cursors import advance, head, position, read_changes
from core.database import Database
from core.group_commit import LARGEST_BATCH, Apart, Shared, _Waiting
from core.group_commit import _run as run_batch
from core.leases import LEADER, dead, enlist, led, take
from core.models import Cursor
from customers.models import Customer
from tests.conftest import only_postgresql


def _add(connection: Connection, name: str) -> None:
    connection.execute(insert(Cursor.__table__).values(name=name, position=1))


def _count(database: Database) -> int:
    with database.reading() as session:
        return session.execute(select(func.count()).select_from(Cursor)).scalar_one()


def test_a_write_in_a_reading_transaction_raises(database: Database) -> None:
    with database.reading() as session, pytest.raises(DBAPIError):
        _add(session.connection(), "a")
    assert _count(database) == 0


def test_leaving_a_writing_block_by_an_error_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="stop"), database.writing() as session:
        _add(session.connection(), "a")
        raise ValueError("stop")
    assert _count(database) == 0


def test_a_second_write_transaction_in_one_thread_is_refused(database: Database) -> None:
    with database.writing(), pytest.raises(RuntimeError, match="already open"), database.writing():
        raise AssertionError("not reached")
    with database.writing(), pytest.raises(RuntimeError, match="wait for itself"):
        database.small(lambda connection: None)


def test_small_jobs_are_committed_when_they_answer_and_one_failing_job_takes_no_other_with_it(
    database: Database,
) -> None:
    failures = []

    def worker(number: int) -> None:
        def job(connection: Connection) -> int:
            _add(connection, f"n{number}")
            if number % 5 == 0:
                raise ValueError(str(number))
            return number

        try:
            assert database.small(job) == number
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, failures)) == list(range(0, 40, 5))
    assert _count(database) == 32


def test_jobs_that_wait_for_one_commit_are_done_together_or_alone_and_each_once(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database = sqlite_database

    def together(connection: Connection, items: Sequence[str]) -> list[str | None]:
        """Does those that need not be alone; leaves rows behind before it gives up."""
        for name in items:
            if not name.startswith("alone"):
                _add(connection, name)
        if "apart" in items:
            raise Apart
        if "broken" in items:
            raise ValueError("a mistake of ours")
        return [None if name.startswith("alone") else f"together {name}" for name in items]

    def all_of(*names: str) -> dict[str, str]:
        def alone(connection: Connection, name: str) -> str:
            _add(connection, name)
            return f"alone {name}"

        batch = [_Waiting(partial(alone, name=name), Future(), Shared(together, name)) for name in names]
        batch.append(_Waiting(partial(alone, name=f"other {names[0]}"), Future(), None))
        answers = database.small(lambda connection: list(run_batch(connection, batch)))
        places = [waiting.future for waiting in batch]
        return {("other", *names)[places.index(future) + 1 if future is not places[-1] else 0]: value
                for future, value, _failure in answers}

    assert all_of("a", "alone 1", "b") == {
        "a": "together a", "alone 1": "alone alone 1", "b": "together b", "other": "alone other a"}
    assert all_of("c", "apart") == {"c": "alone c", "apart": "alone apart", "other": "alone other c"}
    assert caplog.records == []
    assert all_of("d", "broken") == {"d": "alone d", "broken": "alone broken", "other": "alone other d"}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert _count(database) == 10


def test_no_commit_is_waited_for_by_more_jobs_than_its_batch_holds(sqlite_database: Database) -> None:
    """Else the first of a long queue would wait for the work of all of it."""
    commits: list[int] = []
    event.listen(sqlite_database.engine, "commit", lambda _connection: commits.append(1))
    jobs = [threading.Thread(target=sqlite_database.small, args=(partial(_add, name=str(number)),))
            for number in range(2 * LARGEST_BATCH)]
    with sqlite_database.writing():
        for job in jobs:
            job.start()
    for job in jobs:
        job.join()
    assert len(commits) >= 3 and _count(sqlite_database) == len(jobs)


def test_writers_wait_for_each_other_and_none_is_lost(database: Database) -> None:
    with database.writing() as session:
        _add(session.connection(), "counter")

    def raise_it() -> None:
        for _ in range(25):
            with database.writing() as session:
                row = session.execute(select(Cursor).where(Cursor.name == "counter").with_for_update()).scalar_one()
                row.position += 1

    threads = [threading.Thread(target=raise_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.execute(select(Cursor.position)).scalar_one() == 101


def test_changes_name_inserted_updated_and_deleted_rows_and_survive_a_late_commit(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        session.add(Customer(id=1, external_id="a", imported_at=now))
    with database.reading() as session:
        first = read_changes(session.connection(), after=0)
    assert first.keys["customers"] == [1]
    with database.writing() as session:
        advance(session.connection(), "test", first.cursor)
    with database.writing() as session:
        session.get_one(Customer, 1).first_name = "Ada"
    with database.reading() as session:
        second = read_changes(session.connection(), after=position(session.connection(), "test"))
        assert second.cursor == head(session.connection())
    assert second.keys["customers"] == [1]
    with database.writing() as session:
        session.delete(session.get_one(Customer, 1))
    with database.reading() as session:
        assert read_changes(session.connection(), after=second.cursor).keys["customers"] == [1]


@only_postgresql  # commits are serial on SQLite
def test_a_commit_that_comes_late_is_not_missed(database: Database, now: datetime) -> None:
    with database.engine.begin() as slow:
        slow.execute(insert(Customer.__table__).values(id=1, external_id="slow", attributes={}, imported_at=now))
        with database.writing() as session:
            session.add(Customer(id=2, external_id="fast", imported_at=now))
        with database.reading() as session:
            seen = read_changes(session.connection(), after=0)
        assert seen.keys["customers"] == [2]
    with database.reading() as session:
        assert 1 in read_changes(session.connection(), after=seen.cursor).keys["customers"]


def test_who_looks_for_the_leader_sees_one_while_it_lives_and_takes_nothing_from_it(database: Database) -> None:
    assert not led(database)
    lease = take(database, LEADER)
    assert lease is not None
    assert led(database) and led(database) and lease.still_held()
    assert take(database, LEADER) is None
    lease.release()
    assert not led(database)
    again = take(database, LEADER)  # having looked leaves nothing behind that could keep the next one out
    assert again is not None and led(database)
    again.release()


def test_a_lease_is_exclusive_and_its_holder_is_alive_until_released(database: Database) -> None:
    lease = take(database, "leader")
    assert lease is not None and lease.still_held()
    assert take(database, "leader") is None
    worker = enlist(database, "one")
    assert dead(database, {worker.number, 12345}) == {12345}
    worker.release()
    assert dead(database, {worker.number}) == {worker.number}
    lease.release()
    again = take(database, "leader")
    assert again is not None
    again.release()


@only_postgresql  # no server ends a connection to a file
def test_a_connection_that_the_server_ended_is_replaced_before_anybody_uses_it(database: Database) -> None:
    with database.engine.connect() as first:
        ended = first.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
                         autocommit=True) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s, 5000)", (ended,))
    assert database.small(lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one()) != ended

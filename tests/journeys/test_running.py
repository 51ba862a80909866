"""The batch runner: who is due is walked once, whatever dies, and a poison person is set aside."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, event, select, text, type_coerce, update
from sqlalchemy.exc import OperationalError

from campaigns.models import Campaign
from core.cursors import read_changes
from core.database import Database
from core.models import Change
from coupons.models import Code
from customers.models import Customer
from delivery.models import Message
from journeys.editing.editing import let_in_again
from journeys.models import Enrolment, Journey, Visit
from journeys.walk import running, walking
from journeys.walk.claiming import CLAIM
from tests.conftest import PROOFS, only_postgresql
from tests.delivery.ledger import KEY, sink
from tests.journeys.shop import (
    GRAPH,
    ONE_MAIL,
    SERVICES,
    codes,
    day,
    enrolments,
    everything,
    furnish,
    go,
    ledger,
    walk,
)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_people_are_split_and_written_to_with_a_code_of_their_arm(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 41), now=now)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now)
    rows = ledger(database)
    assert {row.state for row in rows} == {"queued"} and len(rows) == 40
    assert {row.arm for row in rows} == {"A", "B"}
    held = {code.code: code for code in codes(database)}
    for row in rows:
        assert row.code is not None and held[row.code].customer_id == row.customer_id
        assert row.origin == held[row.code].origin == f"enrolment:{row.enrolment_ref}"
        assert row.campaign == held[row.code].campaign == "spring"
        assert row.occasion == f"{row.enrolment_ref}.{row.step}.2.0"
        assert row.values["code_valid_until"] == "2026-03-15"
        assert row.values["offer"]["text"] in ("10\xa0% off", "€15 off")
    standing = enrolments(database)
    assert {person.step for person in standing.values()} <= {"pause", "pause_b"}
    assert all(person.due_at is None for person in standing.values())


def test_walking_again_at_the_same_instant_changes_nothing(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 21), now=now)
    go(database, GRAPH, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    before = everything(database)
    assert walk(database, tmp_path, now=now) == 0
    day(database, tmp_path, channels, now=now)
    assert everything(database) == before


def test_arms_are_the_same_on_every_database_and_in_every_run(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 13), now=now)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now, chunk=5)
    assert "".join(enrolments(database)[number].arm or "-" for number in range(1, 13)) == "AABBAAAABAAB"


def _killed_at(database: Database, folder: Path, now: datetime, statement: int) -> bool:
    """Walk, and die at the given statement; whether it came to that."""
    count = 0

    def die(*_: object) -> None:
        nonlocal count
        count += 1
        if count >= statement > 0:  # and with it whoever walks beside
            raise Killed

    event.listen(database.engine, "before_cursor_execute", die)
    try:
        walk(database, folder, now=now, chunk=3)
    except Killed:
        return True
    finally:
        event.remove(database.engine, "before_cursor_execute", die)
    return False


@pytest.mark.slow
def test_dying_at_any_statement_and_starting_again_ends_as_if_nothing_had_happened(
    database_url: str, tmp_path: Path, now: datetime, database: Database
) -> None:
    furnish(database, range(1, 6), now=now, ends_in_days=None)
    go(database, GRAPH, now=now)
    statement, deaths = 1, 0
    # Each death is followed by the next start, which dies a little later.
    while _killed_at(database, tmp_path, now, statement):
        deaths += 1
        statement += 2
        assert statement < 2000
    assert deaths > 20
    walk(database, tmp_path, now=now)
    rows = ledger(database)
    assert sorted(row.customer_id for row in rows) == list(range(1, 6))
    assert len(codes(database)) == 5
    with database.reading() as session:
        visits = session.execute(select(Visit.enrolment_id, Visit.number)).all()
    assert len(visits) == len(set(visits)) == 10
    assert {person.state for person in enrolments(database).values()} == {"active"}


@pytest.mark.slow
@pytest.mark.deeper
def test_the_end_state_after_a_death_at_each_statement_equals_an_undisturbed_run(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    """A fresh shop per statement: dies there, starts again, and ends as the undisturbed one."""
    import shutil

    from core.database import open_database

    furnish(sqlite_database, range(1, 6), now=now)
    go(sqlite_database, GRAPH, now=now)
    path = Path(str(sqlite_database.path))
    sqlite_database.dispose()
    for suffix in ("-wal", "-shm"):
        assert not Path(f"{path}{suffix}").exists()
    wanted, statement = None, 0
    while True:
        copy = tmp_path / f"copy{statement}.db"
        shutil.copyfile(path, copy)
        database = open_database(f"sqlite:///{copy}")
        died = _killed_at(database, tmp_path, now, statement)
        walk(database, tmp_path, now=now, chunk=3)
        found = everything(database)
        database.dispose()
        wanted = wanted or found
        assert found == wanted, f"differs after a death at statement {statement}"
        if statement and not died:
            break
        statement += 2 if PROOFS else 9
    assert statement > 20


def test_two_workers_walk_nobody_twice(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 201), now=now)
    go(database, GRAPH, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, tmp_path), secret_key=KEY)
    counts: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        counts.append(running.tick(database, now=now, limit=10_000, services=running.Services("k" * 16, 20)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A worker that sees only rows the other holds goes home early; what is left is walked next time.
    running.tick(database, now=now, limit=10_000, services=running.Services("k" * 16, 20))
    assert len(counts) == 2
    assert sorted(row.customer_id for row in ledger(database)) == list(range(1, 201))
    with database.reading() as session:
        assert len(session.scalars(select(Visit.id)).all()) == 400


@only_postgresql  # writers take turns on SQLite
def test_a_worker_passes_over_people_whom_another_one_holds(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 11), now=now)
    go(database, ONE_MAIL, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, tmp_path), secret_key=KEY)
    with database.engine.connect() as other:
        held = set(other.scalars(select(Enrolment.customer_id).order_by(Enrolment.id).limit(4).with_for_update()))
        assert running.tick(database, now=now, limit=100, services=SERVICES) == 6
        assert {row.customer_id for row in ledger(database)}.isdisjoint(held)
    assert running.tick(database, now=now, limit=100, services=SERVICES) == 4


@only_postgresql  # writers take turns on SQLite
def test_nobody_walks_while_somebody_is_pausing_the_journey(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 5), now=now)
    go(database, ONE_MAIL, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, tmp_path), secret_key=KEY)
    with database.engine.connect() as other:
        other.execute(text(f"ALTER DATABASE {database.engine.url.database} SET lock_timeout = '100ms'"))
        other.commit()
    database.dispose()
    with database.engine.connect() as other:
        other.execute(update(Journey).values(state="paused"))  # not committed yet
        with pytest.raises(OperationalError, match="lock timeout"):
            running.tick(database, now=now, limit=100, services=SERVICES)
    assert not ledger(database)


def test_one_poison_person_is_set_aside_with_the_error_and_can_be_let_in_again(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 21), now=now)
    go(database, ONE_MAIL, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, tmp_path), secret_key=KEY)
    with database.writing() as session:
        session.execute(update(Enrolment).where(Enrolment.customer_id == 7).values(step="gone"))
    assert walk(database, tmp_path, now=now) > 0
    people = enrolments(database)
    assert people[7].state == "failed" and "KeyError" in (people[7].error or "")
    assert sorted(row.customer_id for row in ledger(database)) == [number for number in range(1, 21) if number != 7]
    with database.writing() as session:
        session.execute(update(Enrolment).where(Enrolment.customer_id == 7).values(step="mail"))
        assert let_in_again(session, "winback", now=now) == 1
    walk(database, tmp_path, now=now)
    assert enrolments(database)[7].step == "pause" and enrolments(database)[7].error is None


def test_when_everybody_fails_nobody_is_set_aside_and_the_error_is_raised(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 41), now=now)
    go(database, ONE_MAIL, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, tmp_path), secret_key=KEY)
    with database.writing() as session:
        session.execute(update(Enrolment).values(step="gone"))
    with pytest.raises(KeyError):
        running.tick(database, now=now, limit=1000, services=SERVICES)
    states = [person.state for person in enrolments(database).values()]
    assert states.count("failed") == running.MOST_SET_ASIDE and "active" in states


def test_a_person_passes_several_steps_at_once_but_no_more_than_the_bound(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    steps = {f"s{number}": {"kind": "branch", "if": {"all": []}, "next": {"yes": f"s{number + 1}", "no": "end"}}
             for number in range(30)}
    steps |= {"s30": {"kind": "leave"}, "end": {"kind": "leave"}}
    furnish(sqlite_database, [1], now=now)
    go(sqlite_database, {"entry": {"segment": "lapsed"}, "start": "s0", "steps": steps}, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(sqlite_database, now=now, limit=1000, questions=questions(sqlite_database, tmp_path),
                   secret_key=KEY)
    assert running.tick(sqlite_database, now=now, limit=1, services=SERVICES) == 1
    assert enrolments(sqlite_database)[1].step == "s20"
    walk(sqlite_database, tmp_path, now=now)
    assert enrolments(sqlite_database)[1].state == "finished"


def test_the_mail_tells_the_last_whole_day_where_the_campaign_runs_and_expires_with_its_window(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, [1], now=now, ends_in_days=10)
    go(sqlite_database, ONE_MAIL, now=now)
    walk(sqlite_database, tmp_path, now=now)
    [row] = ledger(sqlite_database)
    assert row.expires_at == now + timedelta(days=10)
    with sqlite_database.reading() as session:
        assert session.scalar(select(Campaign.starts_at)) == now
        assert session.scalar(select(Customer.external_id)) == "c1"
        assert session.scalar(select(Message.values))["campaign"] == {"name": "Spring"}


def test_a_chunk_is_claimed_in_the_order_of_the_index_however_many_are_due_at_one_instant(database: Database) -> None:
    query = CLAIM.where(Enrolment.version_id == 1, type_coerce(Enrolment.due_at, BigInteger) <= 5).limit(10)
    with database.reading() as session:
        connection = session.connection()
        written = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        if not database.is_sqlite:
            for how in ("enable_sort", "enable_incremental_sort", "enable_seqscan", "enable_bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL {how} = off")
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = str(connection.exec_driver_sql(f"{explain} {written}").all())
    assert "ix_enrolments_state_due_at" in plan and "Sort" not in plan and "TEMP B-TREE" not in plan, plan


def test_what_a_chunk_writes_is_noted_in_one_line_per_table(database: Database, tmp_path: Path, now: datetime) -> None:
    _let_in(database, tmp_path, people=30, now=now, graph=GRAPH)
    running.tick(database, now=now, limit=1_000, services=SERVICES)
    with database.reading() as session:
        noted = session.execute(select(Change.tbl, Change.key, Change.last).where(
            Change.tbl.in_(("messages", "codes"))).order_by(Change.tbl)).all()
        changes = read_changes(session.connection(), after=0, tables=("messages", "codes")).keys
        assert changes == {"messages": sorted(session.scalars(select(Message.id))),
                           "codes": sorted(session.scalars(select(Code.id)))}
    assert len(changes["messages"]) == 30 and len(noted) <= 4  # its two mails, each with its codes


def test_public_ids_stand_together_as_they_are_written_and_cannot_be_guessed(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    _let_in(database, tmp_path, people=30, now=now, graph=GRAPH)
    running.tick(database, now=now, limit=1_000, services=SERVICES)
    with database.reading() as session:
        ids = list(session.scalars(select(Message.public_id)))
    assert {each[:8] for each in ids} == {f"{int(now.timestamp()):08x}"}
    assert len({each[8:] for each in ids}) == 30 and {len(each) for each in ids} == {32}
    assert len({each[position] for each in ids for position in range(8, 32)}) == 16


@only_postgresql  # writers take turns on SQLite
def test_two_chunks_walk_side_by_side_and_nobody_twice(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_in(database, tmp_path, people=60, now=now)
    together, walked = threading.Barrier(running.WALKERS), walking.Walk.run

    def run(self: walking.Walk) -> None:
        if len(self.ids) == 10:  # whoever walks a full chunk waits until the other has one too
            together.wait(30)
        walked(self)

    monkeypatch.setattr(walking.Walk, "run", run)
    assert running.tick(database, now=now, limit=40, services=running.Services(KEY, 10)) == 40
    assert not together.broken
    assert len({row.customer_id for row in ledger(database)}) == len(ledger(database)) == 40
    assert running.tick(database, now=now, limit=1_000, services=running.Services(KEY, 10)) == 20
    assert sorted(row.customer_id for row in ledger(database)) == list(range(1, 61))


@only_postgresql
def test_what_goes_wrong_beside_is_told_once_both_have_stopped(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_in(database, tmp_path, people=60, now=now)
    walked = walking.Walk.run

    def run(self: walking.Walk) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OperationalError("COMMIT", {}, Exception("the server is gone"))
        walked(self)

    monkeypatch.setattr(walking.Walk, "run", run)
    with pytest.raises(OperationalError, match="the server is gone"):
        running.tick(database, now=now, limit=1_000, services=running.Services(KEY, 10))
    monkeypatch.undo()
    running.tick(database, now=now, limit=1_000, services=running.Services(KEY, 10))
    assert sorted(row.customer_id for row in ledger(database)) == list(range(1, 61))


def _let_in(
    database: Database, folder: Path, *, people: int, now: datetime, graph: dict[str, Any] = ONE_MAIL
) -> None:
    furnish(database, range(1, people + 1), now=now)
    go(database, graph, now=now)
    from journeys.entry import enrolling
    from tests.journeys.shop import questions

    enrolling.tick(database, now=now, limit=1000, questions=questions(database, folder), secret_key=KEY)

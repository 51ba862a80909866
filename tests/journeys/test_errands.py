"""Going on after a pause, and moving to another version, part by part: killed between two parts the end is the same."""

import shutil
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.database import Database, open_database
from core.errors import Conflict
from customers.models import Customer
from journeys.editing.editing import journey_by_key, pause, resume
from journeys.editing.moving import retire, take_over
from journeys.models import Journey
from journeys.walk import errands, running
from tests.conftest import only_postgresql
from tests.delivery.ledger import sink
from tests.journeys.shop import SERVICES, day, enrolments, everything, furnish, go, path_of, walk
from tests.journeys.test_versions import NEW, OLD

Work = Callable[[Database], None]


def begin_to_go_on(overdue: str, now: datetime) -> Work:
    """What the door does: the journey goes on, of the errand only the first three rows are done at once."""
    def begin(database: Database) -> None:
        with database.writing() as session:
            resume(session, "winback", overdue=overdue, now=now)

    return begin


def begin_to_move(now: datetime) -> Work:
    def begin(database: Database) -> None:
        with database.writing() as session:
            assert take_over(session, "winback", number=1, step="pause", target="other", now=now) == 20

    return begin


def begin_to_retire(now: datetime) -> Work:
    def begin(database: Database) -> None:
        with database.writing() as session:
            assert retire(session, "winback", number=1, now=now) == 20

    return begin


def halted(database: Database, folder: Path, now: datetime, *, paused: bool) -> None:
    """20 people, half of them due during the pause, one message held; a newer version stands beside theirs."""
    furnish(database, range(1, 21), now=now)
    go(database, OLD, now=now)
    day(database, folder, sink(folder)[0], now=now)
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id <= 3).values(timezone="America/New_York"))
    if paused:
        with database.writing() as session:
            pause(session, "winback", now=now + timedelta(days=6))
    else:
        go(database, NEW, now=now + timedelta(days=1))


MANY = 60
"""Parts that nothing here needs: an errand that forgot its place would begin again for ever."""


def work_off(database: Database, *, limit: int) -> int:
    """Do all parts of what is open, as the worker does, but never for ever; returns how many there were."""
    parts = 0
    for journey_id in open_errands(database):
        while parts < MANY and errands._part(database, journey_id, limit=limit):
            parts += 1
    return parts


def open_errands(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Journey.id).where(
            Journey.resuming.is_not(None) | Journey.moving.is_not(None))))


@pytest.mark.parametrize("overdue", ["send", "skip", "shift", "move", "retire"])
def test_a_kill_between_two_parts_goes_on_to_the_same_end(
    sqlite_database: Database, tmp_path: Path, now: datetime, overdue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(sqlite_database, tmp_path, now, paused=overdue not in ("move", "retire"))
    at = now + timedelta(days=12)
    begin = {"move": begin_to_move(at), "retire": begin_to_retire(at)}.get(overdue) or begin_to_go_on(overdue, at)
    sqlite_database.dispose()
    twin_path = tmp_path / "twin.db"
    shutil.copyfile(tmp_path / "winback.db", twin_path)
    twin, ends = open_database(f"sqlite:///{twin_path}"), dict[str, str]()
    begin(twin)
    assert open_errands(twin) == []  # few people: all of it at once
    day(twin, tmp_path / "twin", sink(tmp_path / "twin")[0], now=at)
    ends["whole"] = everything(twin)
    twin.dispose()

    _in_small_parts(monkeypatch)
    begin(sqlite_database)
    assert len(open_errands(sqlite_database)) == (0 if overdue == "send" else 1)
    parts = 0
    while open_errands(sqlite_database):
        assert running.tick(sqlite_database, now=at, limit=100, services=SERVICES) == 0 or overdue == "move"
        # A worker that dies after each part: another one takes it from there.
        assert errands._part(sqlite_database, open_errands(sqlite_database)[0], limit=3)
        parts += 1
        assert parts < MANY
    assert parts > 3 or overdue == "send"
    day(sqlite_database, tmp_path / "own", sink(tmp_path / "own")[0], now=at)
    assert everything(sqlite_database) == ends["whole"]


def _in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("go_on", "bring_over", "see_off"):
        defaults = getattr(errands, name).__kwdefaults__
        monkeypatch.setitem(defaults, "limit", 3)


def test_while_it_goes_on_it_is_neither_paused_again_nor_moved_and_the_worker_ends_it(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(database, tmp_path, now, paused=True)
    at = now + timedelta(days=12)
    _in_small_parts(monkeypatch)
    begin_to_go_on("shift", at)(database)
    before = {person: each.due_at for person, each in enrolments(database).items()}
    with database.writing() as session, pytest.raises(Conflict, match="still going on"):
        pause(session, "winback", now=at)
    assert running.tick(database, now=at + timedelta(days=30), limit=100, services=SERVICES) == 0
    assert MANY > work_off(database, limit=4) > 2 and errands.tick(database, now=at, limit=4) == 0
    after = {person: each.due_at for person, each in enrolments(database).items()}
    assert {after[person] for person in after} != {before[person] for person in before}
    go(database, NEW, now=at)
    with database.writing() as session:
        take_over(session, "winback", number=1, step="pause", target="other", now=at)
        with pytest.raises(Conflict, match="still being moved"):
            take_over(session, "winback", number=1, step="pause", target="other", now=at)
    walk(database, tmp_path, now=at)
    assert open_errands(database) == []
    for person in range(1, 21):
        assert path_of(database, person)[1:3] == [("pause", "moved"), ("other", "queued")]


@only_postgresql
def test_two_workers_do_each_part_once(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(database, tmp_path, now, paused=True)
    due = {person: each.due_at for person, each in enrolments(database).items()}
    _in_small_parts(monkeypatch)
    begin_to_go_on("shift", now + timedelta(days=12))(database)
    workers = [threading.Thread(target=work_off, args=(database,), kwargs={"limit": 2}) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    moved: dict[int, Any] = {person: each.due_at for person, each in enrolments(database).items()}
    assert all(moved[person] == due[person] + timedelta(days=6) for person in due if due[person] is not None)
    with database.reading() as session:
        assert journey_by_key(session, "winback").resuming is None

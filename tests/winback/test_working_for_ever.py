"""A worker that runs for ever: nobody waits for the end of somebody else's work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.errors import Conflict
from core.settings import read_settings
from tests.delivery.ledger import KEY
from tests.journeys.shop import ONE_MAIL, add_order, enrolments, furnish, go, ledger, walk
from winback import worker
from winback.bell import Bell
from winback.context import Context

PATIENCE_SECONDS = 60


@contextmanager
def working(database: Database, folder: Path) -> Iterator[None]:
    """A worker in this process, asked to stop at the end."""
    context = Context(read_settings({
        "WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY,
        "WINBACK_DATABASE_URL": database.engine.url.render_as_string(hide_password=False)}))
    stop, bell = threading.Event(), Bell(context.database, nightly=lambda: None)
    thread = threading.Thread(target=worker.work_for_ever, args=(context,), kwargs={
        "stopping": stop.is_set, "bell": bell})
    bell.start()
    thread.start()
    try:
        yield
    finally:
        stop.set()
        bell.wake()
        thread.join(PATIENCE_SECONDS)
        bell.stop()
        context.database.dispose()
    assert not thread.is_alive()


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("busy", ["duties", "doors"])
def test_who_orders_leaves_while_a_journey_without_end_is_walked_and_while_a_mail_server_does_not_answer(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    furnish(database, (1, 2), now=before)
    go(database, ONE_MAIL, now=before)
    walk(database, tmp_path, now=before)
    answered = threading.Event()

    def endless(_worker: worker.Worker, _now: datetime) -> int:
        return int(not answered.wait(PATIENCE_SECONDS if busy == "doors" else 0.01))

    monkeypatch.setitem(worker.PARTS, busy, endless)
    monkeypatch.setitem(worker.PARTS, "doors", endless if busy == "doors" else lambda _worker, _now: 0)
    try:
        with working(database, tmp_path):
            add_order(database, 1, at=datetime.now(UTC))
            _until(lambda: enrolments(database)[1].state == "exited")
            answered.set()
    finally:
        answered.set()
    assert enrolments(database)[2].state == "active"
    assert {row.customer_id: row.state for row in ledger(database)} == {1: "cancelled", 2: "queued"}


def test_each_round_has_an_instant_of_its_own_and_a_worker_stops_between_two(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instants: list[datetime] = []

    def one_more(_worker: worker.Worker, now: datetime) -> int:
        instants.append(now)
        time.sleep(0.01)
        return 1

    monkeypatch.setitem(worker.PARTS, "duties", one_more)
    with working(sqlite_database, tmp_path):
        _until(lambda: len(instants) > 3)
    assert instants == sorted(set(instants))


def test_a_tick_beside_a_worker_waits_for_each_part_of_its_work(sqlite_database: Database) -> None:
    for part in worker.PARTS:
        with worker.own_turn(sqlite_database, wait_seconds=0, part=part):
            with pytest.raises(Conflict), worker.own_turn(sqlite_database, wait_seconds=0):
                pass
            for other in set(worker.PARTS) - {part}:
                with worker.own_turn(sqlite_database, wait_seconds=0, part=other):
                    pass
    with worker.own_turn(sqlite_database, wait_seconds=0):
        pass

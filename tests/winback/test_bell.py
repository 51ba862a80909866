"""A worker that rests is woken by the bell, and by any fact that changes."""

import time
from collections.abc import Callable

from sqlalchemy import insert, text

from core.database import Database
from customers.models import Customer, Event
from tests.conftest import NOW, only_postgresql
from tests.delivery.ledger import add_people
from winback import bell as bells
from winback.bell import Bell


class _Timed:
    """An ear that says whether it was the bell that woke it."""

    def __init__(self, wait: Callable[[float], None]) -> None:
        self.wait = wait

    def rings_within(self, seconds: float) -> bool:
        """Listen."""
        begun = time.monotonic()
        self.wait(seconds)
        return time.monotonic() - begun < max(seconds, 0.1)


def test_a_change_wakes_the_worker_although_nobody_rings(database: Database) -> None:
    with database.writing() as session:
        add_people(session, (1,), now=NOW)
    bell = Bell(database, nightly=lambda: None)
    looking = bell._threads[1]
    [ear, other] = [_Timed(bell.ear()) for _ in range(2)]
    looking.start()
    try:
        assert ear.rings_within(60), "the first look finds what is there"
        assert other.rings_within(0), "one does not take the other's ring away"
        assert not ear.rings_within(4 * bells.LOOK_SECONDS), "nothing changes, nobody is woken"
        with database.writing() as session:
            person = session.get_one(Customer, 1)
            session.execute(insert(Event).values(
                external_id="e1", customer_id=person.id, name="visited", at=NOW, properties={}, recorded_at=NOW))
        assert ear.rings_within(60)
    finally:
        bell._stop.set()
        looking.join()


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@only_postgresql
def test_a_leader_whose_link_was_cut_rings_no_more_until_it_leads_again(database: Database) -> None:
    bell = Bell(database, nightly=lambda: None)
    standing = bell._threads[0]
    standing.start()
    try:
        _until(lambda: bell._scheduler is not None and bell._scheduler.running)
        first, ringing = bell._lead, bell._scheduler
        with database.engine.connect() as connection:
            cut = connection.execute(text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")).scalars().all()
        assert cut == [True]
        _until(lambda: bell._lead not in (None, first) and bell._scheduler not in (None, ringing))
        assert ringing is not None and not ringing.running
    finally:
        bell._stop.set()
        standing.join()
        bell._step_down()

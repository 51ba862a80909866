"""A worker that rests is woken by the bell, and by any fact that changes."""

from sqlalchemy import insert

from core.database import Database
from customers.models import Customer, Event
from tests.conftest import NOW
from tests.delivery.ledger import add_people
from winback import bell as bells
from winback.bell import Bell


def test_a_change_wakes_the_worker_although_nobody_rings(database: Database) -> None:
    with database.writing() as session:
        add_people(session, (1,), now=NOW)
    bell = Bell(database, nightly=lambda: None)
    looking = bell._threads[1]
    looking.start()
    try:
        assert bell._rung.wait(60), "the first look finds what is there"
        bell._rung.clear()
        assert not bell._rung.wait(4 * bells.LOOK_SECONDS), "nothing changes, nobody is woken"
        with database.writing() as session:
            person = session.get_one(Customer, 1)
            session.execute(insert(Event).values(
                external_id="e1", customer_id=person.id, name="visited", at=NOW, properties={}, recorded_at=NOW))
        assert bell._rung.wait(60)
    finally:
        bell._stop.set()
        looking.join()

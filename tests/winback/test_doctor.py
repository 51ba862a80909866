"""The self-check says what nobody would notice by looking at a page."""

from datetime import datetime, timedelta

from sqlalchemy import update

from core import clock, leases
from core.database import Database
from core.settings import Settings
from journeys.models import Enrolment, Journey
from tests.journeys.shop import ONE_MAIL, furnish, go
from winback.context import Context
from winback.doctor import examine


def test_people_who_are_due_and_no_worker_are_a_fault_and_either_alone_is_none(
    database: Database, settings: Settings, now: datetime
) -> None:
    context = Context(settings)
    context.__dict__["database"] = database
    with database.writing() as session:
        clock.stand_at(session.connection(), now)

    def said() -> tuple[bool, str]:
        [finding] = examine(context, areas=["workers"])
        return finding.fine, finding.text

    assert said() == (True, "no worker runs; nothing waits for one")
    furnish(database, [1, 2, 3], now=now)
    version = go(database, ONE_MAIL, now=now - timedelta(hours=1))
    with database.writing() as session:
        session.add(Enrolment(journey_id=version.journey_id, version_id=version.id, customer_id=1, entry=1,
                              held_out=False, state="active", step="mail", visit=1, due_at=now - timedelta(minutes=20),
                              entered_at=now - timedelta(hours=1), key="", cause=""))
    fine, text = said()
    assert not fine and "wait for one. Start it: winback worker" in text
    worker = leases.take(database, leases.LEADER)
    assert worker is not None and said() == (True, "a worker runs")
    worker.release()
    assert not said()[0]
    with database.writing() as session:
        session.execute(update(Journey).values(state="paused"))
    assert said()[0], "whom a pause holds waits for nobody"

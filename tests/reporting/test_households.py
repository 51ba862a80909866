"""Where households were drawn as one, each counts once, with what anybody of it orders."""

from datetime import datetime, timedelta

from sqlalchemy import update

from core.database import Database
from customers.models import Customer
from journeys.models import Version
from reporting.reports import campaign_report
from tests.reporting.campaigns import Shelf


def homes(database: Database, now: datetime, *, unit: str) -> None:
    """20 people entered, the first of whom lives with the second (who came again later) and with somebody who never
    entered; the latter and the second order."""
    with database.writing() as session:
        shelf = Shelf(session, at=now, holdout=0, split=False)
        session.execute(update(Version).values(graph={**shelf.version.graph, "unit": unit}))
        people = shelf.people(20, "all", channel="email", cost=50)
        outside = Customer(external_id="outside", household="H", imported_at=now)
        session.add(outside)
        session.flush()
        session.execute(update(Customer).where(Customer.id.in_(people[:2])).values(household="H"))
        session.execute(update(Customer).where(Customer.id == people[2]).values(household=""))
        session.execute(update(Customer).where(Customer.id == people[3]).values(household=""))
        shelf.order(people[1], day=3, cents=5_000)
        shelf.order(outside.id, day=4, cents=7_000)
        shelf.order(people[2], day=5, cents=1_000)


def test_a_household_counts_once_with_the_orders_of_all_who_live_there(database: Database, now: datetime) -> None:
    homes(database, now, unit="household")
    with database.reading() as session:
        found = campaign_report(session, "spring", now=now + timedelta(days=40)).to_dict()
    arm = found["arms"][0]
    assert (arm["assigned"], arm["ordered"], arm["revenue_cents"]) == (19, 2, 13_000)


def test_where_people_were_drawn_each_counts_for_themselves(sqlite_database: Database, now: datetime) -> None:
    homes(sqlite_database, now, unit="customer")
    with sqlite_database.reading() as session:
        found = campaign_report(session, "spring", now=now + timedelta(days=40)).to_dict()
    arm = found["arms"][0]
    assert (arm["assigned"], arm["ordered"], arm["revenue_cents"]) == (20, 2, 6_000)

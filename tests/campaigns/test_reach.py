"""Reach: the same policy as at claim, each person once among the unreachable; and the list of categories."""

from datetime import datetime

from campaigns.reach import reach, reached_by
from core.database import Database
from customers.categories import list_categories
from tests.delivery.ledger import KEY, add_people
from tests.journeys.shop import add_order


def test_reach_counts_channels_and_keeps_who_cannot_be_reached(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2], now=now, channels=("email", "letter"), consents=("email",))
        add_people(session, [3], now=now, channels=("email",), consents=())
        add_people(session, [4], now=now, channels=("phone",), consents=("phone",))
    with database.reading() as session:
        connection = session.connection()
        found = reach(connection, [1, 2, 3, 4], now=now, secret_key=KEY)
        assert (found.people, found.reachable, found.unreachable) == (4, 3, (3,))
        assert found.by_channel == {"email": 2, "letter": 2, "phone": 1}
        assert reached_by(connection, [1, 2, 3, 4], channel="letter", now=now, secret_key=KEY) == [1, 2]
        assert reached_by(connection, [1, 2, 3, 4], channel=None, now=now, secret_key=KEY) == [3]
        assert reach(connection, [], now=now, secret_key=KEY).reachable == 0


def test_categories_are_listed_once_each_and_by_name(database: Database, now: datetime) -> None:
    with database.reading() as session:
        assert list_categories(session) == []
    with database.writing() as session:
        add_people(session, [1], now=now)
    for number, category in enumerate(("textiles", "furniture", "", "furniture", "Möbel"), start=1):
        add_order(database, 1, at=now, category=category, number=str(number))
    with database.reading() as session:
        assert list_categories(session) == sorted(["furniture", "textiles", "Möbel"])

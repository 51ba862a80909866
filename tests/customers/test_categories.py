"""The list of categories that forms offer."""

from datetime import datetime

from core.database import Database
from customers.categories import list_categories
from tests.delivery.ledger import add_people
from tests.journeys.shop import add_order


def test_categories_are_listed_once_each_and_by_name(database: Database, now: datetime) -> None:
    with database.reading() as session:
        assert list_categories(session) == []
    with database.writing() as session:
        add_people(session, [1], now=now)
    for number, category in enumerate(("textiles", "furniture", "", "furniture", "Möbel"), start=1):
        add_order(database, 1, at=now, category=category, number=str(number))
    with database.reading() as session:
        assert list_categories(session) == sorted(["furniture", "textiles", "Möbel"])

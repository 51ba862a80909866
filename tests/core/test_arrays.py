"""A list of ids is one bound parameter on both databases."""

from datetime import datetime

from sqlalchemy import select

from core.arrays import in_ids
from core.database import Database
from customers.models import Customer


def test_a_long_list_of_ids_is_one_parameter_and_finds_exactly_those_rows(database: Database, now: datetime) -> None:
    with database.writing() as session:
        session.add_all(Customer(id=number, external_id=str(number), imported_at=now) for number in range(1, 6))
    with database.reading() as session:
        wanted = [2, 4, *range(1000, 60_000)]
        rows = session.execute(select(Customer.id).where(in_ids(Customer.id, wanted)).order_by(Customer.id))
        assert rows.scalars().all() == [2, 4]
        assert session.execute(select(Customer.id).where(in_ids(Customer.id, []))).all() == []
        assert session.execute(select(Customer.id).where(~in_ids(Customer.id, [1, 2]), Customer.id < 5)).all()

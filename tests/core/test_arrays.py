"""A list of ids is one bound parameter on both databases."""

from datetime import UTC, datetime

from sqlalchemy import Select, select

from core.arrays import in_ids, in_texts
from core.database import Database
from customers.models import Customer

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_long_list_of_ids_is_one_parameter_and_finds_exactly_those_rows(database: Database, now: datetime) -> None:
    with database.writing() as session:
        session.add_all(Customer(id=number, external_id=str(number), imported_at=now) for number in range(1, 6))
    with database.reading() as session:
        wanted = [2, 4, *range(1000, 60_000)]
        rows = session.execute(select(Customer.id).where(in_ids(Customer.id, wanted)).order_by(Customer.id))
        assert rows.scalars().all() == [2, 4]
        assert session.execute(select(Customer.id).where(in_ids(Customer.id, []))).all() == []
        assert session.execute(select(Customer.id).where(~in_ids(Customer.id, [1, 2]), Customer.id < 5)).all()


def test_lists_of_any_length_share_one_compiled_statement_and_keep_their_own_values(database: Database) -> None:
    def question(ids: list[int], names: list[str]) -> Select[tuple[int]]:
        return select(Customer.id).where(in_ids(Customer.id, ids), in_texts(Customer.external_id, names))

    short, long = question([1], ["a"]), question([1, 2, 3], ["a", "b"])
    assert short._generate_cache_key() == long._generate_cache_key() is not None
    other = select(Customer.id).where(in_ids(Customer.id, [1]), in_texts(Customer.language, ["a"]))
    assert short._generate_cache_key() != other._generate_cache_key()
    with database.writing() as session:
        session.add_all(Customer(id=n, external_id=name, imported_at=MOMENT) for n, name in enumerate("abc", 1))
    with database.reading() as session:
        assert session.execute(short).scalars().all() == [1]
        assert sorted(session.execute(long).scalars()) == [1, 2]
        assert session.execute(question([2, 3], ["c"])).scalars().all() == [3]

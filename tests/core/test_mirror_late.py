"""Nothing is missed: late commits, bulk updates, deletes and rows that change their owner, on PostgreSQL and SQLite."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Insert, delete, insert, select, text, update
from sqlalchemy.orm import Session

from core.bulk import bulk_insert
from core.cursors import head, prune, read_changes
from core.database import Database
from core.mirror import Mirror, MirrorTable
from core.mirror_rows import KEYS_AT_ONCE
from coupons.models import Code, Offer
from coupons.offers.offers import save_offer
from customers.models import Contact, Customer
from segments.engines.mirrored import open_mirror
from tests.conftest import only_postgresql

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TABLES = (
    MirrorTable(Customer.__table__, ("id", "external_id", "dunning_level"), ("id",)),  # type: ignore[arg-type]
    MirrorTable(Contact.__table__, ("customer_id", "at", "kind"), ("kind", "at")),  # type: ignore[arg-type]
)


@pytest.fixture
def mirror(database: Database, tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "mirror", database, TABLES, memory_limit="100MB", threads=1)
    yield made
    made.close()


def _customers(*ids: int) -> Insert:
    return insert(Customer).values([{"id": number, "external_id": f"C{number}", "imported_at": NOW, "attributes": {},
                                     "dunning_level": 0} for number in ids])


def _seen(mirror: Mirror) -> list[int]:
    with mirror.view().connection as connection:
        return [row[0] for row in connection.execute("SELECT id FROM customers ORDER BY id").fetchall()]


@only_postgresql
def test_a_transaction_that_commits_late_is_not_missed(mirror: Mirror) -> None:
    """The first writer begins first, takes its place in the list of changes first, and commits last."""
    database = mirror.database
    with database.writing() as session:
        session.execute(_customers(1))
    mirror.refresh(now=NOW)
    with database.engine.connect() as late:
        late.execute(_customers(2))
        with database.writing() as session:
            session.execute(_customers(3))
        mirror.refresh(now=NOW + timedelta(seconds=1))
        assert _seen(mirror) == [1, 3]
        with database.writing() as session:
            session.execute(_customers(4))
        mirror.refresh(now=NOW + timedelta(seconds=2))
        late.commit()
    mirror.refresh(now=NOW + timedelta(seconds=3))
    assert _seen(mirror) == [1, 2, 3, 4]


@only_postgresql
def test_writers_that_commit_in_any_order_leave_nothing_out(mirror: Mirror) -> None:
    """Four writers whose transactions overlap, some rolled back, beside a mirror that is refreshed without a pause."""
    database = mirror.database
    mirror.refresh(now=NOW)
    done = threading.Event()

    def write(writer: int) -> None:
        luck = random.Random(writer)
        with database.engine.connect() as connection:
            for number in range(25):
                connection.execute(_customers(writer * 1000 + number))
                time.sleep(luck.random() * 0.02)
                if number % 6 == 5:
                    connection.rollback()
                else:
                    connection.commit()

    def refresh() -> None:
        for second in itertools.count():
            mirror.refresh(now=NOW + timedelta(seconds=second))
            if done.is_set():
                return

    with ThreadPoolExecutor(5) as pool:
        refreshing = pool.submit(refresh)
        try:
            for writing in [pool.submit(write, writer) for writer in range(1, 5)]:
                writing.result()
        finally:
            done.set()
        refreshing.result()
    mirror.refresh(now=NOW + timedelta(hours=1))
    with database.reading() as session:
        assert _seen(mirror) == session.scalars(select(Customer.id).order_by(Customer.id)).all()


def test_a_bulk_update_and_a_bulk_delete_are_followed(mirror: Mirror) -> None:
    count = KEYS_AT_ONCE + 1000
    database = mirror.database
    with database.writing() as session:
        bulk_insert(session.connection(), TABLES[0].table, {
            "id": range(1, count + 1), "external_id": [f"C{n}" for n in range(1, count + 1)],
            "attributes": ["{}"] * count, "imported_at": [0] * count})
    mirror.refresh(now=NOW)
    with database.writing() as session:
        session.execute(update(Customer).values(dunning_level=Customer.id % 7))
        session.execute(delete(Customer).where(Customer.id > count - 500))
    mirror.refresh(now=NOW + timedelta(seconds=1))
    with mirror.view().connection as connection:
        found = connection.execute("SELECT count(*), sum(dunning_level), max(id) FROM customers").fetchone()
    assert found == (count - 500, sum(number % 7 for number in range(1, count - 499)), count - 500)


def test_a_row_that_goes_to_another_owner_is_counted_once(mirror: Mirror) -> None:
    with mirror.database.writing() as session:
        session.execute(_customers(1, 2))
        session.execute(insert(Contact).values(external_id="k", customer_id=1, at=NOW, kind="call", direction="in"))
    mirror.refresh(now=NOW)
    with mirror.database.writing() as session:
        session.execute(update(Contact).values(customer_id=2))
    mirror.refresh(now=NOW + timedelta(seconds=1))
    with mirror.view().connection as connection:
        assert connection.execute("SELECT customer_id FROM contacts").fetchall() == [(2,)]


@only_postgresql
def test_an_emptied_table_is_empty_in_the_mirror(mirror: Mirror) -> None:
    with mirror.database.writing() as session:
        session.execute(_customers(1))
        session.execute(insert(Contact).values(external_id="k", customer_id=1, at=NOW, kind="call", direction="in"))
    mirror.refresh(now=NOW)
    with mirror.database.writing() as session:
        session.execute(text("TRUNCATE contacts"))
    mirror.refresh(now=NOW + timedelta(seconds=1))
    with mirror.view().connection as connection:
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (0,)


def test_a_mirror_that_has_not_read_what_was_pruned_is_built_anew(mirror: Mirror) -> None:
    database = mirror.database
    with database.writing() as session:
        session.execute(_customers(1, 2))
    mirror.refresh(now=NOW)
    with database.writing() as session:
        session.execute(delete(Customer).where(Customer.id == 1))
    with database.writing() as session:
        connection = session.connection()
        prune(connection, before=head(connection))
    mirror.refresh(now=NOW + timedelta(seconds=1))
    assert _seen(mirror) == [2]


def test_codes_are_followed_once_they_are_somebody_s_and_offers_without_being_followed(
    database: Database, tmp_path: Path
) -> None:
    mirror = open_mirror(tmp_path, database, memory_limit="100MB", threads=1)
    with database.writing() as session:
        session.execute(_customers(1, 2))
        offer = save_offer(session, "ten", name="Ten", kind="percent", percent=10, valid_days=14, now=NOW)
        _code(session, offer.id, "POOL", None)
        _code(session, offer.id, "MINE", 1)
    mirror.refresh(now=NOW)
    assert _codes(mirror) == [("MINE", 1, "ten")]
    with database.writing() as session:
        session.execute(update(Code).where(Code.code == "POOL").values(customer_id=2))
        session.execute(update(Offer).values(used=5))
        before = read_changes(session.connection(), after=0, tables=("codes",)).keys["codes"]
        session.execute(update(Code).values(used=1, state="redeemed"))
        other = save_offer(session, "other", name="Other", kind="percent", percent=10, valid_days=14, now=NOW)
        _code(session, other.id, "OTHER", 2)
        assert len(read_changes(session.connection(), after=0, tables=("codes",)).keys["codes"]) == len(before) + 1
    mirror.refresh(now=NOW + timedelta(seconds=1))
    assert _codes(mirror) == [("MINE", 1, "ten"), ("OTHER", 2, "other"), ("POOL", 2, "ten")]
    with database.writing() as session:
        session.execute(delete(Code).where(Code.code == "POOL"))
        session.execute(update(Code).where(Code.code == "MINE").values(customer_id=None))
        session.execute(update(Offer).where(Offer.key == "other").values(key="renamed"))
    mirror.refresh(now=NOW + timedelta(seconds=2), how="sorted")
    assert _codes(mirror) == [("OTHER", 2, "renamed")]
    mirror.close()


def _code(session: Session, offer_id: int, code: str, customer_id: int | None) -> None:
    session.execute(insert(Code).values(code=code, offer_id=offer_id, customer_id=customer_id, origin="test",
                                        campaign=code, state="issued", issued_at=NOW, valid_from=NOW))


def _codes(mirror: Mirror) -> list[tuple[str, int, str]]:
    with mirror.view().connection as connection:
        return connection.execute("SELECT campaign, customer_id, key FROM codes JOIN offers ON offers.id = offer_id"
                                  " ORDER BY campaign").fetchall()

"""Nobody gets a mail without the code it speaks of: who finds the pool empty waits, or gets what the offer falls to."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.database import Database
from coupons.codes.pools import configure_source, generate_pool, import_pool, pools_running_low
from coupons.models import Code
from delivery.models import Message
from journeys.editing.editing import pause
from journeys.models import Enrolment
from tests.journeys.shop import ONE_MAIL, furnish, go, walk


def _told(database: Database) -> list[tuple[int, str | None]]:
    """Who is written to, with which code."""
    with database.reading() as session:
        return [(row[0], row[1]) for row in session.execute(
            select(Message.customer_id, Message.code).where(Message.state == "queued").order_by(Message.customer_id))]


def _source(database: Database, source: str, *, low_stock: int | None, now: datetime) -> None:
    with database.writing() as session:
        configure_source(session, "ten-percent", source=source, low_stock=low_stock, now=now)


def _standing(database: Database) -> list[tuple[str | None, datetime | None]]:
    with database.reading() as session:
        return [(row[0], row[1]) for row in session.execute(
            select(Enrolment.step, Enrolment.due_at).order_by(Enrolment.customer_id))]


def test_who_finds_the_pool_empty_waits_without_a_mail_and_the_owner_is_warned(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 5), now=now)
    generate_pool(database, "ten-percent", 2, name="first", now=now)
    _source(database, "pool", low_stock=1, now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    told = _told(database)
    assert len(told) == 2 and all(code is not None for _customer, code in told)
    with database.reading() as session:
        assert [(offer.key, left) for offer, left in pools_running_low(session)] == [("ten-percent", 0)]
        assert session.scalar(select(func.count(Message.id))) == 2
    look = now + timedelta(minutes=15)
    assert sorted(due for step, due in _standing(database) if step == "mail") == [look, look]
    # Looking again into the empty pool is no use and does no harm.
    walk(database, tmp_path, now=look)
    assert _told(database) == told
    assert sorted(due for step, due in _standing(database) if step == "mail") == [look + timedelta(minutes=15)] * 2


def test_a_code_that_a_shop_made_is_told_as_the_shop_writes_it(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 3), now=now)
    import_pool(sqlite_database, "ten-percent", enumerate(["Candle-0007", "PLAIN8"]), name="from the shop", now=now,
                reject=lambda *_line: None)
    go(sqlite_database, ONE_MAIL, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.reading() as session:
        told = session.execute(select(Message.code, Message.values).order_by(Message.code)).all()
    assert [(code, values.get("code")) for code, values in told] == [
        ("CAND1E0007", "Candle-0007"), ("P1A1N8", "PLAIN8")]


def test_filling_the_pool_wakes_those_who_wait_at_once(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 5), now=now)
    _source(database, "pool", low_stock=None, now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    assert _told(database) == []
    generate_pool(database, "ten-percent", 3, name="late", now=now)
    minute = now + timedelta(minutes=1)
    walk(database, tmp_path, now=minute)
    assert len(_told(database)) == 3
    assert [due for step, due in _standing(database) if step == "mail"] == [minute + timedelta(minutes=15)]
    generate_pool(database, "ten-percent", 3, name="later", now=now)
    walk(database, tmp_path, now=minute)
    told = _told(database)
    assert [customer for customer, _code in told] == [1, 2, 3, 4]
    assert len({code for _customer, code in told}) == 4
    with database.reading() as session:
        assert session.scalar(select(func.count(Code.id)).where(Code.state == "stock")) == 2


def test_another_offers_pool_and_a_paused_journey_wake_nobody(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 3), now=now)
    _source(database, "pool", low_stock=None, now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    before = _standing(database)
    generate_pool(database, "fifteen", 3, name="other", now=now)
    walk(database, tmp_path, now=now)
    assert _standing(database) == before
    with database.writing() as session:
        pause(session, "winback", now=now)
    generate_pool(database, "ten-percent", 3, name="late", now=now)
    walk(database, tmp_path, now=now)
    assert _told(database) == []


@pytest.mark.parametrize("stock", [0, 1])
def test_an_offer_that_falls_back_makes_the_codes_that_its_pool_lacks(
    database: Database, tmp_path: Path, now: datetime, stock: int
) -> None:
    furnish(database, range(1, 4), now=now)
    if stock:
        generate_pool(database, "ten-percent", stock, name="first", now=now)
    _source(database, "pool_first", low_stock=None, now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    assert len({code for _customer, code in _told(database) if code}) == 3
    with database.reading() as session:
        assert session.scalar(select(func.count(Code.id)).where(Code.batch_id.is_not(None))) == stock

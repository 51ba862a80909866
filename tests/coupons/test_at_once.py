"""The short way of redeeming on PostgreSQL: one statement, and nothing of it when anything changed since the look.

`random_bytes` is asked between the look and the statement: what happens meanwhile happens there.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from core.database import Database
from core.errors import Conflict
from coupons.checks.invariants import broken
from coupons.locking import OFFER_LOCKS
from coupons.models import Code, KeptAnswer, LimitUse, Offer, Redemption
from coupons.offers import offers
from coupons.offers.offers import save_offer
from coupons.till.at_once import _at_once, redeem_for
from coupons.till.redeeming import cancel_order, redeem
from coupons.till.requests import Answer
from coupons.till.reserving import deciding, reserve
from tests.conftest import only_postgresql
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use

pytestmark = only_postgresql


def at_once(database: Database, code: str, order: str, *, now: datetime,
            meanwhile: Callable[[], object] = lambda: None) -> Answer | None:
    """The short way alone, with something that happens between its look and its statement."""
    def random_bytes(count: int) -> bytes:
        meanwhile()
        return os.urandom(count)

    with database.by_itself() as connection:
        return _at_once(connection, ask(code, order), "shop", f"key-{order}", now, random_bytes)


def rows(database: Database, table: Any, *without: str) -> list[dict[str, Any]]:
    """Every row of a table but for these columns."""
    with database.reading() as session:
        return [{name: value for name, value in row._mapping.items() if name not in without}
                for row in session.execute(select(table.__table__).order_by(*table.__table__.primary_key))]


def test_both_ways_write_the_same_rows_and_answer_the_same(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, limit_per_customer=3, limit_total=9, budget_cents=900_000, limit_per_day=9)
    short, long = make_codes(database, offer, [1, 2], now=now)
    quick = at_once(database, short.code, "o1", now=now)
    slow = deciding(database, lambda connection: redeem(
        connection, ask(long.code, "o1", customer="c2", shop="other"), client="shop", key="key-o2", now=now), now=now)
    assert quick is not None
    own = ("id", "code", "customer", "shop")
    assert {**quick.body, **dict.fromkeys(own)} == {**slow.body, **dict.fromkeys(own)}
    first, second = rows(database, Redemption, "id", "public_id", "code_id", "code_text", "origin", "customer_id",
                         "redeemer_id", "counted_as", "shop")
    assert first == second
    first, second = rows(database, Code, "id", "code", "origin", "customer_id")
    assert first == second
    assert [row["status"] for row in rows(database, KeptAnswer)] == [201, 201]
    assert sorted((row["who"], row["used"]) for row in rows(database, LimitUse)) == [
        ("", 2), ("id:1", 1), ("id:2", 1)]
    assert [(row["used"], row["spent_cents"]) for row in rows(database, Offer)] == [(2, 11_600)]
    with database.reading() as session:
        assert list(broken(session.connection())) == []


@pytest.mark.parametrize("limit", [{"limit_total": 1}, {"budget_cents": 6_000}, {"limit_per_customer": 1},
                                   {"limit_per_day": 1}, {"limit_per_code": 1}])
def test_when_a_limit_is_met_after_the_look_nothing_is_written(
    database: Database, now: datetime, limit: dict[str, int]
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, **{"limit_per_code": 5, **limit})
    [code] = make_codes(database, offer, [1], now=now)
    found = at_once(database, code.code, "o1", now=now,
                    meanwhile=lambda: use(database, ask(code.code, "other"), now=now))
    assert found is None
    assert [row["order_ref"] for row in rows(database, Redemption)] == ["other"]
    assert len(rows(database, KeptAnswer)) == 1
    with database.reading() as session:
        assert list(broken(session.connection())) == []


def test_an_offer_changed_after_the_look_is_looked_at_again(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=5)
    [code] = make_codes(database, offer, [1], now=now)

    def edit() -> None:
        with database.writing() as session:
            save_offer(session, offer.key, name="Less", kind="percent", percent=10, limit_per_code=5, limit_total=3,
                       now=now)

    assert at_once(database, code.code, "o1", now=now, meanwhile=edit) is None
    assert rows(database, Redemption) == []


@pytest.mark.parametrize("between", ["another code", "a reservation", "a cancellation", "the same request"])
def test_what_happens_to_the_order_after_the_look_is_not_passed_over(
    database: Database, now: datetime, between: str
) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, limit_per_code=5, combines="none")
    mine, other = make_codes(database, offer, [1, 2], now=now)

    def meanwhile() -> None:
        if between == "another code":
            use(database, ask(other.code, "o1"), now=now)
        elif between == "a reservation":
            deciding(database, lambda connection: reserve(connection, ask(other.code, "o1"), ttl_seconds=60, now=now),
                     now=now)
        elif between == "a cancellation":
            database.small(lambda connection: cancel_order(connection, shop="", order_ref="o1", now=now))
        else:
            use(database, ask(mine.code, "o1"), now=now, key="key-o1")

    assert at_once(database, mine.code, "o1", now=now, meanwhile=meanwhile) is None
    assert all(row["code_text"] == other.code or between == "the same request" for row in rows(database, Redemption))


def test_through_the_door_the_answer_is_the_long_ways_when_something_came_between(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, combines="none")
    mine, other = make_codes(database, offer, [1, 2], now=now)
    happened: list[int] = []

    def random_bytes(count: int) -> bytes:
        if not happened:
            happened.append(count)
            use(database, ask(other.code, "o1"), now=now)
        return os.urandom(count)

    answer = redeem_for(database, ask(mine.code, "o1"), client="shop", key="k", now=now, random_bytes=random_bytes)
    assert (answer.status, answer.reason) == (422, "not_applicable")


def test_terms_wait_for_uses_that_read_them(database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = make_offer(database, now=now)
    monkeypatch.setattr(offers, "_LOOKS", 2)
    with database.engine.begin() as using:
        using.execute(text("SELECT pg_advisory_xact_lock_shared(:of, :offer)"), {"of": OFFER_LOCKS, "offer": offer.id})
        with pytest.raises(Conflict), database.writing() as session:
            save_offer(session, offer.key, name="Other", kind="percent", percent=20, now=now)
    with database.writing() as session:
        save_offer(session, offer.key, name="Other", kind="percent", percent=20, now=now)

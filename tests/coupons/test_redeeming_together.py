"""Redemptions that share their statements on SQLite: the same rows as alone, and nothing of those that do not fit."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from core.database import Database
from core.group_commit import Apart
from coupons.checks.invariants import broken
from coupons.models import Code, KeptAnswer, LimitUse, Offer, Redemption
from coupons.till import redeeming_together
from coupons.till.redeeming import cancel_order, redeem
from coupons.till.redeeming_together import Redeeming, redeem_together
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.reserving import deciding, reserve
from customers.models import Product
from tests.coupons.factories import LAMP, SOFA, ask, make_codes, make_customers, make_offer, use
from tests.coupons.test_at_once import rows


def together(database: Database, asked: Sequence[RedemptionRequest], *, now: datetime,
             keys: Sequence[str] = ()) -> list[Answer | None]:
    """What becomes of requests that wait for one commit; their keys are k0, k1.. unless given."""
    waiting = [Redeeming(request, "shop", key, now, os.urandom) for request, key in zip(
        asked, keys or [f"k{number}" for number in range(len(asked))], strict=True)]
    return database.small(lambda connection: redeem_together(connection, waiting))


def whole(database: Database) -> bool:
    with database.reading() as session:
        return list(broken(session.connection())) == []


def test_together_and_alone_the_same_rows_are_written_and_the_same_is_answered(
    sqlite_database: Database, now: datetime
) -> None:
    database = sqlite_database
    make_customers(database, 4, now=now)
    offer = make_offer(database, now=now, limit_per_customer=3, limit_total=9, budget_cents=900_000, limit_per_day=9)
    codes = make_codes(database, offer, [1, 2, 3, 4], now=now)
    quick = together(
        database, [ask(codes[0].code, "o1"), ask(codes[1].code, "ö🛋2", email="c2@example.com")], now=now)
    others = [ask(codes[2].code, "o1", shop="other"), ask(codes[3].code, "ö🛋2", email="c4@example.com", shop="other")]
    slow = [deciding(database, lambda connection, other=other: redeem(  # type: ignore[misc]
        connection, other, client="shop", key=f"key-{other.order.id}", now=now), now=now) for other in others]
    own = ("id", "code", "customer", "shop")
    for short, long in zip(quick, slow, strict=True):
        assert short is not None and short.status == long.status == 201
        assert {**short.body, **dict.fromkeys(own)} == {**long.body, **dict.fromkeys(own)}
    ledger = rows(database, Redemption, "id", "public_id", "code_id", "code_text", "origin", "customer_id",
                  "redeemer_id", "counted_as", "shop")
    assert ledger[:2] == ledger[2:]
    written = rows(database, Code, "id", "code", "origin", "customer_id")
    assert written[:2] == written[2:]
    assert [row["status"] for row in rows(database, KeptAnswer)] == [201] * 4
    assert sorted((row["used"], row["spent_cents"]) for row in rows(database, LimitUse)) == [(1, 5_800)] * 4 + [
        (4, 23_200)]
    assert [(row["used"], row["spent_cents"]) for row in rows(database, Offer)] == [(4, 23_200)]
    assert whole(database)


def test_each_is_decided_by_its_own_goods_and_people(sqlite_database: Database, now: datetime) -> None:
    database = sqlite_database
    make_customers(database, 4, now=now)
    codes = [each.code for each in make_codes(database, make_offer(database, now=now), [1, 2, 3, 4], now=now)]
    with database.writing() as session:
        session.add(Product(sku=LAMP.sku, name="Lamp", non_discountable=True))
    answers = together(database, [
        ask(codes[0], "o1", customer="c2"), ask(codes[1], "o2", email="C3@example.com", lines=(SOFA,)),
        ask(codes[2], "o3", lines=(LAMP, SOFA)), ask(codes[3], "o4", email="new@example.com")], now=now)
    assert [answer.body["discount_cents"] for answer in answers if answer is not None] == [5_000] * 4
    ledger = rows(database, Redemption)
    assert [row["redeemer_id"] for row in ledger] == [2, 3, None, None]
    assert [row["guest"] is None for row in ledger] == [True, True, True, False]


def test_what_is_not_ordinary_is_left_to_the_long_way_and_does_not_hold_up_the_rest(
    sqlite_database: Database, now: datetime
) -> None:
    database = sqlite_database
    make_customers(database, 9, now=now)
    offer = make_offer(database, now=now, combines="none")
    code = [each.code for each in make_codes(database, offer, list(range(1, 10)), now=now)]
    use(database, ask(code[1], "o1"), now=now)
    deciding(database, lambda connection: reserve(connection, ask(code[2], "o2"), ttl_seconds=60, now=now), now=now)
    database.small(lambda connection: cancel_order(connection, shop="", order_ref="o3", now=now))
    odd = [ask(code[1], "o9"), ask(code[1], "o1"), ask(code[2], "o2"), ask(code[3], "o3"), ask(code[4], "o2"),
           ask("NOBODYS", "o10"), ask(code[0], "o0"), ask(code[5], "same-key")]
    first, second = ask(code[0], "o0"), ask(code[7], "o7")
    names = ["k0", "a", "b", "c", "d", "e", "f", "g", "k0", "k7"]
    answers = together(database, [first, *odd, second], now=now, keys=names)
    assert [answer is not None for answer in answers] == [True, *[False] * 8, True]
    assert sorted(row["order_ref"] for row in rows(database, Redemption)) == ["o0", "o1", "o7"]
    assert whole(database)


@pytest.mark.parametrize(("limit", "fit"), [
    ({"limit_per_code": 2}, 2), ({"limit_per_code": 9, "limit_total": 2}, 2),
    ({"limit_per_code": 9, "budget_cents": 12_000}, 2)])
def test_uses_of_one_counter_fit_in_turn_and_those_beyond_it_stay_out(
    sqlite_database: Database, now: datetime, limit: dict[str, int], fit: int
) -> None:
    database = sqlite_database
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, **limit), [1], now=now)
    answers = together(database, [ask(code.code, f"o{number}") for number in range(4)], now=now)
    assert [answer is not None for answer in answers] == [place < fit for place in range(4)]
    assert whole(database)


@pytest.mark.parametrize("limit", [{"limit_per_customer": 1}, {"limit_per_day": 1}, {"budget_per_week_cents": 6_000}])
def test_beyond_a_row_of_customer_or_period_all_go_alone_and_nothing_is_left(
    sqlite_database: Database, now: datetime, limit: dict[str, int]
) -> None:
    database = sqlite_database
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=9, **limit), [1], now=now)
    asked = [ask(code.code, f"o{number}") for number in range(2)]
    with pytest.raises(Apart):
        together(database, asked, now=now)
    assert rows(database, Redemption) == rows(database, KeptAnswer) == []
    assert together(database, asked[:1], now=now)[0] is not None
    with pytest.raises(Apart):
        together(database, asked[1:], now=now, keys=["k1"])
    assert whole(database)


_AFTER_THE_LOOK = {
    "the code was used": "UPDATE codes SET used = 1, state = 'redeemed'",
    "the code is held": "UPDATE codes SET reserved = 1",
    "the code was stopped": "UPDATE codes SET state = 'revoked'",
    "the code has ended": "UPDATE codes SET valid_until = valid_from",
    "the code begins later": "UPDATE codes SET valid_from = 9e15",
    "the customer is at the limit": "INSERT INTO limit_uses VALUES (1, 'id:1', '', 3, 0, 0, 0)",
    "the offer is used up": "UPDATE offers SET used = limit_total",
    "the budget is spent": "UPDATE offers SET spent_cents = budget_cents",
    "the key was claimed": "INSERT INTO kept_answers VALUES ('shop', 'k0', '', 0, '{}', 0)",
}


@pytest.mark.parametrize("happened", _AFTER_THE_LOOK)
def test_each_counter_is_asked_again_where_it_is_written(
    sqlite_database: Database, now: datetime, happened: str
) -> None:
    database = sqlite_database
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_customer=3, limit_total=9, budget_cents=900_000)
    [code] = make_codes(database, offer, [1], now=now)
    waiting = Redeeming(ask(code.code), "shop", "k0", now, os.urandom)

    def job(connection: Connection) -> None:
        [(_place, situation)] = redeeming_together._look(connection, [waiting], [0])
        decided = redeeming_together._decide(connection, waiting, situation)
        assert decided is not None
        connection.execute(text(_AFTER_THE_LOOK[happened]))
        redeeming_together._write(connection, [decided])

    with pytest.raises(Apart):
        database.small(job)
    with database.reading() as session:
        assert session.scalars(select(Redemption.id)).all() == []


def test_an_order_redeemed_meanwhile_is_not_written_twice(sqlite_database: Database, now: datetime) -> None:
    database = sqlite_database
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=5), [1], now=now)
    waiting = Redeeming(ask(code.code), "shop", "k0", now, os.urandom)

    def job(connection: Connection) -> list[Any]:
        [(_place, situation)] = redeeming_together._look(connection, [waiting], [0])
        decided = redeeming_together._decide(connection, waiting, situation)
        assert decided is not None
        redeem(connection, ask(code.code), client="shop", key="other", now=now)
        redeeming_together._write(connection, [decided])
        return []

    with pytest.raises(Apart):
        database.small(job)
    assert rows(database, Redemption) == []

"""An offer for first orders is had once by whoever orders, also when two first orders come at once."""

from datetime import datetime

from core.database import Database
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.coupons.test_redeeming_races import assert_no_drift, outcomes, together


def test_two_first_orders_at_once_do_not_both_get_it(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, first_order_only=True)
    codes = [make_codes(database, offer, [1], now=now, origin=f"r{n}")[0].code for n in range(6)]
    results = together([lambda n=n: use(database, ask(codes[n], f"o{n}"), now=now) for n in range(6)])
    assert outcomes(results) == {"ok 201": 1, "not_applicable": 5}
    assert_no_drift(database)


def test_it_is_the_first_order_of_who_orders_not_of_who_holds_the_code(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, first_order_only=True)
    one, two, three = make_codes(database, offer, [1, 2, 3], now=now)
    assert use(database, ask(one.code, "o1", customer="c3"), now=now).status == 201
    assert use(database, ask(two.code, "o2", customer="c3"), now=now).reason == "not_applicable"
    assert use(database, ask(three.code, "o3"), now=now).reason == "not_applicable"
    [again] = make_codes(database, offer, [1], now=now, origin="again")
    assert use(database, ask(again.code, "o4"), now=now).status == 201
    assert_no_drift(database)

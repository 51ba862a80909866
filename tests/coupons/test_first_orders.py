"""An offer for first orders is had once by whoever orders, also when two first orders come at once."""

from datetime import datetime

from core.database import Database
from coupons.codes.pools import add_public_codes
from coupons.till.redeeming import roll_back
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


def test_two_first_orders_at_once_of_a_guest_whom_nobody_knows_have_one_winner(
    database: Database, now: datetime
) -> None:
    offer = make_offer(database, now=now, first_order_only=True)
    with database.writing() as session:
        codes = add_public_codes(session, offer.key, [(f"WELCOME{n}", None) for n in range(6)], name="Poster",
                                 uses=None, now=now)
    spellings = ["New@Example.com", "new@example.com", " NEW@EXAMPLE.COM"]
    results = together([lambda n=n: use(database, ask(codes[n], f"o{n}", email=spellings[n % 3]), now=now)
                        for n in range(6)])
    assert outcomes(results) == {"ok 201": 1, "not_applicable": 5}
    results = together([lambda n=n: use(database, ask(codes[n], f"p{n}", customer="till-7"), now=now)
                        for n in range(6)])
    assert outcomes(results) == {"ok 201": 1, "not_applicable": 5}
    assert use(database, ask(codes[0], "q", email="other@example.com"), now=now).status == 201
    assert_no_drift(database)


def test_a_guest_who_redeemed_anything_before_has_no_first_order_left_also_when_we_know_them_by_then(
    sqlite_database: Database, now: datetime
) -> None:
    database = sqlite_database
    plain, first = make_offer(database, now=now), make_offer(database, key="first", now=now, first_order_only=True)
    with database.writing() as session:
        [any_order] = add_public_codes(session, plain.key, [("ANYBODY", None)], name="Poster", uses=None, now=now)
        [welcome] = add_public_codes(session, first.key, [("WELCOME", None)], name="Poster", uses=None, now=now)
    taken = use(database, ask(any_order, "o1", email="C1@example.com"), now=now)
    assert taken.status == 201
    assert use(database, ask(any_order, "o2", customer="c2"), now=now).status == 201
    make_customers(database, 3, now=now)
    refused = [ask(welcome, "o3", email="c1@example.com"), ask(welcome, "o4", customer="c1"),
               ask(welcome, "o5", email="c2@example.com"), ask(welcome, "o6", customer="c2")]
    assert [use(database, each, now=now).reason for each in refused] == ["not_applicable"] * 4
    assert use(database, ask(welcome, "o7", customer="c3"), now=now).status == 201
    database.small(lambda connection: roll_back(connection, str(taken.body["id"]), now=now))
    assert use(database, refused[0], now=now).status == 201  # what was taken back is no order

"""Under any interleaving no limit is passed, no answer is given twice, and the counters stay equal to the ledger.

Each race starts many threads at once on real databases. `winners` counts accepted answers; each test fails when the
condition or lock that its name speaks of is taken out (tried by hand on a copy).
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, event, func, select, update

from core.database import Database
from coupons.checks.invariants import drift
from coupons.codes.issuing import revoke, start_validity
from coupons.models import Code, KeptAnswer, LimitUse, Offer, Redemption
from coupons.offers.offers import save_offer
from coupons.till.redeeming import cancel_order, redeem, roll_back
from coupons.till.reserving import deciding
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use

THREADS = 12


def together(jobs: Sequence[Callable[[], object]]) -> list[object]:
    """Start all jobs at the same moment; returns what each returned or raised."""
    start = threading.Barrier(len(jobs))
    results: list[object] = [None] * len(jobs)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = jobs[place]()
        except Exception as error:  # the test judges what may be raised
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def outcomes(results: list[object]) -> Counter[str]:
    """How often each reason (or `ok` with its status) was answered."""
    return Counter(getattr(result, "reason", repr(result)) or f"ok {getattr(result, 'status', '')}"
                   for result in results)


def assert_no_drift(database: Database) -> None:
    """The counters equal the ledger."""
    with database.reading() as session:
        assert drift(session.connection()) == []


def test_one_code_has_one_winner(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    for round_number in range(5):
        [code] = make_codes(database, offer, [1], now=now, origin=f"r{round_number}")
        results = together([lambda n=n, code=code: use(database, ask(code.code, f"o{n}"), now=now)
                            for n in range(THREADS)])
        assert outcomes(results) == {"ok 201": 1, "already_redeemed": THREADS - 1}
    assert_no_drift(database)


def test_a_code_for_five_has_five_winners(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=5), [1], now=now)
    results = together([lambda n=n: use(database, ask(code.code, f"o{n}"), now=now) for n in range(THREADS)])
    assert outcomes(results) == {"ok 201": 5, "limit_reached": THREADS - 5}
    assert_no_drift(database)


def test_one_customer_with_many_codes_passes_no_limit(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_customer=2)
    codes = [make_codes(database, offer, [1], now=now, origin=f"r{n}")[0] for n in range(THREADS)]
    results = together([lambda n=n: use(database, ask(codes[n].code, f"o{n}"), now=now) for n in range(THREADS)])
    assert outcomes(results) == {"ok 201": 2, "limit_reached": THREADS - 2}
    with database.reading() as session:
        assert session.scalar(select(func.sum(Code.used))) == 2
        assert session.scalars(select(LimitUse.used)).all() == [2]
    assert_no_drift(database)


def test_different_codes_of_one_offer_pass_no_total_limit(database: Database, now: datetime) -> None:
    customers = make_customers(database, THREADS, now=now)
    codes = make_codes(database, make_offer(database, now=now, limit_total=4), customers, now=now)
    results = together([lambda n=n: use(database, ask(codes[n].code, f"o{n}"), now=now) for n in range(THREADS)])
    assert outcomes(results) == {"ok 201": 4, "limit_reached": THREADS - 4}
    assert_no_drift(database)


def test_different_codes_of_one_offer_pass_no_budget(database: Database, now: datetime) -> None:
    customers = make_customers(database, THREADS, now=now)
    offer = make_offer(database, now=now, budget_cents=3 * 5800 + 5799, limit_per_customer=1)
    codes = make_codes(database, offer, customers, now=now)
    results = together([lambda n=n: use(database, ask(codes[n].code, f"o{n}"), now=now) for n in range(THREADS)])
    assert outcomes(results) == {"ok 201": 3, "budget_exhausted": THREADS - 3}
    with database.reading() as session:
        assert session.scalars(select(Offer.spent_cents)).all() == [3 * 5800]
    assert_no_drift(database)


def test_twins_under_one_key_wait_and_get_the_one_answer(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=99), [1], now=now)
    results = together([lambda: use(database, ask(code.code), now=now, key="twin") for _ in range(THREADS)])
    assert outcomes(results) == {"ok 201": 1, "ok 200": THREADS - 1}
    assert len({result.body["id"] for result in results}) == 1  # type: ignore[attr-defined]
    assert_no_drift(database)


def test_one_order_under_many_keys_is_one_redemption(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=99, limit_total=99, limit_per_customer=99)
    for round_number in range(5):
        [code] = make_codes(database, offer, [1], now=now, origin=f"r{round_number}")
        results = together([lambda code=code: use(database, ask(code.code), now=now) for _ in range(THREADS)])
        assert outcomes(results) == {"ok 201": 1, "ok 200": THREADS - 1}
        assert len({result.body["id"] for result in results}) == 1  # type: ignore[attr-defined]
    assert_no_drift(database)


def test_rolling_back_from_many_sides_takes_nothing_twice(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, budget_cents=10**6, limit_per_code=3), [1], now=now)
    use(database, ask(code.code, "o0"), now=now)
    public_id = use(database, ask(code.code, "o1"), now=now).body["id"]

    def back(key: str) -> object:
        return database.small(
            lambda connection: roll_back(connection, public_id, amount_cents=1000, key=key, now=now))

    results = together([lambda n=n: back(f"k{n}") for n in range(THREADS)])
    assert sum(isinstance(result, dict) for result in results) == 5
    whole = lambda: database.small(lambda connection: roll_back(connection, public_id, now=now))
    results = together([whole] * THREADS)
    assert all(isinstance(result, dict) and result["rolled_back_cents"] == 5800 for result in results)
    with database.reading() as session:
        assert session.get_one(Code, code.code_id).used == 1
        assert session.scalars(select(Offer.spent_cents)).all() == [5800]
    assert_no_drift(database)


def test_redeeming_rolling_back_cancelling_and_editing_at_once_keep_the_books(
    database: Database, now: datetime
) -> None:
    customers = make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, limit_per_customer=3, limit_total=6, budget_cents=40_000, limit_per_code=2)
    codes = make_codes(database, offer, customers, now=now)

    def shop(number: int) -> object:
        for step in range(8):
            code = codes[(number + step) % 3].code
            answer = use(database, ask(code, f"o{number}-{step}", customer=f"c{number % 3 + 1}"), now=now)
            if answer.status == 201 and step % 2:
                public_id = answer.body["id"]
                amount = None if step % 4 == 1 else 700
                database.small(lambda connection, public_id=public_id, amount=amount: roll_back(
                    connection, public_id, amount_cents=amount, now=now))
            elif step % 3 == 2:
                order = f"o{number}-{step - 2}"
                database.small(
                    lambda connection, order=order: cancel_order(connection, shop="", order_ref=order, now=now))
        return "done"

    def edit() -> object:
        for step in range(6):
            with database.writing() as session:
                save_offer(session, offer.key, name="x", kind="percent", percent=10, limit_per_code=2,
                           limit_per_customer=3 if step % 2 else None, limit_total=99 if step % 3 else None,
                           budget_cents=10**6 if step % 2 else None, now=now)
        return "done"

    assert together([*(lambda n=n: shop(n) for n in range(6)), edit]) == ["done"] * 7
    assert_no_drift(database)


def test_an_order_is_either_cancelled_or_redeemed_never_both(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    for round_number in range(15):
        [code] = make_codes(database, offer, [1], now=now, origin=f"r{round_number}")
        order = f"o{round_number}"
        together([lambda code=code, order=order: use(database, ask(code.code, order), now=now),
                  lambda order=order: database.small(
                      lambda connection: cancel_order(connection, shop="", order_ref=order, now=now))])
    with database.reading() as session:
        assert session.scalars(select(Redemption.order_ref).where(Redemption.state == "redeemed")).all() == []
    assert_no_drift(database)


def test_a_code_is_either_withdrawn_or_redeemed_never_both(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, valid_days=9)
    for round_number in range(15):
        [code] = make_codes(database, offer, [1], now=now, origin=f"r{round_number}")

        def withdraw(code_id: int = code.code_id) -> int:
            with database.writing() as session:
                start_validity(session.connection(), [code_id], counts_from=[now], now=now)
                return revoke(session.connection(), [code_id], reason="exit", now=now)

        redeemed, withdrawn = together([lambda code=code: use(database, ask(code.code), now=now), withdraw])
        assert (getattr(redeemed, "status", None), withdrawn) in ((201, 0), (422, 1))
    assert_no_drift(database)


def test_a_redemption_that_dies_before_its_commit_leaves_nothing(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_total=1, limit_per_customer=1, budget_cents=5800)
    [code] = make_codes(database, offer, [1], now=now)

    def dies(connection: Connection) -> None:
        redeem(connection, ask(code.code), client="shop", key="k", now=now)
        raise KeyError("power cut")

    with pytest.raises(KeyError):
        database.small(dies)
    with database.reading() as session:
        for table in (KeptAnswer, Redemption):
            assert session.scalar(select(func.count()).select_from(table)) == 0
    assert_no_drift(database)
    assert use(database, ask(code.code), now=now, key="k").status == 201


def test_what_changed_between_looking_and_taking_is_looked_at_again(database: Database, now: datetime) -> None:
    """Somebody uses the code after we looked: the condition in the taking statement notices, and we say why."""
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    spoiled: list[bool] = []

    def spoil(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE codes SET") and "used" in statement and not spoiled:
            spoiled.append(True)
            if database.is_sqlite:  # where nobody else can write meanwhile
                connection.execute(update(Code).values(state="revoked", revoked_at=now))
                return
            with database.engine.begin() as other:
                other.execute(update(Code).values(state="revoked", revoked_at=now))

    event.listen(database.engine, "before_cursor_execute", spoil)
    answer = deciding(database, lambda connection: redeem(
        connection, ask(code.code), client="shop", key="k", now=now), now=now)
    assert spoiled == [True]
    assert (answer.status, answer.reason) == (422, "revoked")
    with database.reading() as session:
        assert session.get_one(Code, code.code_id).used == 0


def test_an_offer_is_not_edited_between_looking_and_counting(database: Database, now: datetime) -> None:
    """A limit set while a redemption is under way waits for it, so that the new counter knows of it."""
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now)
    [code] = make_codes(database, offer, [1], now=now)
    looked, editing = threading.Event(), threading.Event()

    def pause(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE codes SET") and not looked.is_set():
            looked.set()
            editing.wait(5)
            threading.Event().wait(0.2)  # long enough for the edit to reach the offer's row

    def edit() -> None:
        looked.wait(5)
        editing.set()
        with database.writing() as session:
            save_offer(session, offer.key, name="x", kind="percent", percent=10, limit_total=5, limit_per_customer=5,
                       now=now)

    event.listen(database.engine, "before_cursor_execute", pause)
    together([lambda: use(database, ask(code.code), now=now), edit])
    with database.reading() as session:
        assert session.scalars(select(Offer.used)).all() == [1]
    assert_no_drift(database)


def test_nobody_uses_a_code_while_its_validity_is_set_anew(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, valid_days=14), [1], now=now)
    answers: list[object] = []
    redeeming = threading.Thread(target=lambda: answers.append(use(database, ask(code.code), now=now)))

    def squeeze_in(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if "codes JOIN offers" in statement and "codes.used = " in statement and not redeeming.ident:
            redeeming.start()
            redeeming.join(0.4)

    event.listen(database.engine, "after_cursor_execute", squeeze_in)
    with database.writing() as session:
        start_validity(session.connection(), [code.code_id], counts_from=[now + timedelta(days=3)], now=now)
        assert answers == []
    redeeming.join()
    assert outcomes(answers) == {"ok 201": 1}
    with database.reading() as session:
        assert session.get_one(Code, code.code_id).valid_until == now + timedelta(days=17)

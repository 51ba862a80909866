"""What a shop tells is stored before it is answered, once, and only when the shop itself said it."""

import io
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError

from core.database import Database
from coupons.checks.invariants import drift
from coupons.models import Code, Redemption
from customers.models import Address, Customer, Order, OrderLine, Product
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.web.shops import SECRET_KEY, connect, iso, order
from web.shops.connections import archive, end_rotation, pause, resume, rotate_secret
from web.shops.inbox import list_deliveries, replay, replay_failed
from web.shops.models import InboxDelivery, ShopConnection


def _states(database: Database) -> list[tuple[str, str | None]]:
    with database.reading() as session:
        return [(row.state, row.note) for row in session.execute(
            select(InboxDelivery.state, InboxDelivery.note).order_by(InboxDelivery.id))]


def _redemption(database: Database) -> Redemption:
    with database.reading() as session:
        return session.scalars(select(Redemption)).one()


def test_an_order_is_stored_first_and_becomes_a_fact_with_its_redemption(
    app: Flask, database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    shop = connect(app, database, now=now)
    answer = shop.tell(order(now, coupons=[{"code": code.lower(), "discount_cents": 5_800}]))
    assert (answer.status_code, answer.json) == (200, {"stored": True})
    assert _states(database) == [("received", None)]
    assert shop.work(now) == 1
    assert _states(database) == [("done", "Order stored, 1 redemption recorded.")]
    with database.reading() as session:
        stored = session.scalars(select(Order)).one()
        assert (stored.shop, stored.external_id, stored.total_cents, stored.customer_id) == ("s1", "o1", 58_000, 1)
        assert stored.coupon_code == code.lower()
        assert session.scalar(select(Code.state)) == "redeemed"
        assert drift(session.connection()) == []
    found = _redemption(database)
    assert (found.discount_cents, found.flags, found.told_by, found.customer_id) == (5_800, "", "order", 1)


def test_a_wrong_signature_is_refused_counted_and_nothing_is_stored(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    assert shop.tell(order(now), secret="whsec_" + "QUJD" * 8).status_code == 401
    assert shop.post(b"{}", {}).status_code == 401
    odd = {"webhook-id": "m", "webhook-timestamp": "1e9", "webhook-signature": "v1,x"}
    assert shop.post(b"{}", odd).status_code == 401
    with database.reading() as session:
        assert session.scalar(select(func.count(InboxDelivery.id))) == 0
        assert session.scalars(select(ShopConnection.refused)).one() == 3


def test_replayed_and_future_timestamps_are_refused(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    wall = int(time.time())
    assert shop.tell(order(now), at=wall - 400).status_code == 401
    assert shop.tell(order(now), at=wall + 400).status_code == 401
    assert shop.tell(order(now), at=wall - 200).status_code == 200
    shopware = connect(app, database, now=now, kind="shopware", shop="s2")
    assert shopware.shopware({}, "checkout.order.placed", at=wall + 400).status_code == 401
    assert shopware.shopware({}, "checkout.order.placed", at=wall - 90_000).status_code == 401
    assert shopware.shopware({}, "checkout.order.placed", at=wall - 4_000).status_code == 200


def test_the_same_delivery_again_is_answered_and_kept_once(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    assert shop.tell(order(now), message_id="m1").json == {"stored": True}
    assert shop.tell(order(now), message_id="m1").json == {"stored": False, "reason": "duplicate"}
    assert len(_states(database)) == 1


def _statements(database: Database, act: Callable[[], object]) -> list[str]:
    """What the database is asked while `act` runs, without opening and ending transactions."""
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA", "SET ")):
            said.append(" ".join(statement.split())[:60])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return said


def test_a_delivery_costs_little_more_than_storing_it(app: Flask, database: Database, now: datetime) -> None:
    """What keeps the answer under 50 ms, counted and not timed: one row, two looks, nothing of what it means."""
    shop = connect(app, database, now=now)
    shop.tell(order(now))
    said = _statements(database, lambda: shop.tell(order(now, id="o2")))
    assert [each for each in said if each.startswith("INSERT")] == [
        each for each in said if each.startswith("INSERT INTO inbox_deliveries")]
    assert len(said) <= 3 and sum(each.startswith("INSERT") for each in said) == 1, said
    big = order(now, id="o3", lines=[{"sku": "A", "quantity": 1, "unit_price_cents": 1}] * 900)
    assert len(_statements(database, lambda: shop.tell(big))) == len(said)
    again = _statements(database, lambda: shop.tell(order(now), message_id="m1") and shop.tell(order(now),
                                                                                               message_id="m1"))
    assert len(again) == 2 * len(said)


def test_nobody_is_answered_before_the_delivery_is_stored(app: Flask, database: Database, now: datetime) -> None:
    """A shop that hears 200 never sends again: when it cannot be stored, it must hear something else."""
    shop = connect(app, database, now=now)
    with database.writing() as session:
        session.execute(text("ALTER TABLE inbox_deliveries RENAME TO away"))
    with pytest.raises(DBAPIError):  # answered with 500 outside of tests
        shop.tell(order(now))
    with database.writing() as session:
        session.execute(text("ALTER TABLE away RENAME TO inbox_deliveries"))
    assert shop.tell(order(now)).status_code == 200
    assert len(_states(database)) == 1


def test_a_body_of_five_megabytes_is_refused(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    assert shop.tell(order(now, note="x" * 5_000_000)).status_code == 413
    assert shop.tell(order(now, note="x" * 1_000_000)).status_code == 200
    large = io.BytesIO(b"x" * 5_000_000)
    answer = app.test_client().post(shop.address, input_stream=large, content_length=5_000_000)
    assert answer.status_code == 413 and large.read(1) == b""  # read away: a sender who cannot stop hears the answer


def test_two_secrets_are_good_while_a_rotation_is_under_way(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    with database.writing() as session:
        fresh = rotate_secret(session, shop.public_id, secret_key=SECRET_KEY, now=now)
    assert shop.tell(order(now)).status_code == 200
    assert shop.tell(order(now), secret=fresh).status_code == 200
    with database.writing() as session:
        end_rotation(session, shop.public_id)
    assert shop.tell(order(now)).status_code == 401
    assert shop.tell(order(now), secret=fresh).status_code == 200


def test_a_paused_shop_is_stored_and_waits_an_archived_one_answers_no_more(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    with database.writing() as session:
        pause(session, shop.public_id, now=now)
    assert shop.tell(order(now)).status_code == 200
    assert shop.work(now) == 0
    with database.writing() as session:
        resume(session, shop.public_id)
    assert shop.work(now) == 1
    with database.writing() as session:
        archive(session, shop.public_id, now=now)
    assert shop.tell(order(now)).status_code == 404
    assert app.test_client().post("/hooks/standard/0123456789abcdef", data=b"{}").status_code == 404
    assert app.test_client().post(shop.address.replace("standard", "shopify"), data=b"{}").status_code == 404


def test_an_older_state_that_arrives_later_changes_nothing(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    shop.tell(order(now, modified_at=iso(now + timedelta(hours=1)), status="shipped"))
    shop.tell(order(now, status="paid"), "order.created")
    shop.work(now)
    assert [state for state, _note in _states(database)] == ["done", "ignored"]
    with database.reading() as session:
        assert session.scalar(select(Order.status)) == "shipped"


def test_a_cancel_before_the_create_stays_a_cancel_and_no_code_is_used(
    app: Flask, database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    shop = connect(app, database, now=now)
    coupons = [{"code": code, "discount_cents": 5_800}]
    shop.tell(order(now, modified_at=iso(now + timedelta(hours=1)), coupons=coupons), "order.cancelled")
    shop.tell(order(now, coupons=coupons), "order.created")
    shop.tell({"id": "o2", "modified_at": iso(now + timedelta(hours=2))}, "order.deleted")
    shop.tell(order(now, id="o2", coupons=coupons), "order.created")
    shop.work(now)
    assert [state for state, _note in _states(database)] == ["done", "ignored", "done", "ignored"]
    with database.reading() as session:
        assert session.scalars(select(Order.cancelled)).all() == [True]
        assert session.scalar(select(Code.state)) == "issued"
        assert session.scalar(select(func.count(Redemption.id))) == 0
    assert use(database, ask(code, "o1", shop="s1"), now=now).reason == "order_cancelled"


def test_of_two_states_of_one_instant_the_one_that_ends_the_order_stands(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    shop.tell(order(now, id="called off"), "order.cancelled")
    shop.tell(order(now, id="called off"), "order.created")
    shop.tell(order(now, id="gone"), "order.deleted")
    shop.tell(order(now, id="gone"), "order.updated")
    early = {"ordered_at": iso(now - timedelta(hours=1)), "modified_at": None}
    shop.tell(order(now, id="no times", **early), "order.cancelled")
    shop.tell(order(now, id="no times", **early), "order.created")
    shop.work(now)
    assert [state for state, _note in _states(database)] == ["done", "ignored"] * 3
    shop.tell(order(now, id="called off", modified_at=iso(now + timedelta(seconds=1))))
    shop.work(now)
    with database.reading() as session:
        assert dict(session.execute(select(Order.external_id, Order.cancelled)).all()) == {
            "called off": False, "no times": True}


def test_a_time_far_ahead_is_flagged_and_shuts_no_later_state_out(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    ahead = iso(now.replace(year=now.year + 50))
    shop.tell(order(now, ordered_at=ahead, modified_at=ahead, status="paid"))
    shop.work(now)
    shop.tell(order(now, modified_at=iso(now + timedelta(hours=1)), status="shipped"))
    shop.work(now + timedelta(hours=1))
    with database.reading() as session:
        stored = session.scalars(select(Order)).one()
        assert (stored.status, stored.ordered_at) == ("shipped", now)
        assert session.scalars(select(InboxDelivery.flags).order_by(InboxDelivery.id)).all() == ["in_future", ""]


def test_a_cancelled_order_gives_the_code_back_and_one_that_stands_again_counts(
    app: Flask, database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    code, other = (each.code for each in make_codes(database, make_offer(database, now=now), [1, 2], now=now))
    shop = connect(app, database, now=now)
    coupons = [{"code": code, "discount_cents": 5_800}]
    shop.tell(order(now, coupons=coupons))
    shop.tell(order(now, coupons=coupons, modified_at=iso(now + timedelta(hours=1)), status="cancelled"))
    shop.work(now)
    with database.reading() as session:
        assert session.scalars(select(Code.state)).all() == ["issued", "issued"]
        assert drift(session.connection()) == []
    assert _redemption(database).state == "rolled_back"
    assert use(database, ask(other, "o1", shop="s1"), now=now).reason == "order_cancelled"
    shop.tell(order(now, modified_at=iso(now + timedelta(hours=2)), status="paid"))
    shop.work(now)
    with database.reading() as session:
        assert session.scalar(select(Order.cancelled)) is False
    assert use(database, ask(other, "o1", shop="s1"), now=now).status == 201


def test_what_the_till_decided_and_the_order_reports_is_one_redemption(
    app: Flask, database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    decided = use(database, ask(code, "o1", shop="s1"), now=now)
    shop = connect(app, database, now=now)
    shop.tell(order(now, coupons=[{"code": code, "discount_cents": 5_800}]))
    shop.work(now)
    found = _redemption(database)
    assert (found.public_id, found.told_by, found.flags) == (decided.body["id"], "api", "")
    shop.tell(order(now, coupons=[{"code": code, "discount_cents": 9_900}]))
    shop.work(now)
    assert (_redemption(database).discount_cents, _redemption(database).flags) == (5_800, "discount_differs")


def test_returns_take_the_discount_back_by_part_and_then_whole(app: Flask, database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    shop = connect(app, database, now=now)
    coupons = [{"code": code, "discount_cents": 5_800}]
    shop.tell(order(now, coupons=coupons))
    shop.work(now)
    returned = order(now, coupons=coupons, modified_at=iso(now + timedelta(days=5)))
    returned["lines"][1]["returned_quantity"] = 1
    shop.tell(returned, "order.refunded")
    shop.tell(returned, "order.refunded")
    shop.work(now)
    found = _redemption(database)
    assert (found.state, found.rolled_back_cents) == ("redeemed", 400)
    with database.reading() as session:
        assert session.scalars(select(OrderLine.returned_quantity_milli).order_by(OrderLine.id)).all() == [None, 1000]
        assert session.scalar(select(Code.state)) == "redeemed"
    for line in returned["lines"]:
        line["returned_quantity"] = line["quantity"]
    shop.tell({**returned, "modified_at": iso(now + timedelta(days=6))}, "order.refunded")
    shop.work(now)
    assert (_redemption(database).state, _redemption(database).rolled_back_cents) == ("rolled_back", 5_800)
    with database.reading() as session:
        assert session.scalar(select(Code.state)) == "issued"
        assert drift(session.connection()) == []


def test_a_refund_larger_than_the_redemption_is_capped_and_flagged(
    app: Flask, database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    shop = connect(app, database, now=now)
    shop.tell(order(now, coupons=[{"code": code, "discount_cents": 5_800}], refunded_cents=900_000))
    shop.work(now)
    found = _redemption(database)
    assert (found.state, found.rolled_back_cents, found.flags) == ("rolled_back", 5_800, "refund_capped")


def test_lying_totals_negative_lines_and_other_currencies_are_flagged_and_the_rest_is_stored(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    shop.tell(order(now, total_cents=100))
    negative = order(now, id="o2", currency="CHF")
    negative["lines"].append({"sku": "X", "quantity": 1, "unit_price_cents": -4_000})
    shop.tell(negative)
    none_left = order(now, id="o3", lines=[{"sku": "X", "quantity": -1, "unit_price_cents": 10}])
    shop.tell(none_left)
    shop.work(now)
    with database.reading() as session:
        rows, _following = list_deliveries(session, flagged=True)
        assert [(row.order_ref, row.flags, row.state) for row in rows] == [
            ("o2", "negative_line other_currency", "done"), ("o1", "totals_differ", "done")]
        assert session.scalars(select(Order.total_cents).order_by(Order.id)).all() == [58_000, 58_000]
        failed = list_deliveries(session, state="failed")[0][0]
        assert failed.note == "lines: The order has no line that could be stored."


def test_what_cannot_be_read_is_set_aside_with_its_error_and_takes_no_other_with_it(
    app: Flask, database: Database, now: datetime
) -> None:
    shop = connect(app, database, now=now)
    shop.tell(order(now, currency="Euros"))
    shop.tell(order(now, id="o2"))
    shop.tell(order(now, id="o3"), "invoice.sent")
    shop.tell(order(now, id="o4", lines=[{"quantity": "NaN", "unit_price_cents": 5}]))
    assert shop.work(now) == 4
    states = _states(database)
    assert [state for state, _note in states] == ["failed", "done", "ignored", "failed"]
    assert states[0][1] and states[0][1].startswith("data.currency: ")
    assert shop.work(now) == 0
    with database.writing() as session:
        assert replay_failed(session, now=now) == 2
    assert shop.work(now) == 2


def test_a_replay_does_the_same_again_and_changes_nothing(app: Flask, database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    shop = connect(app, database, now=now)
    shop.tell(order(now, coupons=[{"code": code, "discount_cents": 5_800}]))
    shop.work(now)
    with database.writing() as session:
        replay(session, 1, now=now)
    shop.work(now)
    assert _states(database) == [("done", "Order stored, 1 redemption known already.")]
    with database.reading() as session:
        assert session.scalar(select(func.count(Redemption.id))) == 1
        assert drift(session.connection()) == []


def test_guests_are_known_by_their_address_and_lines_by_our_catalogue(
    app: Flask, database: Database, now: datetime
) -> None:
    with database.writing() as session:
        known = Customer(external_id="c1", imported_at=now, attributes={})
        session.add(known)
        session.flush()
        session.add(Address(customer_id=known.id, channel="email", value="c1@example.com", lookup="c1@example.com"))
        session.add(Product(sku="LAMP-1", category="lighting", brand="Lumo", unit_cost_cents=1_500))
    shop = connect(app, database, now=now)
    plain = [{"sku": "LAMP-1", "quantity": 1, "unit_price_cents": 4_000}]
    shop.tell(order(now, lines=plain, total_cents=4_000, customer={"email": "C1@Example.com"}))
    shop.tell(order(now, id="o2", customer={"email": "new@example.com", "first_name": "Ada"}))
    shop.tell(order(now, id="o3", customer={"email": "new@example.com"}))
    shop.tell(order(now, id="o4", customer={"email": "not an address", "last_name": "Bo"}))
    shop.tell(order(now, id="o5", customer=None))
    shop.work(now)
    assert {state for state, _note in _states(database)} == {"done"}
    with database.reading() as session:
        owners = session.scalars(select(Order.customer_id).order_by(Order.external_id)).all()
        assert owners[0] == known.id and owners[1] == owners[2] and len(set(owners)) == 4
        assert session.scalar(select(Address.value).where(Address.customer_id == owners[1])) == "new@example.com"
        assert session.scalar(select(Customer.last_name).where(Customer.id == owners[3])) == "Bo"
        first = session.scalars(select(OrderLine).order_by(OrderLine.id)).first()
        assert first is not None
        assert (first.category, first.brand, first.unit_cost_cents) == ("lighting", "Lumo", 1_500)


def test_no_page_of_a_login_is_needed_but_only_posts_are_taken(app: Flask, database: Database, now: datetime) -> None:
    shop = connect(app, database, now=now)
    client: FlaskClient = app.test_client()
    assert client.get(shop.address).status_code == 405
    assert client.post("/hooks/other/x", data=b"{}").status_code == 404

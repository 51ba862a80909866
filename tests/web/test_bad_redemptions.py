"""Whatever a till sends, it gets a 4xx with a reason or what the offer promises; never a 500, never a cent too much."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.clock import wall_now
from core.database import Database
from coupons.checks.invariants import drift
from coupons.models import Redemption
from coupons.till import following
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.web.test_api_redemptions import ORDER, post

Keys = Callable[..., dict[str, str]]
HOSTILE = (
    "'; DROP TABLE codes; --", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "../../etc/passwd",
    "‮kcab", "Z̸̡a̴l̷g̵o̶", "🛋️" * 20, "\u00a0", "%s%n%00", "=cmd|' /C calc'!A0", "\r\nSet-Cookie: a=b", "\x7f\x01",
    "9" * 90, "-9223372036854775809", "1e309", "true", "ﬀ", "İ",
)


@pytest.fixture
def headers(api_key: Keys) -> dict[str, str]:
    """A key with every scope."""
    return api_key("read", "write", "redemptions")


@pytest.fixture
def shop(database: Database) -> Callable[..., list[str]]:
    """Makes an offer with so many codes of one customer."""
    now = wall_now() - timedelta(days=1)
    make_customers(database, 1, now=now)

    def make(count: int = 1, **terms: Any) -> list[str]:
        offer = make_offer(database, now=now, **terms)
        return [make_codes(database, offer, [1], now=now, origin=f"r{turn}")[0].code for turn in range(count)]

    return make


Shop = Callable[..., list[str]]


def whole(database: Database) -> bool:
    with database.reading() as session:
        return drift(session.connection()) == []


def test_hostile_words_are_words(
    client: FlaskClient, headers: dict[str, str], database: Database, shop: Shop
) -> None:
    """In every place of an order at once, and as the code."""
    [code] = shop(limit_per_code=99)
    for turn, text in enumerate(HOSTILE):
        order = {**ORDER, "id": text, "lines": [
            {"sku": text, "category": text, "brand": text, "quantity": 1, "unit_price_cents": 58_000}]}
        body = {"code": code, "order": order, "shop": text,
                "customer": {"email": text} if turn % 2 else {"external_id": "c1"}}
        answer = post(client, headers, body, key=f"key {turn}")
        assert answer.json is not None
        assert (answer.status_code, answer.json["order_id"], answer.json["shop"]) == (201, text, text)
        shown = client.get(f"/api/v1/redemptions/{answer.json['id']}", headers=headers).json
        assert shown == answer.json
        unknown = post(client, headers, {**body, "code": text}, key=f"code {turn}")
        assert unknown.json is not None and (unknown.status_code, unknown.json["reason"]) == (422, "unknown_code")
    assert whole(database)


@pytest.mark.parametrize("address", [
    "/coupons/{}/validate", "/coupons/{}/reservations", "/redemptions/{}/rollback"])
@pytest.mark.parametrize("name", ["%00", "%FF%FE", "a%0Ab", "9" * 5000, "-1", "%F0%9F%9B%8B", "..%2F..%2Fkeys"])
def test_a_name_in_the_address_that_is_none_is_answered(
    client: FlaskClient, headers: dict[str, str], shop: Shop, address: str, name: str
) -> None:
    shop()
    answer = client.post(f"/api/v1{address.format(name)}", headers=headers,
                         json={} if "rollback" in address else {"order": ORDER})
    assert answer.status_code in (200, 400, 404, 422)
    if answer.status_code == 200:
        assert answer.json is not None and answer.json["reason"] == "unknown_code"
    gone = client.delete(f"/api/v1/reservations/{name}", headers=headers)
    assert gone.status_code == 404


@pytest.mark.parametrize("after", ["9" * 30, "-1", "1e5", "٣", "0x1", "%00"])
def test_a_cursor_beyond_64_bits_or_no_number_is_refused(
    client: FlaskClient, headers: dict[str, str], after: str
) -> None:
    for resource in ("codes", "redemptions", "pools"):
        answer = client.get(f"/api/v1/{resource}?after={after}", headers=headers)
        assert answer.json is not None
        assert (answer.status_code, answer.json["reason"]) == (400, "invalid")


@pytest.mark.parametrize(("total", "discount"), [(1, 0), (4, 0), (5, 1), (58_000, 5_800), (10**15, 5_800)])
def test_a_lying_total_never_gives_more_than_lines_and_total_allow(
    client: FlaskClient, headers: dict[str, str], shop: Shop, total: int, discount: int
) -> None:
    [code] = shop()
    answer = post(client, headers, {"code": code, "order": {**ORDER, "total_cents": total}})
    assert answer.json is not None
    if discount:
        assert (answer.status_code, answer.json["discount_cents"]) == (201, discount)
    else:  # nothing to take off: the code is not used up for it
        assert (answer.status_code, answer.json["reason"]) == (422, "not_applicable")


@pytest.mark.parametrize(("terms", "status"), [
    ({"kind": "fixed", "amount_cents": 1_000}, 422), ({"minimum_cents": 1}, 422), ({"budget_cents": 10**6}, 422),
    ({"cap_cents": 100}, 422), ({"budget_per_day_cents": 10**6}, 422), ({}, 201)])
def test_a_currency_that_is_not_the_offers_matters_where_money_does(
    client: FlaskClient, headers: dict[str, str], database: Database, shop: Shop, terms: dict[str, Any], status: int
) -> None:
    [code] = shop(**terms)
    answer = post(client, headers, {"code": code, "order": {**ORDER, "currency": "CHF"}})
    assert answer.json is not None and answer.status_code == status
    assert status == 201 or answer.json["reason"] == "not_applicable"
    assert whole(database)


def test_a_code_in_another_offers_pattern_is_unknown(
    client: FlaskClient, headers: dict[str, str], shop: Shop
) -> None:
    [spring] = shop(key="spring", pattern="MARCH-########")
    shop(key="autumn", pattern="SEPT-########")
    assert spring.startswith("MARCH")
    swapped = spring.replace("MARCH", "SEPT")
    for code in (swapped, spring[:-1], f"{spring}0", spring[::-1]):
        answer = post(client, headers, {"code": code, "order": ORDER}, key=code)
        assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (422, "unknown_code")
    assert post(client, headers, {"code": spring, "order": ORDER}).status_code == 201


def test_more_than_was_given_is_not_taken_back_not_even_in_parts(
    client: FlaskClient, headers: dict[str, str], database: Database, shop: Shop
) -> None:
    [code] = shop(budget_cents=10**6)
    made = post(client, headers, {"code": code, "order": ORDER}).json
    assert made is not None
    address = f"/api/v1/redemptions/{made['id']}/rollback"
    answers = [client.post(address, json={"amount_cents": cents}, headers={**headers, "Idempotency-Key": f"k{turn}"})
               for turn, cents in enumerate((3_000, 2_801, 10**15, 2**63, 0, -1, 2_800, 1))]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 400, 400, 200, 200]
    last = answers[-1].json
    assert last is not None and (last["rolled_back_cents"], last["state"]) == (5_800, "rolled_back")
    assert whole(database)


def test_an_order_that_was_cancelled_before_it_came_redeems_nothing(
    client: FlaskClient, headers: dict[str, str], database: Database, shop: Shop
) -> None:
    [code] = shop()
    told = client.post("/api/v1/orders", headers=headers, json={
        "id": "o1", "customer": "c1", "ordered_at": "2026-03-01T10:00:00Z", "status": "cancelled",
        "currency": "EUR", "lines": [{"sku": "SOFA-1", "quantity": 1, "unit_price_cents": 50_000}]})
    assert told.status_code in (200, 201, 202), told.text
    following.tick(database, now=wall_now(), limit=100)
    answer = post(client, headers, {"code": code, "order": ORDER})
    assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (409, "order_cancelled")


@pytest.mark.sqlite_first
def test_a_hundred_thousand_lines_and_five_megabytes_are_refused_before_anything_is_asked(
    client: FlaskClient, headers: dict[str, str], database: Database, shop: Shop
) -> None:
    [code] = shop()
    many = post(client, headers, {"code": code, "order": {**ORDER, "lines": [{}] * 100_000}})
    assert many.json is not None and many.status_code == 400
    # Of their number alone it speaks: to look at each of them would keep the process busy for seconds.
    assert "Use at most" in many.text and "quantity" not in many.text
    large = post(client, headers, {"code": code, "order": {**ORDER, "id": "x" * 5_000_000}})
    assert large.json is not None and large.status_code in (400, 413)
    with database.reading() as session:
        assert session.scalar(select(func.count(Redemption.id))) == 0


@pytest.mark.parametrize("key", ["k" * 10_000, "\x00", "ключ", "a b", " "])
def test_any_idempotency_key_is_refused_or_names_its_request(
    client: FlaskClient, headers: dict[str, str], shop: Shop, key: str
) -> None:
    [code] = shop()
    sent = {**headers, "Idempotency-Key": key}
    try:
        first = client.post("/api/v1/redemptions", json={"code": code, "order": ORDER}, headers=sent)
    except (ValueError, UnicodeError):
        return  # no such header can be sent
    if first.status_code == 201:
        again = client.post("/api/v1/redemptions", json={"code": code, "order": ORDER}, headers=sent)
        assert (again.status_code, again.json) == (200, first.json)
    else:
        assert first.json is not None and (first.status_code, first.json["place"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize("differs", [False, True])
def test_one_key_from_two_threads_at_once_is_one_request(
    app: Flask, headers: dict[str, str], database: Database, shop: Shop, differs: bool
) -> None:
    codes = shop(4, limit_per_code=9)
    for turn, code in enumerate(codes):
        start = threading.Barrier(2)
        answers: list[tuple[int, str]] = []

        def ask(number: int, turn: int = turn, code: str = code, start: threading.Barrier = start,
                answers: list[tuple[int, str]] = answers) -> None:
            order = {**ORDER, "id": f"o{turn}-{number if differs else 0}"}
            start.wait()
            answer = post(app.test_client(), headers, {"code": code, "order": order}, key=f"twin {turn}")
            answers.append((answer.status_code, (answer.json or {}).get("reason") or (answer.json or {})["order_id"]))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(status for status, _said in answers)
        if differs:
            assert statuses == [201, 422] and "idempotency_mismatch" in {said for _status, said in answers}
        else:
            assert statuses == [200, 201] and len({said for _status, said in answers}) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count(Redemption.id))) == len(codes)
    assert whole(database)


TWICE = {
    "code": ('"code":', '"code": "NOBODYS", "code":'), "id": ('"id":', '"id": "o9", "id":'),
    "sku": ('"sku": "LAMP-1"', '"sku": "LAMP-1", "sku": "LAMP-1"'),
    "external_id": ('"external_id":', '"external_id": "c9", "external_id":'),
}


def test_a_name_that_stands_twice_is_refused_and_named(
    client: FlaskClient, headers: dict[str, str], shop: Shop
) -> None:
    """Programs differ in which of the two they read; one that checks the first must not redeem the last."""
    body = json.dumps({"code": shop()[0], "order": ORDER, "customer": {"external_id": "c1"}})
    for way in ("application/json", "application/json; way=slow"):
        heads = {**headers, "Idempotency-Key": "k1", "Content-Type": way}
        for name, (once, twice) in TWICE.items():
            refused = client.post("/api/v1/redemptions", data=body.replace(once, twice), headers=heads)
            assert (refused.status_code, refused.json["reason"]) == (400, "invalid")  # type: ignore[index]
            assert f"'{name}' stands twice" in refused.json["detail"]  # type: ignore[index]
    assert client.post("/api/v1/redemptions", data=body, headers=heads).status_code == 201

"""Nobody can tell by an answer whether a redemption came in by the express door or through Flask."""

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import ValidationError
from sqlalchemy import text
from werkzeug.test import TestResponse

from core.clock import wall_now
from core.database import Database
from coupons.codes.issuing import Issued
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.web.test_api_redemptions import ORDER, changed
from web.api.coupons import MOST_LINES, RedemptionSchema, request_of
from web.requests.express import _fits, read_plainly

Keys = Callable[..., dict[str, str]]
EXPRESS, SLOW = "application/json", "application/json; way=slow"


@pytest.fixture
def codes(database: Database) -> list[Issued]:
    """Four codes over 10 % for the customers c1..c4, valid for 14 days by the real clock."""
    now = wall_now() - timedelta(days=1)
    customers = make_customers(database, 4, now=now)
    return make_codes(database, make_offer(database, now=now, valid_days=14), customers, now=now)


@pytest.fixture
def send(client: FlaskClient, api_key: Keys) -> Callable[..., TestResponse]:
    """Redeems a code for an order, by the way that the content type leads to."""
    headers = api_key("redemptions")

    def post(way: str, code: str, order: str, key: str, **more: Any) -> TestResponse:
        body = json.dumps({"code": code, "order": {**ORDER, "id": order}, **more})
        return client.post("/api/v1/redemptions", data=body, content_type=way,
                           headers={**headers, "Idempotency-Key": key})

    return post


def _shown(answer: TestResponse) -> tuple[Any, ...]:
    """Status, headers and body without what differs from use to use."""
    body = {**json.loads(answer.data), **dict.fromkeys(("id", "code", "customer", "order_id", "redeemed_at"))}
    heads = sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in ("content-length",))
    return answer.status, heads, body


def test_both_ways_answer_alike(send: Callable[..., TestResponse], codes: list[Issued]) -> None:
    for customer in (None, {"external_id": "c1"}, {"email": "ö@example.com"}):
        quick, slow = codes.pop().code, codes[0].code
        pairs = [
            [send(way, code, f"o-{way}-{code}", f"{way}-{code}", customer=customer, shop="shöp")
             for way, code in ((EXPRESS, quick), (SLOW, slow))],
            [send(way, code, f"o-{way}-{code}", f"{way}-{code}", customer=customer, shop="shöp")
             for way, code in ((EXPRESS, quick), (SLOW, slow))],
            [send(way, "NOBODYS", "x", f"u-{way}-{quick}") for way in (EXPRESS, SLOW)],
            [send(way, code, "another", f"a-{way}-{code}") for way, code in ((EXPRESS, quick), (SLOW, slow))],
            [send(way, code, "another", f"{way}-{code}") for way, code in ((EXPRESS, quick), (SLOW, slow))],
        ]
        codes.pop(0)
        for one, two in pairs:
            assert _shown(one) == _shown(two)
        assert [one.status_code for one, _two in pairs] == [201, 200, 422, 409, 422]
        assert pairs[0][0].data.endswith(b"}\n") and b": " not in pairs[0][0].data
        if len(codes) < 2:
            break


def test_an_error_on_the_express_way_is_worded_by_the_application(
    send: Callable[..., TestResponse], codes: list[Issued], database: Database, app: Flask
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with database.writing() as session:
        session.execute(text("ALTER TABLE kept_answers RENAME TO put_away"))
    try:
        for way in (EXPRESS, SLOW):
            answer = send(way, codes[0].code, "o1", way)
            assert (answer.status_code, answer.json and answer.json["reason"]) == (500, "broken")
    finally:
        with database.writing() as session:
            session.execute(text("ALTER TABLE put_away RENAME TO kept_answers"))


def test_a_key_without_the_scope_or_unknown_redeems_nothing(
    client: FlaskClient, api_key: Keys, codes: list[Issued], database: Database
) -> None:
    body = {"code": codes[0].code, "order": ORDER}
    unknown = {"Authorization": f"Bearer wb_000000000000_{'x' * 43}"}
    for headers, status in ((api_key("read", "write"), 403), (unknown, 401)):
        for name in ("k1", "k2"):
            answer = client.post("/api/v1/redemptions", json=body, headers={**headers, "Idempotency-Key": name})
            assert answer.status_code == status
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM redemptions")).scalar_one() == 0


_PLAIN = {"PATH_INFO": "/api/v1/redemptions", "REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json",
          "CONTENT_LENGTH": "700", "HTTP_IDEMPOTENCY_KEY": "k1", "HTTP_AUTHORIZATION": "Bearer wb_x_y"}
_UNLIKE = [
    ("PATH_INFO", "/api/v1/redemptions/"), ("PATH_INFO", "/api/v1/coupons/X/validate"), ("REQUEST_METHOD", "PUT"),
    ("CONTENT_TYPE", None), ("CONTENT_TYPE", "text/plain"), ("CONTENT_TYPE", SLOW), ("CONTENT_LENGTH", None),
    ("CONTENT_LENGTH", ""), ("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "-1"), ("CONTENT_LENGTH", "1e2"),
    ("CONTENT_LENGTH", "\u00b2"), ("CONTENT_LENGTH", str(256 * 1024 + 1)), ("HTTP_TRANSFER_ENCODING", "chunked"),
    ("HTTP_IDEMPOTENCY_KEY", None), ("HTTP_IDEMPOTENCY_KEY", ""), ("HTTP_IDEMPOTENCY_KEY", "k" * 256),
    ("HTTP_IDEMPOTENCY_KEY", "\u00e9"), ("HTTP_IDEMPOTENCY_KEY", "a\x07b"), ("HTTP_IDEMPOTENCY_KEY", " k"),
    ("HTTP_IDEMPOTENCY_KEY", "k "), ("HTTP_AUTHORIZATION", None), ("HTTP_AUTHORIZATION", "Basic wb_x_y")]


def test_headers_that_are_not_plainly_a_redemptions_are_left_to_the_application() -> None:
    assert _fits(dict(_PLAIN)) and _fits({**_PLAIN, "CONTENT_TYPE": "Application/JSON; charset=utf-8"})
    assert _fits({**_PLAIN, "HTTP_IDEMPOTENCY_KEY": "k" * 255, "CONTENT_LENGTH": str(256 * 1024)})
    for name, value in _UNLIKE:
        odd = {each: text for each, text in {**_PLAIN, name: value}.items() if text is not None}
        assert not _fits(odd), (name, value)


def _by_schema(raw: bytes) -> Any:
    try:
        return request_of(RedemptionSchema().load(json.loads(raw)))
    except (ValueError, ValidationError, AttributeError):
        return None


_ODD: list[Any] = [
    None, "", " ", "x", "EUR", "eur", 0, 1, -1, 10**15, 10**15 + 1, 10**9, 10**9 + 1, 1.0, 0.125, 2.5, 0.0005, -0.0,
    1e30, float("nan"), float("inf"), True, False, [], {}, [1], "x" * 101, "x" * 201, "x" * 321, "\x00", "\ud800",
    "🛋", {"email": "a@b.c"}, {"external_id": ""}, {"email": "a", "external_id": "b"}, {"phone": "1"}, {"email": None}]
_PATHS = ["code", "shop", "order", "customer", "reservation", "other", "order.id", "order.total_cents",
          "order.currency", "order.lines", "order.shipping_cents", "order.more", "order.lines.0", "order.lines.0.sku",
          "order.lines.0.category", "order.lines.0.brand", "order.lines.0.quantity", "order.lines.0.unit_price_cents",
          "order.lines.0.sale", "order.lines.0.non_discountable", "order.lines.0.more"]


def test_what_the_express_door_reads_the_schema_reads_alike() -> None:
    bodies = [changed(path, value) for path, value in product(_PATHS, _ODD)]
    bodies += [_without(path) for path in _PATHS if not path.endswith(("other", "more"))]
    bodies += [changed("customer", each) for each in (
        {"external_id": "c1", "phone": "1"}, {"external_id": 5}, {"email": 5}, {"email": ["a@b.c"]},
        {"external_id": None})]
    bodies.append(changed("order.lines", ORDER["lines"][:1] * (MOST_LINES + 1)))
    read = 0
    for body in bodies:
        raw = json.dumps(body).encode()
        plainly = read_plainly(raw)
        assert plainly is None or plainly == _by_schema(raw), raw[:400]
        read += plainly is not None
    assert read > 50


def _without(path: str) -> dict[str, Any]:
    body = changed(path, None)
    node: Any = body
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        node = node[part]
    del node[last]
    return body


def test_the_express_door_reads_what_shops_send() -> None:
    lines = [{"sku": "S", "category": None, "quantity": 2.5, "unit_price_cents": 1, "sale": True},
             {"sku": "T", "category": "", "brand": None, "quantity": 1, "unit_price_cents": 0}]
    for more in ({}, {"shop": None}, {"customer": {"email": "ö@x"}}, {"customer": {"external_id": "7"}},
                 {"reservation": "v_1"}):
        raw = json.dumps({"code": " ab-c", "order": {**ORDER, "lines": lines, "shipping_cents": 495}, **more}).encode()
        plainly = read_plainly(raw)
        assert plainly is not None and plainly == _by_schema(raw)
    for broken in (b"", b"[]", b"{", b'{"code": NaN}', b"\xff", b"[" * 5000):
        assert read_plainly(broken) is None

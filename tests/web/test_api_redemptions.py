"""Redeeming, asking, rolling back and looking up over HTTP, on both databases."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from core.clock import wall_now
from core.database import Database
from coupons.checks.invariants import drift
from coupons.codes.issuing import Issued
from coupons.models import Guess, Redemption, Refusal
from coupons.refusals import refusal_words
from tests.coupons.factories import make_codes, make_customers, make_offer
from web.security.guessing import UNKNOWN_PER_MINUTE

Keys = Callable[..., dict[str, str]]
ORDER: dict[str, Any] = {
    "id": "o1", "total_cents": 58_000, "currency": "EUR",
    "lines": [{"sku": "SOFA-1", "category": "furniture", "quantity": 1, "unit_price_cents": 50_000},
              {"sku": "LAMP-1", "category": "lighting", "brand": "Lux", "quantity": 2.0, "unit_price_cents": 4_000}]}


@pytest.fixture
def codes(database: Database) -> list[Issued]:
    """Three codes over 10 % for the customers c1, c2, c3, valid from yesterday for 14 days by the real clock."""
    now = wall_now() - timedelta(days=1)
    customers = make_customers(database, 3, now=now)
    return make_codes(database, make_offer(database, now=now, valid_days=14), customers, now=now)


@pytest.fixture
def headers(api_key: Keys) -> dict[str, str]:
    """A key with every scope."""
    return api_key("read", "write", "redemptions")


def post(client: FlaskClient, headers: dict[str, str], body: Any, key: str = "k1") -> TestResponse:
    """Redeem under an idempotency key."""
    return client.post("/api/v1/redemptions", json=body, headers={**headers, "Idempotency-Key": key})


def changed(path: str, value: Any) -> dict[str, Any]:
    """A valid body but for one value; the path is dotted, numbers are places in lists."""
    body: Any = {"code": "ABC", "order": json.loads(json.dumps(ORDER)), "customer": {"external_id": "c1"}}
    node: Any = body
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        node = node[part]
    node[last] = value
    found: dict[str, Any] = body
    return found


def test_a_code_is_redeemed_once_and_the_answer_repeats(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    body = {"code": codes[0].code, "order": ORDER}
    first = post(client, headers, body)
    again = post(client, headers, body)
    same_order = post(client, headers, body, key="k2")
    assert (first.status_code, again.status_code, same_order.status_code) == (201, 200, 200)
    assert first.json is not None
    assert first.json == again.json == same_order.json
    promised = {"id", "code", "order_id", "discount_cents", "currency", "customer", "redeemed_at", "state"}
    assert promised <= set(first.json)
    assert (first.json["discount_cents"], first.json["customer"], first.json["state"]) == (5800, "c1", "redeemed")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Redemption)) == 1
        assert drift(session.connection()) == []


def test_refusals_are_problems_with_a_reason_and_keep_their_status(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    post(client, headers, {"code": codes[0].code, "order": ORDER})
    taken = {"code": codes[0].code, "order": {**ORDER, "id": "o2"}}
    for _ in range(2):
        answer = post(client, headers, taken, key="k2")
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
        assert answer.json is not None and answer.json["reason"] == "already_redeemed"
    mismatch = post(client, headers, {**taken, "shop": "x"}, key="k2")
    assert mismatch.json is not None
    assert (mismatch.status_code, mismatch.json["reason"]) == (422, "idempotency_mismatch")
    unknown = post(client, headers, {"code": "NOSUCH", "order": ORDER}, key="k3")
    assert unknown.json is not None and (unknown.status_code, unknown.json["reason"]) == (422, "unknown_code")
    with database.reading() as session:
        assert list(session.scalars(select(Refusal.reason))) == ["already_redeemed", "unknown_code"]


def test_asking_changes_nothing_and_tells_what_redeeming_would_say(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued]
) -> None:
    for body in ({"order": ORDER}, {"code": codes[0].code.lower(), "order": ORDER}):
        answer = client.post(f"/api/v1/coupons/{codes[0].code}/validate", json=body, headers=headers)
        assert answer.status_code == 200
        assert answer.json == {"valid": True, "reason": None, "discount_cents": 5800,
                               "line_discounts_cents": [5000, 800]}
    unknown = client.post("/api/v1/coupons/NOSUCH/validate", json={"order": ORDER},
                          headers={**headers, "Accept-Language": "de"})
    assert unknown.json is not None and unknown.json["reason"] == "unknown_code"
    assert unknown.json["detail"] == refusal_words("unknown_code", "de")
    other = client.post("/api/v1/coupons/NOSUCH/validate", json={"code": "OTHER", "order": ORDER}, headers=headers)
    assert other.status_code == 400


def test_a_rollback_can_be_repeated_and_frees_the_code(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued]
) -> None:
    made = post(client, headers, {"code": codes[0].code, "order": ORDER}).json
    assert made is not None
    address = f"/api/v1/redemptions/{made['id']}/rollback"
    part = client.post(address, json={"amount_cents": 800}, headers=headers)
    assert part.json is not None and (part.status_code, part.json["rolled_back_cents"]) == (200, 800)
    too_much = client.post(address, json={"amount_cents": 5001}, headers=headers)
    assert too_much.json is not None and (too_much.status_code, too_much.json["place"]) == (400, "amount_cents")
    first = client.post(address, headers=headers)
    again = client.post(address, json={}, headers=headers)
    assert first.json is not None and first.json["state"] == "rolled_back"
    assert (again.status_code, again.json) == (200, first.json)
    assert client.get(f"/api/v1/codes/{codes[0].code}", headers=headers).json["state"] == "issued"  # type: ignore[index]
    assert client.get(f"/api/v1/redemptions/{made['id']}", headers=headers).json == first.json
    assert post(client, headers, {"code": codes[0].code, "order": {**ORDER, "id": "o2"}}, key="k9").status_code == 201
    assert client.post("/api/v1/redemptions/r_none/rollback", headers=headers).status_code == 404


def test_lists_are_walked_by_cursor_and_filtered_expired_included(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    past = wall_now() - timedelta(days=30)
    [old] = make_codes(database, make_offer(database, now=past, key="old", valid_days=7), [1], now=past)
    post(client, headers, {"code": codes[0].code, "order": ORDER})

    def walk(query: str) -> list[str]:
        found, after = [], ""
        while True:
            page = client.get(f"/api/v1/codes?limit=1&{query}{after}", headers=headers).json
            assert page is not None
            found += [item["code"] for item in page["items"]]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    assert set(walk("state=issued")) == {codes[1].code, codes[2].code}
    assert walk("state=expired") == [old.code]
    assert walk("state=redeemed") == [codes[0].code]
    assert walk("customer=c2") == [codes[1].code]
    assert walk("campaign=none") == []
    assert len(walk("campaign=spring&offer=ten-percent")) == 3
    listed = client.get("/api/v1/redemptions?campaign=spring&customer=c1", headers=headers).json
    assert listed is not None and [item["code"] for item in listed["items"]] == [codes[0].code]
    shown = client.get(f"/api/v1/codes/{codes[0].code.lower()}", headers=headers).json
    assert shown is not None
    assert {"code", "state", "offer", "campaign", "customer", "currency", "valid_from", "valid_until"} <= set(shown)
    for query in ("limit=0", "limit=501", "limit=x", "after=x", "state=lost", "campaign=%00"):
        assert client.get(f"/api/v1/codes?{query}", headers=headers).status_code in (400,)
    assert client.get("/api/v1/codes/%00", headers=headers).status_code == 404


@pytest.mark.parametrize(("path", "value"), [
    ("code", None), ("code", 5), ("code", ""), ("code", "x" * 201), ("code", "\x00"), ("code", "\ud800"),
    ("shop", 5), ("shop", "x" * 101), ("order", []), ("order", None), ("order.id", 5), ("order.id", ""),
    ("order.id", "a\x00b"), ("order.total_cents", "58000"), ("order.total_cents", 1.5), ("order.total_cents", -1),
    ("order.total_cents", True), ("order.total_cents", 2**63), ("order.total_cents", 10**400),
    ("order.currency", "euro"), ("order.currency", "EUR\n"), ("order.currency", 5), ("order.lines", {}),
    ("order.lines", [5]), ("order.lines.0.quantity", -1), ("order.lines.0.quantity", "1"),
    ("order.lines.0.quantity", 0.0001), ("order.lines.0.quantity", 10**30), ("order.lines.0.quantity", False),
    ("order.lines.0.unit_price_cents", -1), ("order.lines.0.unit_price_cents", 1.5), ("order.lines.0.sku", {}),
    ("order.lines.0.category", 7), ("customer", {}), ("customer", {"external_id": "a", "email": "b"}),
    ("customer", "c1"),
    ("customer.external_id", 5), ("surprise", 1), ("order.surprise", 1), ("order.lines.0.sale", 0),
])
def test_a_body_that_breaks_the_schema_is_invalid_and_the_field_is_named(
    client: FlaskClient, headers: dict[str, str], path: str, value: Any
) -> None:
    answer = post(client, headers, changed(path, value))
    assert answer.json is not None
    assert (answer.status_code, answer.mimetype, answer.json["reason"]) == (400, "application/problem+json", "invalid")
    assert answer.json["place"].startswith(path.split(".0")[0].rsplit(".", 1)[0])
    assert "_schema" not in answer.json["place"]
    for of_the_library in ("Not a valid", "Invalid input", "Unknown field", "may not be null.", "Missing data"):
        assert of_the_library not in answer.text


@pytest.mark.parametrize("raw", [
    b"", b"[]", b"5", b"null", b"{", b"\xff\xfe", b'{"code": NaN}', b'{"a": Infinity}', b"[" * 200_000,
    b'{"a":' * 200_000, b'{"code": ' + b"9" * 10_000 + b"}", b'{"code": "' + b"x" * 10_000_000 + b'"}',
])
def test_what_is_no_proper_json_object_is_invalid_never_broken(
    client: FlaskClient, headers: dict[str, str], raw: bytes
) -> None:
    answer = client.post("/api/v1/redemptions", data=raw, content_type="application/json",
                         headers={**headers, "Idempotency-Key": "k"})
    assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (400, "invalid")


def test_too_many_lines_and_extreme_amounts_are_answered(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued]
) -> None:
    line = {"sku": "s", "category": "c", "quantity": 10**9, "unit_price_cents": 10**15}
    many = {"code": codes[0].code, "order": {**ORDER, "lines": [line] * 1001}}
    assert post(client, headers, many).status_code == 400
    largest = {"code": codes[0].code, "order": {**ORDER, "total_cents": 10**15, "lines": [line] * 1000}}
    answer = post(client, headers, largest)
    assert answer.json is not None and (answer.status_code, answer.json["discount_cents"]) == (201, 10**14)


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_an_idempotency_key_of_1_to_255_characters_is_needed(
    client: FlaskClient, headers: dict[str, str], key: str | None
) -> None:
    sent = headers if key is None else {**headers, "Idempotency-Key": key}
    answer = client.post("/api/v1/redemptions", json={"code": "X", "order": ORDER}, headers=sent)
    assert answer.json is not None
    assert (answer.status_code, answer.json["place"]) == (400, "Idempotency-Key")


def test_keys_and_scopes_are_asked_for(client: FlaskClient, api_key: Keys, codes: list[Issued]) -> None:
    body = {"code": codes[0].code, "order": ORDER}
    assert post(client, {}, body).status_code == 401
    for scopes in (("read",), ("write",), ("read", "write")):
        refused = post(client, api_key(*scopes), body)
        assert refused.json is not None and (refused.status_code, refused.json["reason"]) == (403, "forbidden")
    shop = api_key("redemptions")
    refused = client.get("/api/v1/codes", headers=shop)
    assert refused.json is not None and (refused.status_code, refused.json["title"]) == (403, "Forbidden")
    assert "needs a key for read; this one is for redemptions" in refused.json["detail"]
    assert client.get("/api/v1/redemptions?state=invented", headers=api_key("read")).status_code == 400
    assert client.post("/api/v1/offers", json={}, headers=shop).status_code == 403
    assert post(client, shop, body).status_code == 201


def test_two_keys_have_their_own_idempotency(client: FlaskClient, api_key: Keys, codes: list[Issued]) -> None:
    one, two = api_key("redemptions"), api_key("redemptions")
    assert post(client, one, {"code": codes[0].code, "order": ORDER}).status_code == 201
    assert post(client, two, {"code": codes[1].code, "order": ORDER}).status_code == 201


def test_somebody_who_tries_codes_has_to_wait_and_nobody_else(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    guess = {"order": ORDER, "customer": {"external_id": "c1"}}
    assert client.post("/api/v1/coupons/GUESS/validate", json=guess, headers=headers).status_code == 200
    with database.writing() as session:
        session.execute(update(Guess).values(unknown=UNKNOWN_PER_MINUTE - 3))  # as if there had been so many
    for number in range(3):
        assert client.post(f"/api/v1/coupons/GUESS{number}/validate", json=guess, headers=headers).status_code == 200
    for code in ("GUESS", codes[0].code):
        stopped = post(client, headers, {**guess, "code": code}, key=code)
        assert stopped.json is not None
        assert (stopped.status_code, stopped.json["reason"]) == (429, "too_many_requests")
        assert 0 < int(stopped.headers["Retry-After"]) <= 61
    assert post(client, headers, {"code": codes[1].code, "order": ORDER,
                                  "customer": {"external_id": "c2"}}).status_code == 201


def test_a_guesser_is_known_to_every_process_and_honest_callers_write_nothing(
    app: Flask, client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    assert post(client, headers, {"code": codes[0].code, "order": ORDER}).status_code == 201
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Guess)) == 0
    guess = {"order": ORDER}
    assert client.post("/api/v1/coupons/GUESS/validate", json=guess, headers=headers).status_code == 200
    with database.writing() as session:
        session.execute(update(Guess).values(unknown=UNKNOWN_PER_MINUTE))  # as other processes have counted
    app.extensions.pop("winback.guesses")  # what another process knows: nothing yet
    assert client.post(f"/api/v1/coupons/{codes[1].code}/validate", json=guess, headers=headers).status_code == 429


def test_offers_are_made_edited_and_protected_from_a_second_tab(client: FlaskClient, headers: dict[str, str]) -> None:
    terms = {"name": "Ten", "kind": "percent", "percent": 10, "categories": ["furniture"], "minimum_cents": 15_000}
    made = client.post("/api/v1/offers", json={**terms, "key": "ten"}, headers=headers)
    assert made.json is not None and made.status_code == 201
    assert made.json["words"]["en"].replace("\xa0", " ") == "10 % off furniture from €150"
    assert client.post("/api/v1/offers", json={**terms, "key": "ten"}, headers=headers).status_code == 409
    seen = made.json["updated_at"]
    first = client.put("/api/v1/offers/ten", json={**terms, "percent": 12.5, "updated_at": seen}, headers=headers)
    assert first.json is not None and (first.status_code, first.json["percent"]) == (200, 12.5)
    second = client.put("/api/v1/offers/ten", json={**terms, "updated_at": seen}, headers=headers)
    assert second.status_code == 409
    listed = client.get("/api/v1/offers", headers=headers).json
    assert listed is not None and [item["key"] for item in listed["items"]] == ["ten"]
    assert client.get("/api/v1/offers/none", headers=headers).status_code == 404
    for wrong in ({"percent": 0}, {"percent": 101}, {"percent": "10"}, {"percent": True}, {"kind": "gift"},
                  {"minimum_cents": 0}, {"valid_until": "yesterday"}, {"valid_until": "9999-12-31T23:59:59-14:00"},
                  {"valid_from": "0001-01-01T00:00:00+14:00"}, {"budget_cents": 10**30}, {"name": ""}):
        answer = client.put("/api/v1/offers/other", json={**terms, **wrong}, headers=headers)
        assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (400, "invalid"), wrong


def test_every_rule_of_an_offer_goes_through_the_api_and_comes_back(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    terms = {
        "name": "Night gift", "kind": "free_item", "free_skus": ["P-1"], "free_items": 2, "currency": "EUR",
        "minimum_cents": 5_000, "minimum_items": 3, "brands": ["Kolm"], "excluded_brands": ["Noname"], "skus": ["S"],
        "excluded_skus": ["T"], "shops": ["sofa-de"],
        "excludes_sale": True, "first_order_only": True, "offer_class": "goods",
        "combines": "classes", "combines_with": ["freight"], "limit_per_customer": 2, "customer_period": "month",
        "customer_is": "address", "limit_per_day": 1, "limit_per_week": 2, "limit_per_month": 3,
        "budget_per_day_cents": 4, "budget_per_week_cents": 5, "budget_per_month_cents": 6, "weekdays": [6, 7],
        "hours": {"from": "18:00", "until": "02:00"}, "zone": "Europe/Berlin", "holder": "enforce",
        "return_rule": "recalculate"}
    made = client.post("/api/v1/offers", json={**terms, "key": "night"}, headers=headers)
    assert made.json is not None and made.status_code == 201
    assert {name: made.json[name] for name in terms} == terms
    assert client.put("/api/v1/offers/night", json=terms, headers=headers).status_code == 200
    plain = client.post("/api/v1/offers", json={"name": "x", "kind": "percent", "percent": 5, "key": "plain"},
                        headers=headers).json
    assert plain is not None and (plain["holder"], plain["hours"], plain["zone"]) == ("flag", None, "UTC")
    for wrong in ({"hours": {"from": "18:00"}}, {"hours": {"from": "6pm", "until": "8pm"}}, {"weekdays": [8]},
                  {"zone": "Mars"}, {"combines": "classes", "combines_with": []}, {"customer_is": "name"},
                  {"kind": "free_shipping"}, {"free_items": 0}, {"hours": "always"}, {"weekdays": "all"}):
        answer = client.put("/api/v1/offers/other", json={**terms, **wrong}, headers=headers)
        assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (400, "invalid"), wrong


def test_every_list_answers_items_and_the_next_page(client: FlaskClient) -> None:
    paths = (client.get("/api/openapi.json").json or {})["paths"]
    bare = [path for path, verbs in paths.items() for verb in verbs.values() if isinstance(verb, dict)
            for answer in verb.get("responses", {}).values()
            for body in answer.get("content", {}).values() if body.get("schema", {}).get("type") == "array"]
    assert len(paths) > 50 and not bare, bare


def test_the_openapi_document_names_the_resources(app: Flask, client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document is not None
    for path in ("/api/v1/redemptions", "/api/v1/coupons/{code}/validate", "/api/v1/codes", "/api/v1/offers/{key}"):
        assert path in document["paths"]


def test_a_use_is_reserved_redeemed_by_its_order_and_released_by_its_id(
    client: FlaskClient, headers: dict[str, str], codes: list[Issued], database: Database
) -> None:
    address = f"/api/v1/coupons/{codes[0].code}/reservations"
    held = client.post(address, json={"order": ORDER, "ttl_seconds": 60}, headers=headers)
    assert held.status_code == 201 and held.json is not None
    assert {"id", "expires_at"} <= set(held.json)
    again = client.post(address, json={"order": ORDER, "ttl_seconds": 60}, headers=headers)
    assert again.json is not None and (again.status_code, again.json["id"]) == (200, held.json["id"])
    other = post(client, headers, {"code": codes[0].code, "order": {**ORDER, "id": "o2"}})
    assert other.json is not None and (other.status_code, other.json["reason"]) == (409, "limit_reached")
    named = {"code": codes[0].code, "order": {**ORDER, "id": "o3"}, "reservation": held.json["id"]}
    assert post(client, headers, named, key="k2").status_code == 201
    second = client.post(f"/api/v1/coupons/{codes[1].code}/reservations", json={"order": ORDER}, headers=headers)
    assert second.json is not None
    for _ in range(2):
        gone = client.delete(f"/api/v1/reservations/{second.json['id']}", headers=headers)
        assert gone.json is not None and (gone.status_code, gone.json["state"]) == (200, "released")
    assert client.delete("/api/v1/reservations/v_none", headers=headers).status_code == 404
    unknown = client.post("/api/v1/coupons/NOSUCH/reservations", json={"order": ORDER}, headers=headers)
    assert unknown.json is not None and (unknown.status_code, unknown.json["reason"]) == (422, "unknown_code")
    for seconds in (0, 604_801, "60", 1.5, True):
        wrong = client.post(address, json={"order": ORDER, "ttl_seconds": seconds}, headers=headers)
        assert wrong.status_code == 400
    with database.reading() as session:
        assert drift(session.connection()) == []

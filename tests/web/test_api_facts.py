"""The API of facts: customers, consents, orders and contacts mean the same as a line of a file."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core.database import Database
from customers.forgetting import forget_customer
from customers.models import Customer, Order, OrderLine, Suppression

SECRET = "test-secret-key-0123456789"
Api = Callable[..., Any]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite only: the importers behind are tested on both databases."""
    shutil.copyfile(sqlite_template, tmp_path / "winback.db")
    return f"sqlite:///{tmp_path / 'winback.db'}"


@pytest.fixture
def call(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> Api:
    """Ask the API: `call("POST", "/orders", {...})`."""
    headers = api_key("read", "write")

    def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return client.open(f"/api/v1{path}", method=method, json=body, headers=headers, query_string=query)

    return ask


def _order(**fields: Any) -> dict[str, Any]:
    return {"id": "88-1", "customer": "c1", "ordered_at": "2026-02-01T10:00:00Z", "lines": [
        {"sku": "S", "product": "Armchair", "category": "furniture", "quantity": 2, "unit_price_cents": 20_600}],
        **fields}


def test_a_customer_is_made_then_brought_up_to_date_field_by_field(call: Api) -> None:
    made = call("PUT", "/customers/c1", {"email": "ADA@Example.COM", "first_name": "Ada", "city": "Lübeck",
                                         "attributes": {"shoe": 38, "vip": True}})
    assert made.status_code == 201, made.text
    again = call("PUT", "/customers/c1", {"first_name": None, "last_name": "L"})
    assert again.status_code == 200
    body = call("GET", "/customers/c1").json
    names = (body["email"], body["first_name"], body["last_name"], body["city"])
    assert names == ("ADA@example.com", None, "L", "Lübeck")
    assert body["attributes"] == {"shoe": 38, "vip": True}


@pytest.mark.parametrize("body", [
    {"email": "no address"}, {"country": "Germany"}, {"birthday": "yesterday"}, {"latitude": 300}, {"email": 7},
    {"unknown": 1}, {"attributes": {"email": "x"}}, {"attributes": {"x": [1]}}, {"timezone": "Mars"},
    {"first_name": "\x00"}, {"dunning_level": True}])
def test_a_customer_that_does_not_fit_is_refused_and_nothing_is_stored(
    call: Api, database: Database, body: dict[str, Any]
) -> None:
    answer = call("PUT", "/customers/c1", body)
    assert answer.status_code == 400 and answer.json["reason"] == "invalid" and answer.json["detail"]
    with database.reading() as session:
        assert session.scalars(select(Customer)).all() == []


def test_a_number_beyond_all_is_no_attribute(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    headers = api_key("read", "write")
    answer = client.put("/api/v1/customers/c1", data='{"attributes": {"size": -1e400}}',
                        content_type="application/json", headers=headers)
    assert answer.status_code == 400 and "-1e400 is too large a number" in answer.text
    assert client.get("/api/v1/customers/c1", headers=headers).status_code == 404


def test_a_forgotten_person_does_not_come_back(call: Api, database: Database, now: datetime) -> None:
    call("PUT", "/customers/c1", {"email": "ada@example.com"})
    with database.writing() as session:
        forget_customer(session, "c1", secret_key=SECRET, now=now)
    assert call("PUT", "/customers/c1", {"email": "ada@example.com"}).status_code == 400
    assert call("GET", "/customers/c1").status_code == 404
    assert call("POST", "/orders", _order()).status_code in (200, 201)
    with database.reading() as session:
        assert all(each.external_id != "c1" for each in session.scalars(select(Customer)))


def test_lists_are_walked_by_cursor(call: Api) -> None:
    for number in range(5):
        call("PUT", f"/customers/c{number}", {"first_name": "Ada"})
    first = call("GET", "/customers", limit=3).json
    second = call("GET", "/customers", limit=3, after=first["next"]).json
    assert [each["external_id"] for each in first["items"] + second["items"]] == [f"c{n}" for n in range(5)]
    assert second["next"] is None
    assert len(call("GET", "/customers", search="ada c3").json["items"]) == 1
    assert call("GET", "/customers", after="x").status_code == 400


def test_an_order_replaces_its_lines_and_counts_once(call: Api, database: Database) -> None:
    made = call("POST", "/orders", _order())
    assert made.status_code == 201, made.text
    assert made.json["total_cents"] == 41_200 and made.json["lines"][0]["quantity"] == 2
    changed = call("POST", "/orders", _order(status="delivered", lines=[
        {"sku": "S", "total_cents": 20_600, "quantity": 0.5, "delivered_at": "2026-02-03T10:00:00+01:00",
         "returned_quantity": 0.25}]))
    assert changed.status_code == 200, changed.text
    with database.reading() as session:
        [line] = session.scalars(select(OrderLine)).all()
        [order] = session.scalars(select(Order)).all()
    assert (line.total_cents, line.quantity_milli, line.returned_quantity_milli) == (20_600, 500, 250)
    assert (order.total_cents, order.status) == (20_600, "delivered")
    assert call("POST", "/orders", _order(status="cancelled")).json["cancelled"] is True
    assert [each["id"] for each in call("GET", "/orders", customer="c1").json["items"]] == ["88-1"]
    assert call("POST", "/orders", _order(shop="second")).status_code == 201


@pytest.mark.parametrize("fields", [
    {"lines": []}, {"lines": [{"sku": "x"}]}, {"currency": "EURO"}, {"ordered_at": "now"}, {"customer": ""},
    {"ordered_via": "pigeon"}, {"lines": [{"unit_price_cents": 1.5}]}, {"lines": [{"unit_price_cents": 10**30}]},
    {"lines": [{"unit_price_cents": 1, "quantity": 1, "returned_quantity": 2}]},
    {"lines": [{"unit_price_cents": 1, "tax_rate": 19}]}, {"id": " "}, {"customer": "forgotten:1"}])
def test_an_order_that_does_not_fit_is_refused_whole(call: Api, database: Database, fields: dict[str, Any]) -> None:
    answer = call("POST", "/orders", _order(**fields))
    assert answer.status_code == 400, answer.text
    with database.reading() as session:
        assert session.scalars(select(Order)).all() == []


def test_a_contact_is_stored_once_and_brought_up_to_date(call: Api) -> None:
    body = {"id": "x1", "customer": "c1", "at": "2026-02-01T10:00:00Z", "kind": "Complaint", "direction": "in"}
    assert call("POST", "/contacts", body).status_code == 201
    assert call("POST", "/contacts", {**body, "status": "solved"}).status_code == 200
    [stored] = call("GET", "/contacts", customer="c1").json["items"]
    assert (stored["kind"], stored["status"]) == ("complaint", "solved")
    assert call("POST", "/contacts", {**body, "direction": "up"}).status_code == 400


def test_a_yes_needs_proof_and_a_no_blocks_at_once(call: Api, database: Database) -> None:
    call("PUT", "/customers/c1", {"email": "ada@example.com"})
    yes = {"customer": "c1", "channel": "email", "state": "granted"}
    assert call("POST", "/consents", yes).status_code == 400
    assert call("POST", "/consents", {**yes, "proof": "form 3", "at": "2020-01-01T00:00:00Z"}).status_code == 201
    assert call("POST", "/consents", {**yes, "proof": "form 3", "at": "2999-01-01T00:00:00Z"}).status_code == 400
    assert call("POST", "/consents", {**yes, "state": "withdrawn"}).status_code == 201
    with database.reading() as session:
        assert session.scalars(select(Suppression.channel)).all() == ["email"]
    states = [each["state"] for each in call("GET", "/consents", customer="c1").json["items"]]
    assert states == ["granted", "withdrawn"]
    assert call("POST", "/consents", {**yes, "customer": "nobody", "proof": "x"}).status_code == 404
    assert call("GET", "/consents").status_code == 400


def test_reading_does_not_let_write(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    assert client.put("/api/v1/customers/c1", json={}, headers=api_key("read")).status_code == 403
    assert client.get("/api/v1/customers", headers=api_key("write")).status_code == 403
    assert client.get("/api/v1/customers").status_code == 401

"""The API of events, relations and scores: the same as a line of a file."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.database import Database
from customers.forgetting import forget_customer
from customers.models import Event, Relation, Score

SECRET = "test-secret-key-0123456789"
Api = Callable[..., Any]
CART = {"id": "e1", "customer": "c1", "name": "cart_abandoned", "at": "2026-02-01T10:00:00Z",
        "properties": {"value": 129.9, "items": 2, "gift": True, "note": "ü"}}


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite only: the importers behind are tested on both databases."""
    shutil.copyfile(sqlite_template, tmp_path / "winback.db")
    return f"sqlite:///{tmp_path / 'winback.db'}"


@pytest.fixture
def call(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> Api:
    """Ask the API: `call("POST", "/events", {...})`."""
    headers = api_key("read", "write")

    def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return client.open(f"/api/v1{path}", method=method, json=body, headers=headers, query_string=query)

    return ask


def _count(database: Database, model: type[Any]) -> int:
    with database.reading() as session:
        return int(session.scalar(select(func.count()).select_from(model)) or 0)


def test_an_event_is_stored_once_and_listed_as_it_was_sent(call: Api) -> None:
    assert call("POST", "/events", CART).status_code == 201
    assert call("POST", "/events", CART).status_code == 200
    assert call("POST", "/events", {"customer": "c1", "name": "visit"}).status_code == 201
    cart, visit = call("GET", "/events", customer="c1").json["items"]
    assert {name: cart[name] for name in CART} == CART and cart["recorded_at"]
    assert visit["at"] and visit["properties"] == {}
    assert len(call("GET", "/events", customer="c1", name="visit").json["items"]) == 1
    first = call("GET", "/events", customer="c1", limit=1).json
    assert call("GET", "/events", customer="c1", limit=1, after=first["next"]).json["items"] == [visit]


def test_many_events_come_in_one_call_all_or_none(call: Api, database: Database) -> None:
    many = [{**CART, "id": f"e{n}", "customer": f"c{n % 7}"} for n in range(1000)]
    assert call("POST", "/events/bulk", {"items": many}).json == {"created": 1000, "updated": 0}
    assert call("POST", "/events/bulk", {"items": many[:10]}).json == {"created": 0, "updated": 10}
    wrong = call("POST", "/events/bulk", {"items": [
        {**CART, "id": "new"}, {**CART, "id": "bad", "properties": {"a": [1]}}]})
    assert wrong.status_code == 400 and wrong.json["place"] == "properties", wrong.json
    assert call("POST", "/events/bulk", {"items": many + many[:1]}).status_code == 400
    assert _count(database, Event) == 1000


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"customer": " "}, {"at": "soon"}, {"properties": [1]}, {"properties": {"a": {"b": 1}}},
    {"properties": {'a"b': 1}}, {"properties": {"a": "x" * 1001}}, {"unknown": 1}, {"id": "x" * 201},
    {"properties": {str(number): 1 for number in range(101)}}, {"customer": "forgotten:1"}, {"name": "  "}])
def test_an_event_that_does_not_fit_is_refused(call: Api, database: Database, fields: dict[str, Any]) -> None:
    answer = call("POST", "/events", {**CART, **fields})
    assert answer.status_code == 400 and answer.json["detail"], answer.text
    assert _count(database, Event) == 0


def test_a_relation_is_stored_once_with_its_organisation(call: Api) -> None:
    body = {"customer": "c1", "kind": "Press", "organisation": "The Paper", "role": "editor",
            "since": "2020-01-01T00:00:00Z"}
    assert call("POST", "/relations", body).status_code == 201
    assert call("POST", "/relations", {**body, "until": "2026-01-01T00:00:00Z"}).status_code == 200
    [stored] = call("GET", "/relations", customer="c1").json["items"]
    assert (stored["kind"], stored["organisation_id"], stored["until"]) == (
        "press", "The Paper", "2026-01-01T00:00:00Z")
    assert call("POST", "/relations", {**body, "until": "2019-01-01T00:00:00Z"}).status_code == 400
    assert call("POST", "/relations", {"customer": "c1", "kind": " "}).status_code == 400


def test_a_score_has_one_value_and_comes_alone_or_with_many(call: Api, database: Database) -> None:
    score = {"customer": "c1", "name": "nps", "value": 9.5}
    assert call("POST", "/scores", score).status_code == 201
    assert call("POST", "/scores", {**score, "value": 8}).status_code == 200
    assert [each["value"] for each in call("GET", "/scores", customer="c1").json["items"]] == [8]
    many = [{**score, "customer": f"c{number}"} for number in range(1000)]
    assert call("POST", "/scores/bulk", {"items": many}).json == {"created": 999, "updated": 1}
    assert _count(database, Score) == 1000
    for wrong in ({"name": "a b"}, {"value": "9"}, {"value": 10**16}, {"value": True}, {"customer": ""}):
        assert call("POST", "/scores", {**score, **wrong}).status_code == 400


@pytest.mark.parametrize(("path", "body", "model"), [
    ("/events", CART, Event), ("/relations", {"customer": "c1", "kind": "press"}, Relation),
    ("/scores", {"customer": "c1", "name": "nps", "value": 9}, Score)])
def test_forgotten_people_get_nothing_new(
    call: Api, database: Database, now: datetime, path: str, body: dict[str, Any], model: type[Any]
) -> None:
    assert call("POST", path, body).status_code == 201
    with database.writing() as session:
        forget_customer(session, "c1", secret_key=SECRET, now=now)
    answer = call("POST", path, body)
    assert answer.status_code == 400 and "asked to be forgotten" in answer.json["detail"]
    assert _count(database, model) == 0


def test_what_is_unknown_is_not_found(call: Api) -> None:
    for path in ("/events", "/relations", "/scores"):
        assert call("GET", path, customer="nobody").status_code == 404
        assert call("GET", path).status_code == 400


def test_a_rule_about_a_score_that_nobody_computed_is_refused_with_its_own_reason(call: Api) -> None:
    answer = call("POST", "/segments/count", {"rule": {"score": "clv_12m", "at_least": 100}})
    assert answer.status_code == 400, answer.text
    assert (answer.json["reason"], answer.json["place"]) == ("score_not_computed", "score")
    assert call("POST", "/scores", {"customer": "c1", "name": "clv_12m", "value": 120}).status_code == 201
    assert call("POST", "/segments/count", {"rule": {"score": "clv_12m", "at_least": 100}}).json["count"] == 1

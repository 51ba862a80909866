"""Segments and contents over HTTP, on both databases."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.database import Database
from tests.web.people import make_people

RULE = {"all": [{"orders": "count", "where": {"category": ["furniture"]}, "at_least": 1}]}
NEW = {"key": "buyers", "name": "Buyers", "rule": RULE}
CONTENT = {"key": "offer-a", "name": "First", "letter": "{{ greeting }},\n\n{{ code }}"}

Keys = Callable[..., dict[str, str]]


@pytest.fixture
def people(database: Database, now: datetime) -> None:
    make_people(database, now=now)
    with database.writing() as session:
        clock.stand_at(session.connection(), now)


def test_a_segment_is_made_read_replaced_and_counted(client: FlaskClient, api_key: Keys, people: None) -> None:
    key = api_key("read", "write")
    made = client.post("/api/v1/segments", json=NEW, headers=key)
    assert (made.status_code, made.json["version"], made.json["rule"]) == (201, 1, RULE)
    assert made.json["words"]["de"]
    assert client.post("/api/v1/segments", json=NEW, headers=key).json["reason"] == "conflict"
    changed = {"name": "Buyers", "rule": {"not": RULE}, "version": 1}
    assert client.put("/api/v1/segments/buyers", json=changed, headers=key).json["version"] == 2
    assert client.put("/api/v1/segments/buyers", json=changed, headers=key).status_code == 409
    assert client.get("/api/v1/segments/buyers", headers=key).json["rule"] == {"not": RULE}
    assert client.get("/api/v1/segments/none", headers=key).status_code == 404
    found = client.post("/api/v1/segments/count", json={"rule": {"segment": "buyers"}}, headers=api_key("read")).json
    assert (found["count"], found["as_of"]) == (4, "2026-03-02T10:00:00Z")
    early = client.post("/api/v1/segments/count", json={"rule": RULE, "as_of": "2025-01-01T00:00:00Z"}, headers=key)
    assert early.json["count"] == 0


def test_a_segment_is_filed_archived_and_deleted_unless_something_stands_on_it(
    client: FlaskClient, api_key: Keys, people: None
) -> None:
    key = api_key("read", "write")
    client.post("/api/v1/segments", json=NEW, headers=key)
    filed = client.patch("/api/v1/segments/buyers", json={"folder": "Spring", "tags": ["A", "b"]}, headers=key).json
    assert (filed["name"], filed["kind"], filed["folder"], filed["tags"]) == ("Buyers", "rule", "Spring", ["A", "b"])
    again = client.patch("/api/v1/segments/buyers", json={"name": "All buyers", "refresh_seconds": 3600}, headers=key)
    assert (again.json["name"], again.json["folder"], again.json["refresh_seconds"]) == ("All buyers", "Spring", 3600)
    bad = client.patch("/api/v1/segments/buyers", json={"refresh_seconds": 1}, headers=key)
    assert (bad.status_code, bad.json["place"]) == (400, "refresh_seconds")
    client.post("/api/v1/segments", json={**NEW, "key": "some", "rule": {"segment": "buyers"}}, headers=key)
    for refused in (client.delete("/api/v1/segments/buyers", headers=key),
                    client.patch("/api/v1/segments/buyers", json={"archived": True, "name": "x"}, headers=key)):
        assert refused.status_code == 409 and "Buyers" in refused.json["detail"]
    assert client.get("/api/v1/segments/buyers", headers=key).json["name"] == "All buyers"
    assert [use["key"] for use in client.get("/api/v1/segments/buyers/uses", headers=key).json["items"]] == ["some"]
    [version] = client.get("/api/v1/segments/buyers/versions", headers=key).json["items"]
    assert (version["version"], version["rule"]) == (1, RULE)
    assert client.delete("/api/v1/segments/some", headers=key).status_code == 204
    assert client.patch("/api/v1/segments/buyers", json={"archived": True}, headers=key).json["archived"] is True
    assert client.delete("/api/v1/segments/buyers", headers=key).status_code == 204
    assert client.get("/api/v1/segments/buyers", headers=key).status_code == 404


def test_lists_walk_by_key(client: FlaskClient, api_key: Keys, people: None) -> None:
    key = api_key("read", "write")
    for name in ("b", "a", "c"):
        client.post("/api/v1/segments", json={**NEW, "key": name}, headers=key)
        client.post("/api/v1/contents", json={**CONTENT, "key": name}, headers=key)
    for resource in ("segments", "contents"):
        first = client.get(f"/api/v1/{resource}?limit=2", headers=key).json
        assert ([item["key"] for item in first["items"]], first["next"]) == (["a", "b"], "b")
        last = client.get(f"/api/v1/{resource}?limit=2&after=b", headers=key).json
        assert ([item["key"] for item in last["items"]], last["next"]) == (["c"], None)


@pytest.mark.parametrize(("rule", "place"), [
    ({"all": [{"orders": "count", "window": {"last_day": 3}, "equals": 0}]}, "all[0].orders.window"),
    ({"orders": "cuont", "equals": 0}, "orders"), ({}, "rule"), ([], "rule"), ("x", "rule"), (None, "rule"),
    ({"all": [{"all": [{"customer": "city", "is": "\x00"}]}]}, "all[0].all[0].customer.is"),
    ({"segment": "a\ud800"}, "segment"),
])
def test_a_wrong_rule_is_refused_with_its_place(
    client: FlaskClient, api_key: Keys, people: None, rule: Any, place: str
) -> None:
    for address, body in (("/api/v1/segments/count", {"rule": rule}), ("/api/v1/segments", {**NEW, "rule": rule})):
        answer = client.post(address, json=body, headers=api_key("read", "write"))
        assert answer.status_code == 400
        assert answer.json["reason"] == "invalid"
        assert answer.json["place"] == place


def test_a_rule_of_two_hundred_levels_is_counted_and_a_deeper_one_is_refused(
    client: FlaskClient, api_key: Keys, people: None
) -> None:
    rule: dict[str, Any] = {"customer": "city", "is": "Bonn"}
    for level in range(199):
        rule = {"any" if level % 2 else "all": [rule, {"customer": "city", "is": "Bonn"}]}
    key = api_key("read", "write")
    assert client.post("/api/v1/segments/count", json={"rule": rule}, headers=key).status_code == 200
    assert client.post("/api/v1/segments", json={**NEW, "rule": rule}, headers=key).status_code == 201
    for deeper in ({"not": rule}, {"not": {"not": {"all": [{"segment": NEW["key"]}]}}}):
        answer = client.post("/api/v1/segments/count", json={"rule": deeper}, headers=key)
        assert answer.status_code == 400 and "200 levels" in answer.json["detail"] and answer.json["place"]
    body = '{"rule": ' + '{"not": ' * 50_000 + "{}" + "}" * 50_001
    answer = client.post("/api/v1/segments/count", data=body, content_type="application/json", headers=key)
    assert answer.status_code == 400 and "nested too deeply" in answer.json["detail"]


def test_a_key_that_only_reads_counts_but_does_not_save(client: FlaskClient, api_key: Keys, people: None) -> None:
    key = api_key("read")
    assert client.post("/api/v1/segments/count", json={"rule": RULE}, headers=key).status_code == 200
    for resource, body in (("segments", NEW), ("contents", CONTENT)):
        assert client.post(f"/api/v1/{resource}", json=body, headers=key).status_code == 403
        assert client.put(f"/api/v1/{resource}/x", json=body, headers=key).status_code == 403


def test_a_content_is_made_read_and_replaced(client: FlaskClient, api_key: Keys, people: None) -> None:
    key = api_key("read", "write")
    made = client.post("/api/v1/contents", json=CONTENT, headers=key)
    assert (made.status_code, made.json["revision"], made.json["channels"]) == (201, 1, ["letter"])
    assert made.json["variables"] == ["code", "greeting"]
    assert client.post("/api/v1/contents", json=CONTENT, headers=key).status_code == 409
    again = {"name": "First", "letter": "Now {{ code }}", "revision": 1}
    assert client.put("/api/v1/contents/offer-a", json=again, headers=key).json["revision"] == 2
    assert client.put("/api/v1/contents/offer-a", json=again, headers=key).status_code == 409
    assert client.get("/api/v1/contents/offer-a", headers=key).json["letter"] == "Now {{ code }}"


def test_a_content_that_does_not_compile_is_refused_with_every_finding(
    client: FlaskClient, api_key: Keys, people: None
) -> None:
    wrong = {**CONTENT, "letter": "a\n{{ kode }}", "call_script": "{% if %}"}
    answer = client.post("/api/v1/contents", json=wrong, headers=api_key("write"))
    assert (answer.status_code, answer.json["reason"]) == (400, "invalid")
    assert set(answer.json["errors"]) == {"letter", "call_script"}
    assert "letter, line 2" in answer.json["errors"]["letter"][0]

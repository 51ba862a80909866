"""Campaigns, journeys, messages and reports over HTTP: lists walked by key, strict bodies, problems with a place."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core.database import Database
from delivery.models import Message
from journeys.models import Version
from tests.conftest import NOW
from tests.journeys.shop import GRAPH
from web.security.keys import issue_key


@pytest.fixture
def headers(shop_database: Database) -> dict[str, str]:
    """A key that reads and writes."""
    with shop_database.writing() as session:
        key = issue_key(session, "test", scopes=("read", "write"), now=NOW)
    return {"Authorization": f"Bearer {key}"}


def body_of(answer: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer with this status."""
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_messages_are_walked_by_key_and_filtered(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    seen: list[str] = []
    after: str | None = None
    while True:
        page = body_of(shop.get(f"/api/v1/messages?limit=7{f'&after={after}' if after else ''}", headers=headers))
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
        assert len(page["items"]) == 7
    with shop_database.reading() as session:
        assert len(seen) == len(set(seen)) == session.scalar(select(func.count()).select_from(Message))
    withheld = body_of(shop.get("/api/v1/messages?state=withheld&campaign=spring", headers=headers))["items"]
    assert withheld and {item["channel"] for item in withheld} == {None}
    assert {"id", "state", "reason", "channel", "customer", "origin", "arm"} <= set(withheld[0])
    assert "name" not in withheld[0]
    mine = body_of(shop.get(f"/api/v1/messages?customer={withheld[0]['customer']}", headers=headers))["items"]
    assert {item["customer"] for item in mine} == {withheld[0]["customer"]}
    assert body_of(shop.get(f"/api/v1/messages/{seen[0]}", headers=headers))["id"] == seen[0]
    assert shop.get("/api/v1/messages/nothing", headers=headers).status_code == 404


@pytest.mark.parametrize("query", ["state=invented", "after=x", "limit=0", "limit=501", "state=" + "x" * 500])
def test_wrong_filters_are_400(shop: FlaskClient, headers: dict[str, str], query: str) -> None:
    assert shop.get(f"/api/v1/messages?{query}", headers=headers).status_code == 400


def test_a_campaign_is_made_changed_and_guarded_against_two_editors(
    shop: FlaskClient, headers: dict[str, str]
) -> None:
    plan = {"key": "summer", "name": "Summer", "segment": "lapsed", "holdout_percent": 12.5,
            "ends_at": "2026-06-01T00:00+02:00", "goal_categories": ["furniture"]}
    made = body_of(shop.post("/api/v1/campaigns", json=plan, headers=headers), 201)
    assert (made["state"], made["ends_at"], made["holdout_percent"]) == ("draft", "2026-05-31T22:00:00Z", 12.5)
    assert shop.post("/api/v1/campaigns", json=plan, headers=headers).status_code == 409
    changed = body_of(shop.put("/api/v1/campaigns/summer", json={"name": "Summer 2", "version": 1}, headers=headers))
    assert (changed["name"], changed["version"], changed["segment"]) == ("Summer 2", 2, "lapsed")
    assert shop.put("/api/v1/campaigns/summer", json={"name": "Late", "version": 1}, headers=headers).status_code == 409
    assert body_of(shop.get("/api/v1/campaigns/summer", headers=headers))["name"] == "Summer 2"
    listed = body_of(shop.get("/api/v1/campaigns?state=history", headers=headers))
    assert [item["key"] for item in listed["items"]] == ["past-1", "past-2"] and listed["next"] is None


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "x" * 201}, {"holdout_percent": 51}, {"holdout_percent": "10"}, {"budget_cents": 1.5},
    {"budget_cents": 10**30}, {"ends_at": "soon"}, {"segment": "nobody"}, {"timezone": "Mars"}, {"unknown": 1},
    {"goal_categories": "furniture"}, {"key": "Not A Key"}, {"currency": "eur"},
])
def test_wrong_campaigns_are_400_with_the_place(
    shop: FlaskClient, headers: dict[str, str], wrong: dict[str, Any]
) -> None:
    answer = shop.post("/api/v1/campaigns", json={"key": "summer", "name": "Summer", **wrong}, headers=headers)
    problem = body_of(answer, 400)
    assert problem["place"] == next(iter(wrong)) and answer.mimetype == "application/problem+json"


def test_a_journey_is_drafted_checked_and_published_once(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    shop.post("/api/v1/campaigns", json={"key": "summer", "name": "Summer"}, headers=headers)
    wrong = {**GRAPH, "start": "nowhere"}
    assert shop.put("/api/v1/journeys/summer", json={"graph": wrong}, headers=headers).status_code == 404
    drafted = body_of(shop.put("/api/v1/journeys/summer", json={"graph": wrong, "campaign": "summer"}, headers=headers))
    assert (drafted["state"], drafted["version"], drafted["draft_version"]) == ("draft", None, 1)
    told = body_of(shop.post("/api/v1/journeys/summer/check", headers=headers))
    assert not told["valid"] and told["problems"][0]["place"] == "start" and told["problems"][0]["fix"]
    assert body_of(shop.post("/api/v1/journeys/summer/check", json={"graph": GRAPH}, headers=headers))["valid"]
    # What only publishing would find is told by a check, too: by the API and beside the draft's text.
    for graph, place in (({**GRAPH, "window": {"from": "1999-01-01", "until": "1999-02-01"}}, "window.until"),
                         ({**GRAPH, "entry": {**GRAPH["entry"], "top": {"count": 5, "by": "expected_contribution"}}},
                          "entry.top")):
        found = body_of(shop.post("/api/v1/journeys/summer/check", json={"graph": graph}, headers=headers))
        assert [each["place"] for each in found["problems"]] == [place] and not found["valid"]
        typed = {"draft": json.dumps(graph), "version": "1", "act": "check"}
        assert place in shop.post("/journeys/summer/edit", data=typed).text
    assert shop.post("/api/v1/journeys/summer/publish", json={}, headers=headers).status_code == 400
    body_of(shop.put("/api/v1/journeys/summer", json={"graph": GRAPH, "draft_version": 1}, headers=headers))
    seen = {"draft_version": 2, "number": 1}
    published = body_of(shop.post("/api/v1/journeys/summer/publish", json=seen, headers=headers), 201)
    assert published["number"] == 1
    assert shop.post("/api/v1/journeys/summer/publish", json=seen, headers=headers).status_code == 409
    # Without a number: what runs already makes no second version.
    assert body_of(shop.post("/api/v1/journeys/summer/publish", headers=headers)) == published
    with shop_database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Version)) == 2
        assert session.scalar(select(Version.author).order_by(Version.id.desc()).limit(1)) == "a program"


def test_journeys_list_and_show_who_stands_where(shop: FlaskClient, headers: dict[str, str]) -> None:
    first = body_of(shop.get("/api/v1/journeys?limit=1", headers=headers))
    assert [item["key"] for item in first["items"]] == ["winback"]
    second = body_of(shop.get(f"/api/v1/journeys?limit=1&after={first['next']}", headers=headers))
    assert [item["key"] for item in second["items"]] == ["second"] and second["next"] is None
    people = body_of(shop.get("/api/v1/journeys/winback", headers=headers))["people"]
    assert people["entered"] == 60 and people["inside"] + sum(people["left"].values()) == 60
    assert body_of(shop.get("/api/v1/journeys/schema", headers=headers))["title"] == "Journey"


def test_a_report_over_http_holds_the_contract_and_no_nan(shop: FlaskClient, headers: dict[str, str]) -> None:
    report = body_of(shop.get("/api/v1/reports/spring", headers=headers))
    assert {"arms", "holdout", "effect", "srm"} <= set(report)
    arm = {"name", "assigned", "sent", "redeemed", "rate", "rate_low", "rate_high", "ordered", "ordered_rate",
           "revenue_cents", "redeemed_revenue_cents", "p_value"}
    assert all(arm <= set(each) for each in report["arms"]) and report["arms"][0]["p_value"] is None
    assert body_of(shop.get("/api/v1/reports/past-1", headers=headers))["effect"]["estimate"] is None
    assert len(body_of(shop.get("/api/v1/reports", headers=headers))["items"]) == 2
    first = body_of(shop.get("/api/v1/reports?limit=1", headers=headers))
    assert [item["key"] for item in first["items"]] == ["past-2"]
    rest = body_of(shop.get(f"/api/v1/reports?limit=1&after={first['next']}", headers=headers))
    assert [item["key"] for item in rest["items"]] == ["past-1"] and rest["next"] is None
    for wrong in ("limit=0", "limit=501", "after=nothing"):
        assert shop.get(f"/api/v1/reports?{wrong}", headers=headers).status_code == 400
    assert body_of(shop.get("/api/v1/reports/who-responds", headers=headers))["people"] == 120
    assert shop.get("/api/v1/reports/nothing", headers=headers).status_code == 404


def test_reading_keys_write_nothing(shop: FlaskClient, shop_database: Database) -> None:
    with shop_database.writing() as session:
        key = issue_key(session, "reader", scopes=("read",), now=NOW)
    headers = {"Authorization": f"Bearer {key}"}
    assert shop.post("/api/v1/campaigns", json={"key": "a", "name": "A"}, headers=headers).status_code == 403
    assert shop.post("/api/v1/journeys/second/publish", json={}, headers=headers).status_code == 403
    assert shop.get("/api/v1/campaigns", headers={}).status_code == 401

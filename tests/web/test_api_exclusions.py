"""The house list and a campaign's reach over HTTP."""

from flask.testing import FlaskClient

from core.database import Database
from tests.web.test_api_plans import body_of, headers

__all__ = ["headers"]


def test_exclusions_are_listed_changed_added_and_removed(shop: FlaskClient, headers: dict[str, str]) -> None:
    items = body_of(shop.get("/api/v1/exclusions", headers=headers))["items"]
    assert len(items) == 9 and items[0]["sentence"].startswith("Customers who have")
    rule = {"orders": "days_since_delivery", "at_most": 7}
    changed = body_of(shop.put("/api/v1/exclusions/delivered_lately", headers=headers,
                               json={"rule": rule, "version": 0}))
    assert (changed["rule"], changed["version"]) == (rule, 1)
    assert shop.put("/api/v1/exclusions/delivered_lately", headers=headers,
                    json={"active": False, "version": 0}).status_code == 409
    assert shop.put("/api/v1/exclusions/own", headers=headers, json={"name": "x"}).status_code == 400
    assert shop.put("/api/v1/exclusions/Own!", headers=headers,
                    json={"name": "x", "rule": {"all": []}}).status_code == 400
    body_of(shop.put("/api/v1/exclusions/own", headers=headers, json={"name": "x", "rule": {"segment": "lapsed"}}))
    assert body_of(shop.get("/api/v1/exclusions/own", headers=headers))["asked_again"] is True
    assert shop.delete("/api/v1/exclusions/own", headers=headers).status_code == 204
    assert shop.delete("/api/v1/exclusions/dunning", headers=headers).status_code == 409
    assert shop.get("/api/v1/exclusions/own", headers=headers).status_code == 404


def test_the_reach_of_a_campaign_is_a_waterfall_whose_lines_list_their_people(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    found = body_of(shop.get("/api/v1/campaigns/second/audience", headers=headers))
    lines = {line["part"]: line["people"] for line in found["lines"]}
    assert lines["start"] == 60 and lines["reached"] == found["left"] - lines["silent"]
    seen: list[str] = []
    after: str | None = ""
    people = "/api/v1/campaigns/second/audience/people"
    while after is not None:
        page = body_of(shop.get(f"{people}?part=start&limit=25{after}", headers=headers))
        seen += [item["customer"] for item in page["items"]]
        after = f"&after={page['next']}" if page["next"] else None
    assert len(seen) == len(set(seen)) == 60
    assert shop.get("/api/v1/campaigns/second/audience/people?part=pigeon", headers=headers).status_code == 404
    assert shop.get("/api/v1/campaigns/nothing/audience", headers=headers).status_code == 404
    assert body_of(shop.put("/api/v1/campaigns/second", headers=headers,
                            json={"not_to": ["lapsed"]}))["not_to"] == ["lapsed"]
    assert shop.put("/api/v1/campaigns/second", headers=headers, json={"not_to": ["gone"]}).status_code == 400

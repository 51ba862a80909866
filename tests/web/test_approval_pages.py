"""The approval on the campaign's page: asked for, approved by somebody else, void with who changed what."""

from flask.testing import FlaskClient
from sqlalchemy import select

from core.database import Database
from journeys.models import Journey
from tests.web.conftest import browser_of
from tests.web.test_api_plans import body_of, headers
from tests.web.test_campaign_pages import words
from web.models import AuditEntry

__all__ = ["headers"]


def asking(shop: FlaskClient) -> str:
    page: str = shop.get("/campaigns/second").text
    return page.split('name="asking" value="', 1)[1].split('"', 1)[0]


def test_a_campaign_is_approved_by_somebody_else_and_void_after_a_change(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    admin = browser_of(shop.application, shop_database, "admin")
    assert admin.post("/settings/house", data={"approval_required": "yes"}).status_code == 302
    assert "Start the campaign" not in shop.get("/campaigns/second").text
    assert shop.post("/campaigns/second/start").status_code == 409
    assert shop.post("/campaigns/second/approval", data={"note": "New subject."}).status_code == 302
    assert "Approve the campaign" not in shop.get("/campaigns/second").text
    number = asking(admin)
    shop.post("/campaigns/second/approval/decide", data={"answer": "approve", "asking": number})
    assert body_of(shop.get("/api/v1/campaigns/second/approval", headers=headers))["state"] == "asked"
    assert "waits for your approval" in admin.get("/").text and "waits for your approval" not in shop.get("/").text
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert "waits for your approval" not in analyst.get("/").text
    admin.post("/campaigns/second/approval/decide", data={"answer": "approve", "asking": number})
    approved = body_of(shop.get("/api/v1/campaigns/second/approval", headers=headers))
    assert approved["state"] == "approved" and approved["asked_at"].endswith("Z")
    assert approved["decided_at"].endswith("Z")
    with shop_database.reading() as session:
        draft = session.scalars(select(Journey).where(Journey.key == "second")).one()
    changed = {"graph": {**draft.draft, "name": "Third"}, "draft_version": draft.draft_version}
    body_of(shop.put("/api/v1/journeys/second", headers=headers, json=changed))
    page = words(shop.get("/campaigns/second").text)
    assert "void" in page and "Journey second changed by key test" in page
    assert shop.post("/campaigns/second/start").status_code == 409
    with shop_database.reading() as session:
        verbs = list(session.scalars(select(AuditEntry.verb)))
    assert {"house.saved", "approval.asked", "approval.approved", "journey.saved"} <= set(verbs)


def test_only_an_administrator_changes_the_rules_of_the_house(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    assert shop.get("/settings/house").status_code == 403
    assert shop.post("/settings/house", data={"approval_required": "yes"}).status_code == 403
    assert body_of(shop.get("/api/v1/house", headers=headers))["approval_required"] is False
    assert shop.put("/api/v1/house", headers=headers, json={"approval_required": True}).status_code == 405


def test_a_program_asks_and_a_person_refuses_with_a_reason(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    asked = body_of(shop.post("/api/v1/campaigns/second/approval", headers=headers, json={"note": "x"}), 201)
    assert asked["state"] == "asked" and asked["needed"] is False
    assert shop.post("/api/v1/campaigns/second/approval", headers=headers).status_code == 409
    number = asking(shop)
    shop.post("/campaigns/second/approval/decide", data={"answer": "refuse", "asking": number, "comment": ""})
    assert body_of(shop.get("/api/v1/campaigns/second/approval", headers=headers))["state"] == "asked"
    shop.post("/campaigns/second/approval/decide", data={"answer": "refuse", "asking": number, "comment": "Too dear."})
    found = body_of(shop.get("/api/v1/campaigns/second/approval", headers=headers))
    assert (found["state"], found["comment"]) == ("refused", "Too dear.")
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert analyst.post("/campaigns/second/approval").status_code == 403


def test_an_exclusion_is_switched_off_by_form_and_the_trail_says_so(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    body = {"standing_off": ["dunning"]}
    assert body_of(shop.put("/api/v1/campaigns/second", headers=headers, json=body))["standing_off"] == ["dunning"]
    assert shop.put("/api/v1/campaigns/second", headers=headers, json={"standing_off": ["gone"]}).status_code == 400
    page = words(shop.get("/campaigns/second").text)
    assert "Switched off dunning once approved" in page and "Somebody else has to approve it" in page
    assert shop.post("/campaigns/second/start").status_code == 409
    with shop_database.reading() as session:
        last = session.scalars(select(AuditEntry).where(AuditEntry.verb == "campaign.saved")
                               .order_by(AuditEntry.id.desc())).first()
    assert last is not None and last.detail["standing_off"] == "dunning"


def test_a_campaign_becomes_the_template_of_the_next_one(shop: FlaskClient, headers: dict[str, str]) -> None:
    answer = shop.post("/campaigns/spring/duplicate", data={"name": "Autumn"})
    assert (answer.status_code, answer.location) == (302, "/campaigns/autumn/edit")
    page = words(shop.get("/campaigns/autumn").text)
    assert "planned" in page and "no window yet" in page and "waits to be started" in page
    made = body_of(shop.post("/api/v1/campaigns/spring/duplicate", headers=headers,
                             json={"key": "winter", "name": "Winter"}), 201)
    assert (made["state"], made["segment"], made["ends_at"]) == ("draft", "lapsed", None)
    again = shop.post("/api/v1/campaigns/spring/duplicate", headers=headers, json={"key": "winter", "name": "W"})
    assert again.status_code == 409
    assert shop.post("/campaigns/past-1/duplicate").status_code == 409

"""Worth it, ask why, and the prices of the house, over page, API and shell."""

from pathlib import Path

from click.testing import CliRunner
from flask.testing import FlaskClient

from core.database import Database
from core.settings import read_settings
from tests.web.conftest import browser_of
from tests.web.test_api_plans import body_of, headers
from tests.web.test_campaign_pages import words
from winback.commands.people import why
from winback.context import Context

__all__ = ["headers"]

RULES = {"margin": "30", "email.unit": "0.02", "email.setup": "", "email.tiers": "", "letter.unit": "0.95",
         "letter.setup": "120", "letter.tiers": "1000: 0.85; 5000: 0.79", "phone.unit": "4", "phone.setup": "0"}


def test_a_planned_campaign_says_what_it_needs_to_pay_for_itself(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    assert "What goods cost is not known" in words(shop.get("/campaigns/second/worth").text)
    admin = browser_of(shop.application, shop_database, "admin")
    assert admin.post("/settings/house", data=RULES).status_code == 302
    found = body_of(shop.get("/api/v1/campaigns/second/break-even", headers=headers))
    assert found["people"] and found["cost_cents"] == sum(found["cost_by_channel"].values())
    assert found["orders"] and found["rate"] == found["orders"] / found["people"]
    assert [past["name"] for past in found["past"]] in (["Spring"], [])
    page = words(shop.get("/campaigns/second/worth").text)
    assert f"Needs {found['orders']} extra" in page and "All messages" in page
    assert shop.get("/api/v1/campaigns/nothing/break-even", headers=headers).status_code == 404
    body_of(shop.post("/api/v1/plays/abandoned-cart", headers=headers, json={"key": "carts"}), 201)
    nobody = body_of(shop.get("/api/v1/campaigns/carts/break-even", headers=headers))
    assert (nobody["people"], nobody["sentence"][:27]) == (0, "Nobody would be written to ")


def test_prices_are_typed_in_euros_with_tiers_and_what_is_wrong_stands_beside_its_field(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    admin = browser_of(shop.application, shop_database, "admin")
    assert admin.post("/settings/house", data=RULES).status_code == 302
    prices = body_of(shop.get("/api/v1/house", headers=headers))["prices"]
    assert prices["letter"] == {"unit_cents": 95, "setup_cents": 12_000, "tiers": [[1000, 85], [5000, 79]]}
    assert 'value="1000: 0.85; 5000: 0.79"' in admin.get("/settings/house").text
    for field, text, said in (("letter.tiers", "1000 0.85", "Write each tier"),
                              ("letter.unit", "dear", "Write a number"), ("margin", "140", "not a share"),
                              ("letter.tiers", "5: 1; 5: 2", "do not rise")):
        refused = admin.post("/settings/house", data={**RULES, field: text})
        assert refused.status_code == 400 and said in refused.text, field


def test_why_somebody_got_it_or_not_is_asked_by_customer_and_campaign(
    shop: FlaskClient, headers: dict[str, str]
) -> None:
    asked = shop.get("/campaigns/spring/why?customer=c1")
    assert asked.status_code == 302 and "why=spring" in asked.location
    assert shop.get("/campaigns/spring/why?customer=nobody").status_code == 302
    page = words(shop.get(asked.location).text)
    answer = body_of(shop.get("/api/v1/campaigns/spring/why/c1", headers=headers))
    assert answer["sentence"] and answer["sentence"] in page
    assert shop.get("/api/v1/campaigns/spring/why/nobody", headers=headers).status_code == 404


def test_a_campaign_page_shows_its_worth_its_approval_and_the_question_why(shop: FlaskClient) -> None:
    planned, ran = shop.get("/campaigns/second").text, shop.get("/campaigns/spring").text
    assert "Worth it?" in planned and 'id="approval"' in planned and "Ask why" not in planned
    assert "Ask why" in ran


def test_a_campaign_begins_with_a_ready_play_by_page_and_api(shop: FlaskClient, headers: dict[str, str]) -> None:
    page = words(shop.get("/campaigns/_new").text)
    for name in ("Furniture win-back", "Abandoned cart", "Welcome", "Second purchase", "Complaint follow-up"):
        assert f"{name} " in page, name
    begun = shop.post("/campaigns/_plays/welcome")
    assert (begun.status_code, begun.location) == (302, "/campaigns/welcome")
    assert "waits to be started" in shop.get("/campaigns/welcome").text
    assert shop.post("/campaigns/_plays/nothing").status_code == 404
    items = body_of(shop.get("/api/v1/plays", headers=headers))["items"]
    assert len(items) == 5 and body_of(shop.get("/api/v1/plays/welcome", headers=headers))["play"]["journey"]["steps"]
    made = body_of(shop.post("/api/v1/plays/welcome", headers=headers, json={"key": "again"}), 201)
    assert (made["state"], made["segment"]) == ("draft", "first-order-lately")
    assert shop.post("/api/v1/plays/welcome", headers=headers, json={"key": "again"}).status_code == 409


def test_the_shell_says_why_too(shop: FlaskClient, shop_database: Database, tmp_path: Path) -> None:
    settings = read_settings({
        "WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
        "WINBACK_DATABASE_URL": f"sqlite:///{shop_database.path}"})
    said = CliRunner().invoke(why, ["c1", "spring"], obj=Context(settings))
    assert said.exit_code == 0 and "Spring" in said.output

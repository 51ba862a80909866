"""The doors of programs that are told, of quiet hours and caps, and of arms: pages and API do the same."""

import re
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from core.database import Database
from journeys.editing.editing import journey_by_key, save_draft
from tests.conftest import NOW
from tests.journeys.shop import with_steps
from tests.web.test_campaign_pages import words
from tests.web.test_journey_doors import release
from web.security.keys import issue_key

STEPS: dict[str, Any] = {
    **with_steps(
        split={"kind": "split", "arms": {"A": 10, "B": 10}, "rest": {"percent": 80, "by": "margin"},
               "next": {"A": "best", "B": "best"}},
        best={"kind": "best_arm", "arms": ["X", "Y"], "next": {"X": "tell", "Y": "end"}},
        tell={"kind": "webhook", "receiver": "erp", "data": {"priority": "high"}, "next": "end"},
        end={"kind": "leave"}), "name": "New kinds", "entry": {"api": True}}


def test_a_program_is_added_changed_and_its_secret_shown_once(
    sign_in: Callable[..., FlaskClient], api_key: Callable[..., dict[str, str]]
) -> None:
    admin, key = sign_in("admin"), api_key("read", "write")
    made = admin.post("/settings/receivers", data={"key": "erp", "name": "ERP", "url": "https://erp.example/in"})
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text)
    assert made.status_code == 200 and secret and made.headers["Cache-Control"] == "no-store"
    shown = admin.get("/settings/receivers").text
    assert "https://erp.example/in" in shown and secret[0] not in shown and "0 delivered" in words(shown)
    assert admin.post("/settings/receivers", data={"key": "ERP!", "name": "x", "url": "https://a.example"}
                      ).status_code == 400
    assert admin.post("/settings/receivers/erp", data={"name": "ERP", "url": "ftp://x"}).status_code == 400
    assert admin.post("/settings/receivers/erp", data={"do": "off"}).status_code == 302
    assert admin.get("/api/v1/receivers/erp", headers=key).json == {
        "key": "erp", "name": "ERP", "url": "https://erp.example/in", "active": False, "calls": {}}
    again = admin.post("/settings/receivers/erp", data={"do": "secret"}).text
    assert "whsec_" in again and secret[0] not in again
    new = admin.put("/api/v1/receivers/crm", json={"name": "CRM", "url": "https://crm.example"}, headers=key)
    assert new.status_code == 201 and new.json["secret"].startswith("whsec_")
    changed = admin.put("/api/v1/receivers/crm", json={"active": False}, headers=key)
    assert changed.status_code == 200 and "secret" not in changed.json and not changed.json["active"]
    assert [each["key"] for each in admin.get("/api/v1/receivers", headers=key).json["items"]] == ["crm", "erp"]
    assert admin.put("/api/v1/receivers/x", json={"name": "X", "url": "nowhere"}, headers=key).status_code == 400
    assert admin.get("/api/v1/receivers/none", headers=key).status_code == 404
    assert sign_in("marketer").get("/settings/receivers").status_code == 403


def test_quiet_hours_and_caps_are_set_by_page_and_by_api(
    sign_in: Callable[..., FlaskClient], api_key: Callable[..., dict[str, str]]
) -> None:
    admin, key = sign_in("admin"), api_key("read", "write")
    form = {"zone": "Europe/Berlin", "email.from": "21:00", "email.until": "08:00", "phone.day6": "on",
            "letter.count": "1", "letter.days": "30", "together.count": "3", "together.days": "7"}
    assert admin.post("/settings/contact", data=form).status_code == 302
    kept = admin.get("/api/v1/settings/contact-rules", headers=key).json
    assert kept["together"] == {"count": 3, "days": 7} and kept["channels"]["phone"]["rest_days"] == [6]
    assert kept["channels"]["email"]["rest"] == {"from": "21:00", "until": "08:00"}
    assert 'value="21:00"' in admin.get("/settings/contact").text
    for wrong in ({**form, "email.until": "21:00"}, {**form, "together.days": "x"}, {**form, "zone": "Mars"}):
        assert admin.post("/settings/contact", data=wrong).status_code == 400
    assert admin.put("/api/v1/settings/contact-rules", json={"together": {"count": 0, "days": 1}}, headers=key
                     ).status_code == 400
    assert admin.put("/api/v1/settings/contact-rules", json={}, headers=key).json["together"] is None


def test_arms_are_told_in_words_and_a_winner_is_chosen_by_hand_once(
    shop: FlaskClient, shop_database: Database
) -> None:
    with shop_database.writing() as session:
        save_draft(session, "second", STEPS, campaign_id=journey_by_key(session, "second").campaign_id, now=NOW)
    told = words(shop.get("/journeys/second?draft=yes").text)
    for expected in ("wait until an arm has won, by margin per person within 7 days", "none less often than 5 %",
                     "Tell “erp” (journey.step) who came here, with priority high", "There is no receiver called erp"):
        assert expected in told, expected
    steps = {**STEPS["steps"], "best": {**STEPS["steps"]["best"], "next": {"X": "end", "Y": "end"}}}
    release(shop_database, {**STEPS, "steps": {name: step for name, step in steps.items() if name != "tell"}},
            key="second")
    assert "80.0 % wait for the arm that wins" in words(shop.get("/journeys/second").text)
    assert shop.post("/journeys/second/winner", data={"step": "split", "arm": "B"}).status_code == 302
    assert "“B” goes to the rest" in words(shop.get("/journeys/second").text)
    with shop_database.writing() as session:
        key = {"Authorization": f"Bearer {issue_key(session, 'test', scopes=('read', 'write'), now=NOW)}"}
    found = shop.get("/api/v1/journeys/second/arms", headers=key).json
    assert found["decisions"][0]["arm"] == "B" and found["shares"] == {}
    assert shop.post("/api/v1/journeys/second/winner", json={"step": "split", "arm": "A"}, headers=key
                     ).status_code == 409
    assert shop.post("/api/v1/journeys/second/winner", json={"step": "none", "arm": "A"}, headers=key
                     ).status_code == 404

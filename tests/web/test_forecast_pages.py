"""Forecast, repair and campaigns as files, over page and API."""

import io
import json
import os
import re
import time
from html import escape, unescape
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from campaigns.models import Campaign
from core.database import Database
from core.settings import read_settings
from coupons.models import Offer
from journeys.editing.file_text import read_text
from journeys.forecasting.asking import is_waiting
from journeys.models import Forecast, Journey
from tests.web.conftest import browser_of
from tests.web.test_api_plans import body_of, headers
from tests.web.test_campaign_pages import words
from web.models import AuditEntry
from winback.context import Context
from winback.forecaster import answer_all, answer_one

__all__ = ["headers"]


def worked_out(database: Database, folder: Path, shop: FlaskClient) -> bool:
    """What a worker's forecaster does once."""
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                              "WINBACK_DATABASE_URL": f"sqlite:///{database.path}"})
    context = Context(settings)
    return answer_one(context, database, worker=7, now=context.now())


def test_a_forecast_is_asked_for_waited_for_and_read(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str], tmp_path: Path
) -> None:
    assert "Plays the journey" in words(shop.get("/campaigns/second/forecast").text)
    assert 'hx-get="/campaigns/second/forecast/strip"' in shop.get("/campaigns/second").text
    wrong = shop.post("/campaigns/second/forecast", data={"days": "400", "redemption_rate": "5"})
    assert wrong.status_code == 400 and "cannot be foreseen" in wrong.text
    assert shop.post("/campaigns/second/forecast", data={"days": "x"}).status_code == 400
    asked = shop.post("/campaigns/second/forecast", data={"days": "20", "redemption_rate": "5", "order_rate": "2 %"})
    assert (asked.status_code, asked.location) == (302, "/campaigns/second/forecast")
    waiting = shop.get("/campaigns/second/forecast/strip?here=yes")
    assert "being played through" in waiting.text and "HX-Refresh" not in waiting.headers
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert analyst.post("/campaigns/second/forecast", data={"days": "20"}).status_code == 403

    assert worked_out(shop_database, tmp_path, shop) and not worked_out(shop_database, tmp_path, shop)
    page = words(shop.get("/campaigns/second/forecast").text)
    for said in ("Step by step", "Day by day", "Messages a day", "Redemptions", "How this was worked out", "as given"):
        assert said in page, said
    assert "Newsletter" in page and "<b>mail_a</b>" not in page
    with shop_database.reading() as session:
        offers = {each.key: each.name for each in session.scalars(select(Offer))}
        answer = session.scalars(select(Forecast)).one().answer or {}
    needed = [each["offer"] for each in answer["codes"]]
    assert needed and all(offers[key] in page for key in needed)
    first = answer["steps"][0]
    assert sum(first["by_day"].values()) == answer["audience"]["entered"]  # the column of who begins
    assert any(step["step"].startswith("mail") for step in answer["steps"]) and "<b>Send</b>" not in page
    beside = shop.get("/campaigns/second/forecast/strip")
    assert "Cost" in words(beside.text) and "People" in words(beside.text) and "HX-Refresh" not in beside.headers
    assert shop.get("/campaigns/second/forecast/strip?here=yes").headers["HX-Refresh"] == "true"

    made = body_of(shop.post("/api/v1/campaigns/second/forecasts", headers=headers, json={"days": 5}), 202)
    assert made["state"] == "asked" and made["answer"] is None
    assert worked_out(shop_database, tmp_path, shop)
    done = body_of(shop.get(f"/api/v1/campaigns/second/forecasts/{made['id']}", headers=headers))
    assert done["state"] == "done" and done["answer"]["audience"]["entered"] > 0
    assert {"steps", "messages", "codes", "cost", "stopped", "response", "power", "worth"} <= set(done["answer"])
    instants = [done["asked_at"], done["finished_at"], *(done["answer"][name] for name in ("as_of", "from", "until"))]
    assert all(each.endswith("Z") for each in instants), instants
    assert shop.get("/api/v1/campaigns/second/forecasts/999", headers=headers).status_code == 404
    for asked_wrongly in ({"order_rate": 2}, {"days": 0}, {"days": 91}):
        refused = shop.post("/api/v1/campaigns/second/forecasts", headers=headers, json=asked_wrongly)
        assert refused.status_code in (400, 422), asked_wrongly
    with shop_database.writing() as session:
        session.scalars(select(Campaign).where(Campaign.key == "second")).one().state = "ended"
    over = shop.post("/api/v1/campaigns/second/forecasts", headers=headers, json={"days": 5})
    assert over.status_code == 400 and "is over" in over.text
    assert "is over" in shop.post("/campaigns/second/forecast", data={"days": "5"}).text


def test_the_worker_s_command_answers_all_and_clears_what_a_killed_one_left(
    shop: FlaskClient, shop_database: Database, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    settings = read_settings({"WINBACK_HOME": str(home), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                              "WINBACK_DATABASE_URL": f"sqlite:///{shop_database.path}"})
    for name, age in (("forecast-old", 9_000), ("forecast-new", 0)):
        (home / name).mkdir(parents=True)
        os.utime(home / name, (time.time() - age, time.time() - age))
    assert shop.post("/campaigns/second/forecast", data={"days": "2"}).status_code == 302
    assert is_waiting(shop_database) and answer_all(Context(settings)) == 1 and not is_waiting(shop_database)
    assert [path.name for path in home.glob("forecast-*")] == ["forecast-new"]


def test_what_cannot_happen_is_said_instead_of_a_forecast(
    shop: FlaskClient, shop_database: Database, tmp_path: Path
) -> None:
    with shop_database.writing() as session:
        journey = session.scalars(select(Journey).where(Journey.key == "second")).one()
        journey.draft = {**journey.draft, "start": "nowhere"}
    assert shop.post("/campaigns/second/forecast", data={}).status_code == 302
    assert worked_out(shop_database, tmp_path, shop)
    strip = words(shop.get("/campaigns/second/forecast/strip").text)
    assert "nowhere" in strip


def test_a_wrong_text_is_repaired_by_page_and_api(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    lines = body_of(shop.get("/api/v1/campaigns/spring/repair", headers=headers))["items"]
    assert lines and lines[0]["out"] > 0
    wrong = {"content": lines[0]["content"], "revision": lines[0]["revision"]}
    page = shop.get("/campaigns/spring/repair").text
    assert "This was wrong" in page and "Stop and repair" in page
    opened = [unescape(href) for href in re.findall(r'href="(/campaigns/spring/repair/people[^"]*)">', page)]
    assert len(opened) == sum((each["out"] > 0) + (each["waiting"] > 0) for each in lines)
    for href in opened:
        assert int(re.search(rf'{re.escape(escape(href))}">(\d+)</a>', page)[1]) == shop.get(href).text.count(
            '<tr><th scope="row">'), href
    assert shop.get("/campaigns/spring/repair/people?content=x&revision=1").status_code == 404
    assert shop.get("/campaigns/spring/repair/people?content=x&revision=no").status_code == 400
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert analyst.post("/campaigns/spring/repair", data=wrong).status_code == 403
    assert "This was wrong" not in analyst.get("/campaigns/spring/repair").text
    done = words(shop.post("/campaigns/spring/repair", data=wrong).text)
    assert "taken back" in done and "The correction to them is drafted" in done
    again = body_of(shop.post("/api/v1/campaigns/spring/repair", headers=headers, json=wrong))
    assert again["listed"] == lines[0]["out"] and again["correction"] == "spring-correction"
    assert "waits to be started" in shop.get("/campaigns/spring-correction").text
    assert shop.post("/campaigns/spring/repair", data={"content": "x", "revision": "no"}).status_code == 400
    with shop_database.reading() as session:
        assert "campaign.repaired" in set(session.scalars(select(AuditEntry.verb)))


def test_a_campaign_leaves_as_a_file_and_comes_back_by_page_and_api(
    shop: FlaskClient, headers: dict[str, str]
) -> None:
    sent = shop.get("/campaigns/second/file")
    assert sent.headers["Content-Disposition"] == 'attachment; filename="second.json"'
    bundle = json.loads(sent.text)
    assert body_of(shop.get("/api/v1/campaigns/second/file", headers=headers)) == bundle
    third = json.dumps({**bundle, "key": "third"}).encode()
    brought = shop.post("/campaigns/_file", data={"file": (io.BytesIO(third), "third.json")})
    assert (brought.status_code, brought.location) == (302, "/campaigns/third")
    made = body_of(shop.post("/api/v1/campaign-files", headers=headers, json={**bundle, "key": "fourth"}))
    assert made == {"campaign": "fourth", "journey": "fourth", "draft_version": 1}
    assert shop.post("/campaigns/_file", data={"file": (io.BytesIO(b"no"), "x.json")}).status_code == 400
    as_yaml = shop.get("/api/v1/campaigns/second/file?format=yaml", headers=headers)
    assert as_yaml.mimetype == "application/yaml" and read_text(as_yaml.text, as_yaml=True).value == bundle
    assert shop.get("/api/v1/campaigns/second/file?format=xml", headers=headers).status_code == 400
    schema = body_of(shop.get("/api/v1/campaign-files/schema", headers=headers))
    assert schema["properties"]["journey"]["type"] == "object"


def test_a_program_sends_a_campaigns_file_as_yaml_and_has_it_checked_before(
    shop: FlaskClient, shop_database: Database, headers: dict[str, str]
) -> None:
    text = shop.get("/api/v1/campaigns/second/file?format=yaml", headers=headers).text.replace(
        "key: second", "key: from-yaml")

    def send(path: str, body: str, kind: str = "application/yaml") -> Any:
        return shop.post(f"/api/v1/{path}", headers=headers, data=body.encode(), content_type=kind)

    assert body_of(send("campaign-files/check", text)) == {"valid": True, "problems": []}
    worse = text.replace("timezone: Europe/Berlin", "timezone: Mars/Phobos")
    [problem] = body_of(send("campaign-files/check", worse))["problems"]
    assert problem["place"] == "campaign.timezone" and "no such time zone" in problem["message"]
    nowhere = read_text(text, as_yaml=True).value
    nowhere["journey"]["start"] = "nowhere"
    found = body_of(shop.post("/api/v1/campaign-files/check", headers=headers, json=nowhere))
    assert not found["valid"] and found["problems"][0]["place"] == "start"
    with shop_database.reading() as session:
        assert session.scalars(select(Campaign).where(Campaign.key == "from-yaml")).first() is None
    assert body_of(send("campaign-files", text))["campaign"] == "from-yaml"
    for body, told in (("a: 1\nb: *x\n", "line 2, column 4: aliases"), ("a: !!binary x\n", "line 1, column 4: tags"),
                       ("- a\n", "a YAML object"), ("a: 1\na: 2\n", "line 2"), ("a: \x07", "characters")):
        refused = send("campaign-files", body)
        assert refused.status_code == 400 and told in body_of(refused, 400)["detail"], body
    assert send("campaign-files", "a", "text/csv").status_code == 400
    assert shop.post("/api/v1/campaign-files", headers=headers, data=b"\xff", content_type="text/yaml"
                     ).status_code == 400
    assert send("segments/count", "rule: {all: []}").status_code == 400, "only files come as YAML"

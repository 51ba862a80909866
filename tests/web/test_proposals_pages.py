"""The proposals: every number leads to the builder with the rule of its people, and nothing is saved by itself."""

import html
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from campaigns.models import Campaign, PastPerson
from core import clock
from core.database import Database
from core.settings import Settings, read_settings
from coupons.models import Redemption
from reporting.past_response import past_response
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.saving.saved import list_segments
from tests.segments.test_proposals import PEOPLE, fill, naive_places
from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_look


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """A hundred and fifty people with orders and scores, and one campaign of the past, 200 days ago."""
    _furnish(sqlite_database, now)
    return sqlite_database


def _furnish(database: Database, now: datetime) -> None:
    fill(database, now)
    with database.writing() as session:
        clock.stand_at(session.connection(), now)
        past = Campaign(key="past", name="Spring & letter", kind="TypeA", state="history", timezone="UTC",
                        starts_on=(now - timedelta(days=200)).date(), ends_on=(now - timedelta(days=170)).date(),
                        goal_categories=[], created_at=now, updated_at=now)
        session.add(past)
        session.flush()
        session.add_all(PastPerson(campaign_id=past.id, customer_id=who) for who in range(1, PEOPLE))
        session.add_all(
            Redemption(public_id=f"h{who}", external_id=f"h{who}", code_text=f"OLD{who}", campaign="past",
                       customer_id=who, discount_cents=500, currency="EUR", state="redeemed", history=True,
                       redeemed_at=now - timedelta(days=195)) for who in range(4, PEOPLE, 4))


@pytest.fixture
def settings(database: Database, tmp_path: Any) -> Settings:
    return read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                          "WINBACK_DATABASE_URL": f"sqlite:///{database.path}"})


def proposals(page: str) -> list[tuple[dict[str, Any], str]]:
    """The rules and names of all links into the builder."""
    found = []
    for address in re.findall(r'href="(/segments/_new\?[^"]*rule=[^"]+)"', page):
        asked = parse_qs(urlsplit(html.unescape(address)).query)
        found.append((json.loads(asked["rule"][0]), asked["name"][0]))
    return found


def test_past_response_stands_where_people_stood_when_the_campaign_started(
    database: Database, settings: Settings, now: datetime
) -> None:
    found = past_response(Questions(database, settings), now=now)
    stood = {who: place for who, place in naive_places(200).items() if who < PEOPLE}
    people = Counter(stood.values())
    redeemers = Counter(place for who, place in stood.items() if who % 4 == 0)
    assert {place: (count.n, count.hits) for place, count in found.cells.items()} == {
        place: (count, redeemers[place]) for place, count in people.items()}
    assert (found.campaigns, found.left_out, found.unplaced) == (("Spring & letter",), 0, PEOPLE - 1 - len(stood))
    assert found.pooled(people).estimate == pytest.approx(sum(redeemers.values()) / len(stood))
    assert not found.enough([(9, 9)]) and found.enough(people)


def test_every_proposal_of_every_page_opens_the_builder_with_a_rule_that_finds_its_people(
    marketer: FlaskClient, database: Database, settings: Settings, now: datetime
) -> None:
    asker, rules = Questions(database, settings), []
    for path in ("/proposals", "/proposals/together", "/proposals/together?by=brand", "/proposals/rhythm"):
        page = marketer.get(path)
        assert page.status_code == 200, path
        found = proposals(page.text)
        assert found, path
        rules += found
    for rule, _name in rules:
        assert asker.count(parse_rule(rule), as_of=now).value > 0
    name = rules[-1][1]
    opened = marketer.get("/segments/_new", query_string={"rule": json.dumps(rules[0][0]), "name": name}).text
    assert name in html.unescape(opened)
    with database.reading() as session:
        assert list_segments(session) == []


def test_chosen_cells_say_their_people_and_become_one_rule(marketer: FlaskClient) -> None:
    page = marketer.get("/proposals?show=people").text
    cells = re.findall(r'name="cell" value="([0-9:]+)"', page)[:2]
    said = marketer.get("/proposals/selection", query_string={"cell": cells}).text
    assert re.search(r"\d+ people\.</b>", said) and "Make segment" in said
    answer = marketer.get("/proposals/segment", query_string={"cell": cells})
    assert answer.status_code == 303
    rule = json.loads(parse_qs(urlsplit(answer.headers["Location"]).query)["rule"][0])
    assert "score" in json.dumps(rule)
    assert marketer.get("/proposals/segment").headers["Location"].endswith("/proposals")
    for wrong in ("9:9", "x", "1:2:3"):
        assert marketer.get("/proposals/selection", query_string={"cell": wrong}).status_code == 400, wrong


def test_a_large_base_without_a_mirror_says_that_it_is_being_built(marketer: FlaskClient, app: Flask) -> None:
    app.extensions["winback.questions"] = Questions(app.extensions["winback.database"],
                                                    app.extensions["winback.settings"], engine="mirror")
    for path in ("/proposals", "/proposals/together", "/proposals/rhythm", "/proposals/selection?cell=1:1"):
        assert marketer.get(path).status_code == 503, path


@pytest.mark.browser
@pytest.mark.deeper
@TWO_LOOKS
def test_a_cell_is_toggled_by_keyboard_and_the_pages_fit_the_screen(
    live: Live, now: datetime, width: int, scheme: str
) -> None:
    _furnish(live.database, now)
    page = live.open("/proposals", width=width, scheme=scheme)
    page.locator("input[name=cell]").first.focus()
    page.keyboard.press("Space")
    page.locator("#chosen b").first.wait_for()
    for path in ("", "/proposals/together", "/proposals/rhythm"):
        if path:
            page.goto(path)
        check_look(page, width)

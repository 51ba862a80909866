"""The pages of segments, asked as a browser without JavaScript and as htmx would."""

import html
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from campaigns.models import Campaign
from core import clock
from core.database import Database
from core.settings import Settings, read_settings
from customers.models import Order
from segments.language.rules import MAX_DEPTH, parse_rule
from segments.saving.filing import archive_segment
from segments.saving.saved import save_segment, segment_by_key, versions_of
from tests.conftest import PROOFS
from tests.web.conftest import make_app
from tests.web.people import make_people

LAPSED = {"all": [
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "equals": 0}]}
HTMX = {"HX-Request": "true"}
HOSTILE = ["<script>alert(1)</script>", "\u202eتنافر " * 20, "🧨" * 100, "x" * 10_000, "'; DROP TABLE segments; --",
           "{{ 7 * 7 }}", "\x00null", "&lt;b&gt;"]


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """Pages do not depend on the engine: SQLite only, with eight people."""
    make_people(sqlite_database, now=now)
    return sqlite_database


@pytest.fixture
def settings(database: Database, tmp_path: Any) -> Settings:
    return read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                          "WINBACK_DATABASE_URL": f"sqlite:///{database.path}"})


@pytest.fixture
def app(settings: Settings, database: Database, now: datetime) -> Flask:
    with database.writing() as session:
        clock.stand_at(session.connection(), now)
    return make_app(settings, database)


def save(database: Database, now: datetime, key: str = "lapsed", rule: dict[str, Any] = LAPSED, **more: Any) -> None:
    with database.writing() as session:
        save_segment(session, key, name=more.pop("name", "Lapsed buyers"), rule=parse_rule(rule),
                     author="Jonas", now=now, **more)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"(?: [^>]*?)? value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def form(rule: Any, **fields: Any) -> dict[str, Any]:
    return {"rule": rule if isinstance(rule, str) else json.dumps(rule), **fields}


def rule_of(page: str) -> Any:
    return json.loads(hidden(page, "rule"))


def numbers(client: FlaskClient, rule: Any, **fields: Any) -> tuple[dict[str, Any], str]:
    """What the page shows when every figure has come in, and all of their text."""
    text = ""
    shown: dict[str, Any] = {}
    for name in ("numbers", "lines", "sample", "reach"):
        answer = client.post(f"/segments/_{name}", data=form(rule, **fields), headers=HTMX)
        assert answer.status_code == 200
        for part, carried in re.findall(r'id="(shown|lefts)"[^>]*value="([^"]*)"', answer.text):
            found = json.loads(html.unescape(carried))
            shown |= {"lefts": found["lefts"]} if part == "lefts" else {**found, "lefts": shown.get("lefts")}
        text += answer.text
    return shown, text


def test_the_empty_list_says_what_a_segment_is_and_offers_three_questions(marketer: FlaskClient) -> None:
    page = marketer.get("/segments").text
    assert "No segments yet" in page
    questions = re.findall(r'href="(/segments/_new\?question=[a-z]+)"', page)
    assert len(questions) == 3
    for address in questions:
        assert rule_of(marketer.get(address).text)["all"]


def test_the_list_shows_each_segment_with_its_sentence_and_asks_for_sizes(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now)
    page = marketer.get("/segments").text
    assert "Lapsed buyers" in page
    assert "furniture" in page
    size = marketer.get("/segments/lapsed/size").text
    assert "<b>3</b>" in size
    assert "as of 10:00" in size


def test_numbers_say_who_is_left_after_each_line_who_can_be_reached_and_why_they_are_in(marketer: FlaskClient) -> None:
    shown, page = numbers(marketer, LAPSED)
    assert (shown["total"], shown["lefts"], shown["reachable"]) == (3, {"0": 4, "1": 3}, 2)
    assert "Said no to letters" in page
    assert "Nora3 &lt;b&gt;Weiß" in page
    assert "last furniture" in page
    assert "2 can be reached" in page


def test_a_wrong_line_has_a_dash_and_the_lines_before_it_keep_their_numbers(marketer: FlaskClient) -> None:
    rule = {"all": [LAPSED["all"][0], {"orders": "revenue", "at_least": "many"}, {"segment": "gone"}]}
    shown, page = numbers(marketer, rule)
    assert (shown["total"], shown["lefts"]) == (None, {"0": 4, "1": None, "2": None})
    builder = marketer.post("/segments/_builder", data=form(rule), headers=HTMX).text
    assert "v verr" in builder
    assert "“many” is no number." in builder
    assert "There is no segment “gone”." in builder
    assert "Mend the line in red" in page


def test_mixed_currencies_are_refused_with_the_way_out(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    with database.writing() as session:
        session.add(Order(id=99, external_id="x", customer_id=1, ordered_at=now - timedelta(days=3), currency="SEK",
                          total_cents=100))
    _shown, page = numbers(marketer, {"all": [{"orders": "revenue", "at_least": 1}]})
    assert "EUR, SEK" in page
    assert "Name one" in page


def test_each_change_answers_with_the_builder_and_keeps_what_was_typed(marketer: FlaskClient) -> None:
    page = marketer.post("/segments/_builder", data=form({"all": []}, do="add::bought"), headers=HTMX).text
    rule = rule_of(page)
    assert rule["all"][0]["orders"] == "count"
    page = marketer.post("/segments/_builder", headers=HTMX, data={
        **form(rule, past=hidden(page, "past"), open="0-where"), "r0-where.category.there": "",
        "r0-where.category": ["furniture", "lighting"], "r0-where.category.add": " garden ", "r0-window": "last_days",
        "r0-window.n": "90", "r0-op": "at_least", "r0-value": "2", "r0-measure": "count"}).text
    assert rule_of(page)["all"][0] == {
        "orders": "count", "where": {"category": ["furniture", "lighting", "garden"]}, "window": {"last_days": 90},
        "at_least": 2}
    assert 'data-chip="0-where" open' in page
    undone = marketer.post("/segments/_builder", headers=HTMX, data=form(
        rule_of(page), past=hidden(page, "past"), do="undo")).text
    assert rule_of(undone) == rule


def test_an_impossible_command_says_so_and_loses_nothing(marketer: FlaskClient) -> None:
    page = marketer.post("/segments/_builder", data=form(LAPSED, do="delete:7"), headers=HTMX).text
    assert "This line is not there any more" in page
    assert rule_of(page) == LAPSED


def test_without_javascript_a_change_answers_with_the_whole_page_and_its_numbers(marketer: FlaskClient) -> None:
    page = marketer.post("/segments/_builder", data=form(LAPSED, do="refresh", name="Mine")).text
    assert "<title>Mine" in page
    assert '<div class="fig">3</div>' in page


def test_saving_makes_a_version_and_the_same_rule_again_makes_none(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    answer = marketer.post("/segments/_builder", data=form(LAPSED, do="save", name="Lapsed Bürger & Söhne"))
    assert (answer.status_code, answer.location) == (303, "/segments/lapsed-burger-sohne")
    page = marketer.get(answer.location).text
    assert "saved as version 1." in page
    key, seen = hidden(page, "key"), hidden(page, "seen_version")
    changed = {"all": [*LAPSED["all"], {"consent": "email", "is": "granted"}]}
    answer = marketer.post("/segments/_builder", headers=HTMX, data=form(
        changed, do="save", key=key, seen_version=seen, name="Lapsed"))
    assert answer.headers["HX-Redirect"] == f"/segments/{key}"
    marketer.post("/segments/_builder", data=form(changed, do="save", key=key, seen_version="2", name="Lapsed"))
    with database.reading() as session:
        assert [(v.number, v.author) for v in versions_of(session, key)] == [
            (2, "marketer person"), (1, "marketer person")]


def test_a_second_segment_of_one_name_gets_a_key_of_its_own_and_a_taken_key_is_refused(marketer: FlaskClient) -> None:
    for expected in ("/segments/twice", "/segments/twice-2"):
        assert marketer.post("/segments/_builder", data=form(LAPSED, do="save", name="Twice")).location == expected
    answer = marketer.post("/segments/_builder", data=form(LAPSED, do="save", name="Thrice", new_key="twice"))
    assert answer.status_code == 422
    assert "with the key twice already" in answer.text
    assert rule_of(answer.text) == LAPSED


@pytest.mark.parametrize(("rule", "name", "said"), [
    (LAPSED, "", "Give the segment a name"),
    ({"all": [{"orders": "count", "at_least": ""}]}, "N", "Needs a number"),
    ({"all": [{"segment": "gone"}]}, "N", "There is no segment"),
])
def test_what_cannot_be_saved_says_why_and_keeps_the_draft(
    marketer: FlaskClient, rule: Any, name: str, said: str
) -> None:
    answer = marketer.post("/segments/_builder", data=form(rule, do="save", name=name))
    assert answer.status_code == 422
    assert said in html.unescape(answer.text)
    assert rule_of(answer.text) == rule


def test_the_second_of_two_tabs_is_told_and_may_save_over(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now)
    opened = marketer.get("/segments/lapsed").text
    save(database, now, rule={"all": []})
    mine = {"all": LAPSED["all"][:1]}
    data = form(mine, do="save", key="lapsed", seen_version=hidden(opened, "seen_version"), name="Lapsed buyers")
    answer = marketer.post("/segments/_builder", data=data)
    assert answer.status_code == 409
    assert "Jonas saved version 2 while you were working" in answer.text
    assert rule_of(answer.text) == mine
    newest = hidden(answer.text, "newest")
    over = marketer.post("/segments/_builder", data={**data, "do": "save-over", "newest": newest})
    assert over.status_code == 303
    with database.reading() as session:
        assert [v.rule for v in versions_of(session, "lapsed")] == [mine, {"all": []}, LAPSED]


def test_going_back_to_an_older_version_saves_it_as_the_newest(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now)
    save(database, now, rule={"all": []})
    assert rule_of(marketer.get("/segments/lapsed?version=1").text) == LAPSED
    marketer.post("/segments/lapsed/versions/1/restore")
    with database.reading() as session:
        assert [v.rule for v in versions_of(session, "lapsed")] == [LAPSED, {"all": []}, LAPSED]
    assert marketer.get("/segments/lapsed?version=9").status_code == 404


def test_a_segment_that_a_campaign_uses_is_not_archived_and_the_campaigns_are_named(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now)
    with database.writing() as session:
        segment_id = segment_by_key(session, "lapsed").id
        for number, state in enumerate(("draft", "ended")):
            session.add(Campaign(key=f"k{number}", name=f"Spring {state}", state=state, segment_id=segment_id,
                                 created_at=now, updated_at=now))
    page = marketer.post("/segments/lapsed/archive", follow_redirects=True).text
    assert "Not archived: “Lapsed buyers” is used by the campaign “Spring draft”." in page
    with database.writing() as session:
        session.query(Campaign).update({"state": "ended"})
    marketer.post("/segments/lapsed/archive")
    assert 'href="/segments/lapsed"' not in marketer.get("/segments").text
    assert "Lapsed buyers" in marketer.get("/segments?show=archived").text
    marketer.post("/segments/lapsed/unarchive")
    with database.reading() as session:
        assert segment_by_key(session, "lapsed").archived_at is None
        assert segment_by_key(session, "lapsed").version == 1


def test_a_copy_has_a_key_and_a_life_of_its_own(marketer: FlaskClient, database: Database, now: datetime) -> None:
    save(database, now)
    answer = marketer.post("/segments/lapsed/duplicate")
    assert answer.location == "/segments/lapsed-buyers-copy"
    assert rule_of(marketer.get(answer.location).text) == LAPSED


def test_json_that_is_wrong_names_its_place_and_stays(marketer: FlaskClient) -> None:
    text = '{"all": [{"orders": "cuont", "equals": 0}]}'
    page = marketer.post("/segments/_builder", data=form(LAPSED, do="json", json=text), headers=HTMX).text
    assert "all[0].orders: Unknown measure" in html.unescape(page)
    assert "cuont" in page
    assert rule_of(page) == LAPSED
    good = marketer.post("/segments/_builder", data=form(LAPSED, do="json", json='{"segment": "x"}'), headers=HTMX).text
    assert rule_of(good) == {"all": [{"segment": "x"}]}


def test_the_sentence_is_there_in_english_and_german(marketer: FlaskClient) -> None:
    english = marketer.post("/segments/_builder", data=form(LAPSED), headers=HTMX).text
    german = marketer.post("/segments/_builder", data=form(LAPSED, do="language:de"), headers=HTMX).text
    assert 'lang="en"' in english
    assert 'lang="de"' in german
    assert hidden(german, "language") == "de"


def test_pickers_offer_what_is_in_the_data_with_people(marketer: FlaskClient) -> None:
    page = marketer.get("/segments/_choices?source=orders&word=category&name=r0-where.category").text
    assert [(v, int(n)) for v, n in re.findall(r'value="([^"]+)".*?<span>(\d+)</span></label>', page)] == [
        ("furniture", 4), ("lighting", 2)]
    assert "lighting" in marketer.get("/segments/_choices?source=orders&word=category&name=x&q=LIGHT").text
    assert "furniture" not in marketer.get("/segments/_choices?source=orders&word=category&name=x&q=LIGHT").text
    assert "Lübeck" in marketer.get("/segments/_choices?source=customer&word=city&name=x").text
    assert "nothing to choose" in marketer.get("/segments/_choices?source=orders&word=min_unit_price&name=x").text


def test_sentences_name_segments_and_archived_ones_go_on_in_rules_that_name_them(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now, "vip", {"all": []}, name="Best customers")
    save(database, now, "both", {"all": [{"segment": "vip"}, {"segment": "vip"}]}, name="Both")
    assert "in the segment Best customers" in marketer.get("/segments").text
    save(database, now, "old", {"all": []}, name="Old friends")
    with database.writing() as session:
        archive_segment(session, "old", now=now)
    rule = {"all": [{"segment": "old"}]}
    page = marketer.post("/segments/_builder", data=form(rule), headers=HTMX).text
    assert "in the segment Old friends" in page
    assert "v verr" not in page
    assert numbers(marketer, rule)[0]["total"] == 8
    other = marketer.post("/segments/_builder", data=form({"all": [{"segment": ""}]}), headers=HTMX).text
    assert '<option value="old"' not in other
    assert '<option value="vip"' in other


def test_a_tower_of_groups_is_edited_like_any_rule(marketer: FlaskClient) -> None:
    rule: dict[str, Any] = {"customer": "city", "in": ["Lübeck"]}
    for level in range(MAX_DEPTH - 2):
        rule = {("all", "any")[level % 2]: [rule]}
    rule = {"all": [rule]}
    for act in ("refresh", "copy:0", "delete:7", "up:0", "not:0", "group:0"):
        answer = marketer.post("/segments/_builder", data=form(rule, do=act), headers=HTMX)
        assert answer.status_code == 200, act
    assert numbers(marketer, rule)[0]["total"] == 7


@pytest.mark.deeper
@pytest.mark.parametrize("text", HOSTILE if PROOFS else HOSTILE[::4])
def test_hostile_text_in_every_field_comes_back_as_text(marketer: FlaskClient, text: str) -> None:
    rule = {"all": [{"customer": "city", "in": [text]}, {"segment": text}, {"sample": {"percent": 10, "salt": text}},
                    {"orders": "count", "where": {"category": [text]}, "at_least": 1}, {"orders": "revenue",
                                                                                       "at_least": text}]}
    fields = {"name": text, "new_key": text, "open": text, "past": text, "shown": text, "key": ""}
    for act in ("refresh", "save", text):
        answer = marketer.post("/segments/_builder", data=form(rule, do=act, **fields))
        assert answer.status_code in (200, 422)
        assert "<script>alert" not in answer.text
        assert rule_of(answer.text) == rule
    assert marketer.post("/segments/_numbers", data=form(rule, **fields), headers=HTMX).status_code == 200
    assert marketer.get("/segments/_choices", query_string={
        "source": "customer", "word": "city", "q": text, "name": text}).status_code == 200
    assert marketer.get("/segments/_new", query_string={"rule": text, "name": text}).status_code == 200


def test_a_segment_shows_all_its_people_page_by_page(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now, rule={"all": []}, name="Everybody")
    page = marketer.get("/segments/lapsed/people").text
    assert "8 people in “Everybody”" in page
    assert "Nora8" in page
    assert "Nora1 " not in marketer.get("/segments/lapsed/people?after=1").text


def test_looking_and_trying_is_for_everybody_saving_for_marketers(
    sign_in: Callable[..., FlaskClient], database: Database, now: datetime
) -> None:
    analyst = sign_in("analyst")
    assert analyst.post("/segments/_builder", data=form(LAPSED, do="add::spent"), headers=HTMX).status_code == 200
    assert numbers(analyst, LAPSED)[0]["total"] == 3
    assert analyst.post("/segments/_builder", data=form(LAPSED, do="save", name="Mine")).status_code == 403
    save(database, now)
    assert analyst.post("/segments/lapsed/archive").status_code == 403
    with database.reading() as session:
        assert len(versions_of(session, "lapsed")) == 1


def test_there_is_no_segment_under_an_unknown_key(marketer: FlaskClient) -> None:
    for address in ("/segments/nope", "/segments/nope/size", "/segments/nope/people"):
        assert marketer.get(address).status_code == 404
    assert marketer.post("/segments/_builder", data=form(LAPSED, key="nope", do="refresh")).status_code == 404

"""Journey pages: a draft edited as text is never lost, drawing and list say the same, publishing is once."""

import json
import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect
from sqlalchemy import func, select

from core.database import Database
from journeys.editing.editing import journey_by_key
from journeys.models import Version
from tests.journeys.shop import GRAPH
from tests.web.conftest import Live, browser_of
from tests.web.looks import TWO_LOOKS, check_look
from tests.web.test_campaign_pages import words
from web.journeys.layout import BOX_HEIGHT, BOX_WIDTH, lay_out
from web.journeys.words import cut


def draft(database: Database, key: str = "second") -> tuple[dict[str, object], int]:
    """The stored draft and its version."""
    with database.reading() as session:
        journey = journey_by_key(session, key)
        return journey.draft, journey.draft_version


def published(database: Database) -> int:
    """How many versions there are of all journeys."""
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Version)) or 0


def test_the_drawing_and_the_list_carry_the_same_numbers(shop: FlaskClient) -> None:
    page = shop.get("/journeys/winback").text
    drawing, _, listed = page.partition('<ol class="jlist">')
    pills = re.findall(r'class="jnum"[^>]*>([^<]+)<', drawing)
    assert "A " in " ".join(pills) and "now" in drawing
    for pill in pills:
        assert pill.split()[-1] in words(listed), pill
    assert 'aria-hidden="true"' in drawing and "Reminder, same code" in listed


def test_every_number_in_the_list_opens_that_many_people(shop: FlaskClient) -> None:
    page = shop.get("/journeys/winback").text
    links = re.findall(r'href="(/journeys/winback/people\?[^"]*)"[^>]*>([\d,]+)', page)
    assert len(links) > 8
    for href, number in links:
        listed = shop.get(unescape(href)).text
        shown = len(re.findall(r'<th scope="row">', listed))
        assert shown == min(int(number.replace(",", "")), 100), href


def test_the_editor_lays_the_steps_out_as_people_walk_them_on_every_database(
    shop: FlaskClient, shop_database: Database
) -> None:
    stored, version = draft(shop_database)
    mixed = {**stored, "steps": dict(sorted(stored["steps"].items(), key=lambda each: (len(each[0]), each[0])))}  # type: ignore[attr-defined]
    shop.post("/journeys/second/edit", data={"draft": json.dumps(mixed), "version": str(version), "act": "save"})
    page = shop.get("/journeys/second/edit").text
    shown = json.loads(unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1]))  # type: ignore[index]
    assert shown == mixed
    assert next(iter(shown["steps"])) == shown["start"]
    assert all(next(iter(step)) == "kind" for step in shown["steps"].values())


def test_a_draft_with_problems_is_saved_and_every_problem_is_listed_with_its_fix(
    shop: FlaskClient, shop_database: Database
) -> None:
    _, version = draft(shop_database)
    broken = {**GRAPH, "start": "nowhere", "steps": {**GRAPH["steps"], "mail_a": {
        "kind": "send", "content": "missing", "offer": "none", "next": "gone", "chanel": "email"}}}
    answer = shop.post("/journeys/second/edit", data={
        "draft": json.dumps(broken), "version": str(version), "act": "save"}, follow_redirects=True)
    page = words(answer.text)
    for told in ("There is no step called nowhere", "There is no content called missing", "no offer called none",
                 "There is no step called gone", "Did you mean channel?"):
        assert told in page
    assert 'data-find="steps.mail_a.content"' in answer.text
    assert draft(shop_database)[0] == broken
    assert "to mend" in words(shop.get("/journeys/second").text)
    assert shop.post("/journeys/second/publish", data={"version": str(version + 1), "number": "1"}).status_code == 302
    assert published(shop_database) == 1


def test_checking_changes_nothing(shop: FlaskClient, shop_database: Database) -> None:
    before = draft(shop_database)
    answer = shop.post("/journeys/second/edit", data={"draft": '{"steps": {}}', "version": "1", "act": "check"})
    assert answer.status_code == 200 and "The journey has no steps" in answer.text
    assert draft(shop_database) == before


@pytest.mark.parametrize("typed", [
    "", "{", '{"a": NaN}', "[1, 2]", "null", '"text"', "{" * 5000, "[" * 100_000, '{"a": "\\u0000"}',
    '{"steps": ' + "9" * 5000 + "}", "x" * 500_001, '{"name": "<script>alert(1)</script>"',
])
def test_what_is_no_journey_is_told_and_stays_in_the_field(
    shop: FlaskClient, shop_database: Database, typed: str
) -> None:
    before = draft(shop_database)
    answer = shop.post("/journeys/second/edit", data={"draft": typed, "version": str(before[1]), "act": "save"})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert unescape(answer.text).count(typed[:2000]) >= 1
    assert draft(shop_database) == before


def test_two_tabs_on_one_draft_keep_both_texts(shop: FlaskClient, shop_database: Database) -> None:
    _, version = draft(shop_database)
    mine, theirs = {**GRAPH, "name": "Mine"}, {**GRAPH, "name": "Theirs"}
    first = shop.post("/journeys/second/edit", data={"draft": json.dumps(theirs), "version": str(version)})
    second = shop.post("/journeys/second/edit", data={"draft": json.dumps(mine), "version": str(version)})
    assert (first.status_code, second.status_code) == (302, 409)
    assert "Mine" in second.text and "nothing was overwritten" in second.text
    assert draft(shop_database)[0]["name"] == "Theirs"


def test_publishing_twice_is_once(shop: FlaskClient, shop_database: Database) -> None:
    _, version = draft(shop_database)
    form = {"version": str(version), "number": "1"}
    assert shop.post("/journeys/second/publish", data=form).status_code == 302
    assert shop.post("/journeys/second/publish", data=form).status_code == 409
    assert published(shop_database) == 2


def test_what_somebody_changed_meanwhile_is_not_published_unseen(shop: FlaskClient, shop_database: Database) -> None:
    _, version = draft(shop_database)
    shop.post("/journeys/second/edit", data={"draft": json.dumps({**GRAPH, "name": "Other"}), "version": str(version)})
    answer = shop.post("/journeys/second/publish", data={"version": str(version), "number": "1"})
    assert answer.status_code == 409 and published(shop_database) == 1


@pytest.mark.parametrize("number", ["", "x", "99999999999999999999", "-1"])
def test_publishing_without_having_looked_is_refused(shop: FlaskClient, shop_database: Database, number: str) -> None:
    assert shop.post("/journeys/second/publish", data={"version": number, "number": "1"}).status_code == 400
    assert published(shop_database) == 1


def test_a_journey_pauses_goes_on_and_ends(shop: FlaskClient, shop_database: Database) -> None:
    for act, form, state in (("pause", {}, "paused"), ("resume", {"overdue": "shift"}, "running"),
                             ("end", {}, "ending")):
        assert shop.post(f"/journeys/winback/{act}", data=form).status_code == 302
        with shop_database.reading() as session:
            assert journey_by_key(session, "winback").state == state
    assert shop.post("/journeys/winback/pause").status_code == 409
    assert shop.post("/journeys/second/end").status_code == 409


def test_an_analyst_reads_a_journey_and_changes_nothing(shop: FlaskClient, shop_database: Database) -> None:
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert "Publish" not in analyst.get("/journeys/second").text
    assert analyst.post("/journeys/winback/pause").status_code == 403


def test_versions_that_do_not_exist_are_not_found(shop: FlaskClient) -> None:
    assert shop.get("/journeys/winback?version=7").status_code == 404
    assert shop.get("/journeys/winback?version=99999999999").status_code == 404
    assert shop.get("/journeys/second/people").status_code == 404
    assert shop.get("/journeys/winback?version=1").status_code == 200


def test_half_a_draft_is_drawn_as_far_as_it_can_be_read(shop: FlaskClient, shop_database: Database) -> None:
    _, version = draft(shop_database)
    half = {"start": "a", "steps": {"a": {"kind": "wait", "days": 1, "next": "b"}, "b": {"kind": "dance"},
                                    "c": {"kind": "wait", "days": 2, "next": "a"}}}
    shop.post("/journeys/second/edit", data={"draft": json.dumps(half), "version": str(version)})
    page = shop.get("/journeys/second").text
    assert page.count('class="jcard') == 4  # entry, the two steps that can be read, the hold-out
    shop.post("/journeys/second/edit", data={"draft": "{}", "version": str(version + 1)})
    assert "Nothing to draw yet" in shop.get("/journeys/second").text


KEYS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=10, unique=True)


@settings(max_examples=60, deadline=None)
@given(KEYS, st.lists(st.tuples(st.sampled_from("abcdefghijk"), st.sampled_from("abcdefghijk")), max_size=25))
def test_no_two_boxes_overlap_and_everything_is_inside_the_drawing(
    keys: list[str], ways: list[tuple[str, str]]
) -> None:
    drawn = lay_out(keys, ways, start=keys[0])
    assert [box.key for box in drawn.boxes] == keys
    for place, box in enumerate(drawn.boxes):
        assert box.x >= 0 and box.x + BOX_WIDTH <= drawn.width and box.y + BOX_HEIGHT <= drawn.height
        for other in drawn.boxes[:place]:
            assert box.y != other.y or abs(box.x - other.x) >= BOX_WIDTH
    wanted = {way for way in ways if set(way) <= set(keys)}
    assert {line.way for line in drawn.lines} == wanted
    assert lay_out(keys, ways, start=keys[0]) == drawn


def test_texts_on_cards_are_cut_to_their_width() -> None:
    assert cut("Short", 12) == "Short"
    assert cut("Furniture: we kept your place and more", 13.5, bold=True).endswith("…")
    assert len(cut("W" * 50, 12)) < len(cut("i" * 50, 12))
    assert cut("  two\n lines ", 12) == "two lines"


@pytest.mark.browser
@pytest.mark.deeper
@TWO_LOOKS
def test_journey_pages_are_accessible_and_fit_the_screen(live_shop: Live, width: int, scheme: str) -> None:
    page = live_shop.open("/journeys", width=width, scheme=scheme)
    for path in ("/journeys", "/journeys/winback", "/journeys/second/edit?check=yes",
                 "/journeys/winback/people?show=all"):
        page.goto(path)
        check_look(page, width)


@pytest.mark.browser
def test_the_editor_inserts_examples_and_leads_to_a_problem(live_shop: Live) -> None:
    page = live_shop.open("/journeys/second/edit")
    field = page.get_by_label("The journey as JSON")
    field.fill('{"entry": {"segment": "lapsed"}, "start": "mail",\n "steps": {\n}}')
    field.evaluate("field => field.setSelectionRange(field.value.length - 2, field.value.length - 2)")
    page.get_by_text("says something, with a personal code").click()
    page.get_by_role("button", name="Insert at the cursor").first.click()
    expect(field).to_have_value(re.compile('"kind": "send"'))
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="steps.mail.content").click()
    expect(field).to_be_focused()
    chosen = field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert chosen == "content"


def test_a_journey_on_coming_in_or_leaving_is_chosen_shown_and_published(
    shop: FlaskClient, shop_database: Database
) -> None:
    shop.post("/campaigns/_new", data={"name": "Third", "holdout": "10", "timezone": "UTC", "currency": "EUR"})
    choices = {"campaign": "third", "segment": "lapsed", "content_A": "offer-a", "channel_A": "preferred"}
    refused = shop.post("/journeys/_new", data=choices | {"on": "sometimes"})
    assert refused.status_code == 400 and "Choose when they enter." in words(refused.text)
    shop.post("/journeys/_new", data=choices | {"on": "leaving"})
    graph, version = draft(shop_database, "third")
    assert graph["entry"] == {"segment": "lapsed", "on": "leaving"}
    page = words(shop.get("/journeys/third").text)
    assert "enter on leaving it" in page
    assert "who leaves the segment from now on is written to; who is in it already is not" in page
    told = shop.post("/journeys/third/publish", data={"version": str(version), "number": "1"}, follow_redirects=True)
    assert "Nobody is inside yet: people enter as they come in or leave." in words(told.text)
    assert "people not drawn yet" not in words(told.text)

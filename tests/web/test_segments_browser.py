"""Segments in a real browser: figures beside the rule, versions, lists, who came in and who left."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Request, Route, expect
from sqlalchemy import update

from core import clock
from core.settings import read_settings
from customers.models import Customer
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh
from segments.saving.saved import save_segment
from tests.conftest import NOW
from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_look
from tests.web.people import make_people
from tests.web.test_segments_pages import LAPSED

pytestmark = pytest.mark.browser

DUNNED = parse_rule({"all": [{"customer": "dunning_level", "at_least": 1}]})


@pytest.fixture
def shop(live: Live, tmp_path: Path) -> Iterator[Live]:
    """Eight people; `lapsed` with two versions; `dunned`, which two people joined and one left; the clock stands."""
    make_people(live.database, now=NOW)
    asker = Questions(live.database, read_settings(
        {"WINBACK_HOME": str(tmp_path / "asker"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789"}), engine="rows")
    for level, people in ((1, (1, 2, 3)), (0, (3,)), (1, (5, 6))):
        with live.database.writing() as session:
            session.execute(update(Customer).where(Customer.id.in_(people)).values(dunning_level=level))
            save_segment(session, "dunned", name="Dunned", rule=DUNNED, author="Jonas", now=NOW)
        if people != (3,):
            refresh(live.database, asker, "dunned", now=NOW - timedelta(days=8 - people[0]))
    with live.database.writing() as session:
        clock.stand_at(session.connection(), NOW)
        save_segment(session, "lapsed", name="Lapsed buyers", rule=DUNNED, author="Jonas", now=NOW - timedelta(days=1))
        save_segment(session, "lapsed", name="Lapsed buyers", rule=parse_rule(LAPSED), author="Mara", now=NOW)
    yield live


def test_the_builder_shows_month_ends_overlap_and_histograms(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    expect(page.locator("#said")).to_contain_text("3 people")
    months = page.locator("#months")
    months.locator("summary").click()
    rows = months.locator("tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.first).to_contain_text("2026")
    assert any(text.strip() not in ("", "0") for text in rows.locator("td").all_inner_texts())
    overlap = page.locator("#overlap")
    expect(overlap).to_contain_text("Dunned")
    expect(overlap.get_by_role("link", name="2 people in both, as a rule")).to_be_visible()
    histograms = page.locator("#shape .hists > div")
    expect(histograms).to_have_count(2)
    overlap.get_by_role("link", name="2 people in both, as a rule").click()
    expect(page.locator("#said")).to_contain_text("2 people")


def test_a_change_cuts_the_running_question_short_and_nothing_queues_up_behind_it(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    expect(page.locator("#said")).to_contain_text("3 people")
    expect(page.locator("#overlap")).to_contain_text("Dunned")
    held: list[Route] = []
    cut: list[str] = []
    asked: list[str] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)  # never answered

    def note(request: Request) -> None:
        if "/segments/_" in request.url:
            asked.append(request.url.rsplit("/_", 1)[1].partition("?")[0])

    page.route("**/segments/_numbers*", hold)
    page.on("requestfailed", lambda request: cut.append(request.url))
    page.locator("#row-0 .chip summary", has_text="furniture").click()
    with page.expect_request("**/segments/_numbers*"):
        page.locator(".chip[open]").get_by_label("lighting").click()
    expect(page.locator("#row-0 .chip summary").first).to_contain_text("furniture or lighting")
    page.on("request", note)
    page.locator(".chip[open] .picked").get_by_label("furniture").click()
    expect(page.locator("#said")).to_contain_text("2 people")
    assert len(cut) == 1 and "_numbers" in cut[0]
    expect(page.locator("#overlap")).to_contain_text("100.0")
    assert asked.count("numbers") == 1 and asked.count("overlap") == 1


def test_a_long_count_is_stopped_by_hand(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    expect(page.locator("#overlap")).to_contain_text("Dunned")
    stop = page.get_by_role("button", name="Stop counting")
    expect(stop).to_be_hidden()
    page.route("**/segments/_numbers*", lambda _route: None)  # never answered
    page.locator("#row-0 .chip summary", has_text="furniture").click()
    page.locator(".chip[open]").get_by_label("lighting").click()
    page.locator(".chip[open]").get_by_role("button", name="Done").click()
    with page.expect_response("**/segments/_stop") as answer:
        stop.click()
    assert answer.value.status == 204


def test_saying_the_rule_in_german_leaves_no_figure_without_an_answer(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    expect(page.locator("#overlap")).to_contain_text("Dunned")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator(".words")).to_contain_text("Kunden")
    expect(page.locator("#said")).to_contain_text("3 people")
    expect(page.locator("#overlap")).to_contain_text("Dunned")
    expect(page.locator(".old")).to_have_count(0)


PAGES = ("/segments/lapsed/versions", "/segments/_list", "/segments/dunned/history", "came", "left")


@pytest.mark.deeper
@TWO_LOOKS
def test_versions_lists_and_movers_are_accessible_and_fit_the_screen(shop: Live, width: int, scheme: str) -> None:
    page = shop.open(width=width, scheme=scheme)
    for address in PAGES:
        if address in ("came", "left"):
            page.goto("/segments/dunned/history")
            page.get_by_role("link", name="2 people who came in" if address == "came" else "1 person who left").click()
            expect(page.locator("h1")).to_contain_text("came into" if address == "came" else "left")
        else:
            page.goto(address)
        page.wait_for_load_state("networkidle")
        check_look(page, width)

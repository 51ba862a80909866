"""Making things in a real browser: readable at both widths and looks, usable by keys, nothing lost on the way."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core import clock
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment, versions_of
from tests.conftest import NOW, PROOFS
from tests.coupons.factories import make_codes, make_offer
from tests.web.conftest import Live
from tests.web.looks import check_look
from tests.web.people import make_people
from tests.web.test_contents_pages import MJML
from tests.web.test_segments_pages import LAPSED

pytestmark = pytest.mark.browser

RULE = {"all": [*LAPSED["all"], {"any": [{"all": [{"orders": "revenue", "at_least": 1}]},
                                         {"customer": "city", "in": ["Lübeck"]}]}]}


@pytest.fixture
def shop(live: Live) -> Iterator[Live]:
    """A served application with eight people, a segment, an offer with codes; the clock stands."""
    make_people(live.database, now=NOW)
    with live.database.writing() as session:
        clock.stand_at(session.connection(), NOW)
        save_segment(session, "lapsed", name="Lapsed buyers", rule=parse_rule(RULE), author="Jonas", now=NOW)
    make_codes(live.database, make_offer(live.database, now=NOW, budget_cents=10_000), [1, 2], now=NOW)
    yield live


def count(page: Page) -> Any:
    return expect(page.locator("#said"))


PAGES = ("/segments", "/segments/lapsed", "/segments/_new", "/segments/lapsed/people", "/offers", "/offers/_new",
         "/offers/ten-percent", "/codes", "/contents", "/contents/_new")


# every page wide and light; in the proofs narrow and dark, the fullest ones in every combination
@pytest.mark.deeper
@pytest.mark.parametrize(("width", "scheme", "addresses"), [
    (390, "dark", PAGES), (1440, "dark", ("/segments/lapsed", "/contents/_new")),
    (390, "light", ("/segments/lapsed", "/offers")),
] if PROOFS else [(1440, "light", PAGES)])
def test_the_pages_are_accessible_and_fit_the_screen(
    shop: Live, width: int, scheme: str, addresses: tuple[str, ...]
) -> None:
    page = shop.open(width=width, scheme=scheme)
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if address == "/segments/lapsed":
            expect(page.locator("#said")).to_contain_text("3 people")
            page.locator("#row-0 .chip summary").first.click()
            expect(page.locator(".chip[open] .offered label").first).to_be_attached()
        check_look(page, width)


def test_choosing_a_value_is_counted_at_once_and_typing_after_a_rest(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    count(page).to_contain_text("3 people")
    page.locator("#row-0 .chip summary", has_text="furniture").click()
    page.locator(".chip[open]").get_by_label("lighting").click()
    expect(page.locator("#row-0 .chip summary").first).to_contain_text("furniture or lighting")
    expect(page.locator("#left-0")).to_contain_text("6")
    page.keyboard.press("Escape")
    page.locator("#row-0 .chip summary", has_text="last 365 days").click()
    field = page.locator(".chip[open]").get_by_label("How many")
    field.fill("abc")
    expect(page.locator("#row-0 .problem")).to_contain_text("no whole number")
    expect(page.locator("#left-0")).to_have_text("–")
    expect(page.locator("#aside .fig")).to_have_text("–")
    field.fill("150")
    expect(page.locator("#left-0")).to_contain_text("3")
    expect(field).to_be_focused()
    expect(field).to_have_value("150")


def test_letters_typed_in_an_open_menu_choose_in_it_and_lead_nowhere_else(shop: Live) -> None:
    page = shop.open("/segments/_new")
    page.locator("[data-add] summary").click()
    page.keyboard.type("gs")  # outside a menu these two lead to the list of segments
    expect(page.get_by_role("button", name="Spent an amount")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Number of orders")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#row-0")).to_contain_text("spent")
    assert page.url.endswith("/segments/_new")


def test_a_rule_is_built_saved_and_undone_by_keys_alone(shop: Live) -> None:
    page = shop.open("/segments/_new")
    page.get_by_label("Name of the segment").fill("By keys")
    page.keyboard.press("Enter")
    expect(page.locator("#subline")).to_contain_text("not saved")
    page.locator("#main").focus()
    page.keyboard.press("c")
    page.keyboard.press("Enter")  # the first condition: bought something
    expect(page.locator("#row-0")).to_contain_text("anything")
    page.keyboard.press("Escape")
    page.locator("#main").focus()
    page.keyboard.press("Shift+C")
    expect(page.locator("#row-1 .rg")).to_be_visible()
    page.locator("#main").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#row-0 .rg")).to_be_visible()
    expect(page.locator("#row-0")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator("[data-row]")).to_have_count(3)
    page.get_by_role("button", name="Save segment").click()
    expect(page.locator("#toasts")).to_contain_text("“By keys” saved as version 1.")
    with shop.database.reading() as session:
        assert len(versions_of(session, "by-keys")) == 1


def test_undo_shows_the_old_choice_in_the_field_too(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    page.locator(".ch .chip summary").first.click()
    page.get_by_label("Match", exact=True).first.select_option("none")
    expect(page.locator(".rule > .ch .chip summary")).to_contain_text("none")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator(".rule > .ch .chip summary")).to_contain_text("all")
    assert page.locator(".rule > .ch select").input_value() == "all"


def test_the_second_tab_is_told_and_keeps_its_draft(shop: Live) -> None:
    page = shop.open("/segments/lapsed")
    with shop.database.writing() as session:
        save_segment(session, "lapsed", name="Lapsed buyers", rule=parse_rule({"all": []}), author="Jonas", now=NOW)
    page.get_by_role("button", name="Delete: did not buy").click()
    expect(page.locator("#row-1 .rg").first).to_be_visible()
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("alert")).to_contain_text("Jonas saved version 2 while you were working on yours")
    expect(page.locator("#row-0")).to_contain_text("furniture")
    page.get_by_role("button", name="save yours as version 3").click()
    expect(page.locator("#toasts")).to_contain_text("saved as version 3")


def test_a_phone_has_the_numbers_and_saving_at_the_bottom(shop: Live) -> None:
    page = shop.open("/segments/lapsed", width=390)
    expect(page.locator("#bar")).to_contain_text("3 people")
    expect(page.locator("#left-0")).to_contain_text("4 left")
    page.locator("#row-0 .chip summary", has_text="furniture").click()
    page.locator(".chip[open]").get_by_label("lighting").click()
    expect(page.locator("#left-0")).to_contain_text("6 left")
    page.locator(".chip[open]").get_by_role("button", name="Done").click()
    page.locator("#bar").get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("saved as version 2")


def test_the_basket_follows_the_terms_and_the_mail_its_text(shop: Live) -> None:
    page = shop.open("/offers/_new")
    expect(page.locator("#example")).to_contain_text("A €129.90 basket pays €116.91.")
    page.get_by_role("textbox", name="Percent").fill("20")
    expect(page.locator("#example")).to_contain_text("A €129.90 basket pays €103.92.")
    page.goto("/contents/_new")
    frame = page.frame_locator("iframe")
    expect(frame.locator("body")).to_contain_text("Dear Ms Brandes")
    page.get_by_label("Text as MJML").fill(MJML.replace("your code is", "behold"))
    expect(frame.locator("body")).to_contain_text("behold 7KQM-4T2X-9HBD8")
    page.get_by_label("Text as MJML").fill(MJML.replace("{{ code }}", "{{ kode }}"))
    expect(page.locator("#errs-mjml")).to_contain_text("Line 4: There is no variable kode.")
    expect(frame.locator("body")).to_contain_text("behold")

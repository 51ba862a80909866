"""Home: what needs somebody, what came of it, what runs, what is redeemed, each with its way on."""

import itertools
import re

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import update

from core import leases
from core.database import Database
from coupons.models import Offer
from delivery.models import Message
from journeys.models import Enrolment, Journey
from tests.web.conftest import Live
from tests.web.looks import EVERY_LOOK, check_look
from tests.web.test_campaign_pages import words


def test_home_says_the_day_and_what_waits_in_one_sentence(shop: FlaskClient) -> None:
    page = words(shop.get("/").text)
    assert "Thursday, 12 March" in page and "1 journey is running and 1 thing waits for you." in page
    assert "“Second purchase” is ready to be published" in page


def test_a_journey_that_no_worker_walks_is_not_shown_as_if_all_were_well(
    shop: FlaskClient, shop_database: Database
) -> None:
    assert "No worker is running: nothing is sent" in words(shop.get("/").text)
    worker = leases.take(shop_database, leases.LEADER)
    assert worker is not None
    assert "No worker is running" not in words(shop.get("/").text)
    worker.release()
    with shop_database.writing() as session:
        session.execute(update(Journey).values(state="ended"))
    assert "No worker is running" not in words(shop.get("/").text), "nobody is missed"


def test_trouble_comes_first_and_opens_its_people(shop: FlaskClient, shop_database: Database) -> None:
    with shop_database.writing() as session:
        session.execute(update(Message).where(Message.id == 1).values(state="uncertain"))
        session.execute(update(Enrolment).where(Enrolment.id == 2).values(
            state="failed", step="pause", left_at=None, error="ValueError: broken <b>"))
        session.execute(update(Offer).where(Offer.key == "fifteen").values(budget_cents=1000, spent_cents=950))
    page = shop.get("/").text
    told = words(page)
    assert "1 message may or may not have gone out" in told and "Nothing is repeated by itself" in told
    assert "1 person set aside in Furniture win-back" in told and "broken <b>" in told and "broken <b>" not in page
    assert "“Fifteen euros” has used 95 % of its budget When it is used up, later codes are refused." in told
    for href in re.findall(r'<a class="btn sm even[^"]*" href="([^"]+)"', page):
        assert shop.get(href.replace("&amp;", "&")).status_code == 200, href
    assert page.count("btn sm even p") == 1  # one filled button


def test_a_budget_that_is_used_up_is_told_as_something_that_is(shop: FlaskClient, shop_database: Database) -> None:
    with shop_database.writing() as session:
        session.execute(update(Offer).where(Offer.key == "fifteen").values(budget_cents=1000, spent_cents=1000))
    told = words(shop.get("/").text)
    assert "has used 100 % of its budget Codes are refused now, until more is allowed." in told
    assert "When it is used up" not in told


def test_the_feed_shows_redemptions_and_refusals_with_their_reason(shop: FlaskClient) -> None:
    feed = words(shop.get("/home/redemptions").text)
    assert "€200.00" in feed and "code used already" in feed and "refused" in feed


def test_response_and_effect_are_two_columns_and_never_added_up(shop: FlaskClient) -> None:
    page = shop.get("/home/outcomes").text
    told = words(page)
    assert "codes redeemed" in told and "many would have bought anyway" in told
    assert "against people left alone" in told and "Spring" in told
    assert re.findall(r'class="ip (\w+)', page) == ["eff"]


def test_an_empty_installation_begins_with_a_campaign(marketer: FlaskClient) -> None:
    page = words(marketer.get("/").text)
    assert "Nothing is planned yet" in page and "No code has come back yet" in page
    assert "No code was given out yet" in words(marketer.get("/home/outcomes").text)


@pytest.mark.browser
@pytest.mark.deeper
@EVERY_LOOK
def test_home_is_accessible_and_fits_the_screen(live_shop: Live, width: int, scheme: str) -> None:
    page = live_shop.open("/", width=width, scheme=scheme)
    expect(page.get_by_text("Not proof of anything")).to_be_visible()
    check_look(page, width)


COUNT_ASKS = """window.asks = 0;
const fetched = window.fetch;
window.fetch = (address, ...more) => {
  asks += address.endsWith("/home/redemptions");
  return fetched(address, ...more);
};"""


@pytest.mark.browser
def test_the_feed_asks_every_ten_seconds_but_not_while_nobody_looks(live_shop: Live) -> None:
    page = live_shop.open()
    answers = itertools.count(1)
    page.route("**/home/redemptions", lambda route: route.fulfill(body=f"<p>fresh {next(answers)}</p>"))
    page.add_init_script(COUNT_ASKS)  # counted where it is asked, so that nothing is on its way when it is looked at
    page.clock.install()
    page.goto("/")
    expect(page.get_by_text("Not proof of anything")).to_be_visible()

    def asks(after_ms: int = 0) -> int:
        """How often the page has asked, that long from now, with every answer arrived."""
        page.clock.run_for(after_ms)
        asked = int(page.evaluate("window.asks"))
        if asked:
            expect(page.locator("#feed")).to_have_text(f"fresh {asked}")
        return asked

    page.clock.pause_at(page.evaluate("Date.now() / 1000") + 3600)  # from here on only the test moves the clock
    begun = asks()
    for _second in range(12):
        if asks() == begun:
            asks(1_000)
    assert asks() == begun + 1
    assert asks(8_000) == begun + 1
    assert asks(3_000) == begun + 2
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    assert asks(60_000) == begun + 2

"""Campaign pages: every number opens its people, nothing typed is lost, two tabs do not overwrite each other."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import select

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from core.database import Database
from journeys.editing.editing import OVERDUE, journey_by_key
from journeys.models import Journey, Version
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.conftest import NOW
from tests.web.conftest import Live, browser_of
from tests.web.looks import TWO_LOOKS, check_accessible, check_look
from tests.web.story import HOSTILE, plan
from web.models import AuditEntry

PLAN = {"name": "Second purchase", "segment": "lapsed", "holdout": "10", "timezone": "Europe/Berlin", "currency": "EUR",
        "first_day": "2026-03-20", "last_day": "2026-04-18", "budget": "1,500.50", "planned_people": "8000",
        "category": "furniture", "owner": "Mara"}


def campaign(database: Database, key: str) -> Campaign:
    """The stored campaign."""
    with database.reading() as session:
        return campaign_by_key(session, key)


def words(page: str) -> str:
    """The words of a page, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_campaign_is_made_by_form_with_whole_days_in_its_own_time_zone(
    shop: FlaskClient, shop_database: Database
) -> None:
    answer = shop.post("/campaigns/_new", data={**PLAN, "name": "Möbel & mehr"})
    assert answer.status_code == 302 and answer.location == "/campaigns/moebel-mehr"
    made = campaign(shop_database, "moebel-mehr")
    assert str(made.starts_at) == "2026-03-19 23:00:00+00:00"
    assert str(made.ends_at) == "2026-04-18 22:00:00+00:00"  # summer time by then; the last day counts
    assert (made.budget_cents, made.planned_people, made.goal_categories) == (150_050, 8000, ["furniture"])
    page = words(shop.get("/campaigns/moebel-mehr").text)
    assert "20 Mar to 18 Apr (Europe/Berlin)" in page and "Goal: furniture" in page
    with shop_database.reading() as session:
        assert "campaign.saved" in list(session.scalars(select(AuditEntry.verb)))


def test_the_same_name_twice_makes_two_keys(shop: FlaskClient) -> None:
    assert shop.post("/campaigns/_new", data={**PLAN, "name": "Spring"}).location == "/campaigns/spring-2"


def test_the_next_campaign_is_planned_from_an_earlier_one_but_for_its_days(shop: FlaskClient) -> None:
    shop.post("/campaigns/_new", data={**PLAN, "name": "Möbel & mehr"})
    page = shop.get("/campaigns/_new?after=moebel-mehr&offer=15+EUR").text
    assert 'value="Möbel &amp; mehr, next"' in page and "Last time 15 EUR did best." in page
    assert 'value="1500.50"' in page and '<option value="lapsed" selected' in page
    assert "2026-03-20" not in page and "2026-04-18" not in page
    assert shop.get("/campaigns/_new?after=no-such").status_code == 404


@pytest.mark.parametrize(("field", "typed", "told"), [
    ("name", "", "name cannot be used"), ("holdout", "51", "out of range"), ("holdout", "ten", "Write a number"),
    ("holdout", "", "Write a number"), ("budget", "1.50.0", "Write a number"), ("budget", "-5", "not an amount"),
    ("budget", "9" * 40, "Write a number"), ("first_day", "2026-02-30", "Choose a day"),
    ("last_day", "0001-01-01", "Choose a day"), ("last_day", "31.12.2026", "Choose a day"),
    ("last_day", "2026-03-01", "ends before it begins"), ("timezone", "Mars/Base", "no such time zone"),
    ("currency", "euro", "currency is not known"), ("segment", "nobody", "no segment called nobody"),
    ("planned_people", "1.5", "whole number"), ("name", "x" * 201, "name cannot be used"),
])
def test_an_error_stands_at_its_field_and_what_was_typed_stays(
    shop: FlaskClient, shop_database: Database, field: str, typed: str, told: str
) -> None:
    answer = shop.post("/campaigns/_new", data={**PLAN, "objective": "Keep me", field: typed})
    assert answer.status_code == 400
    errors = " ".join(re.findall(r'class="err" id="(?:f-)?([a-z_]+)-error">.*?<span>(.*?)</span>', answer.text, re.S)
                      [0]) if 'class="err"' in answer.text else ""
    assert field in errors and told in unescape(errors), errors
    assert "Keep me" in answer.text
    if field not in ("segment", "name", "currency"):
        assert f'value="{typed}"' in answer.text
    with shop_database.reading() as session:
        assert session.scalars(select(Campaign.key).where(Campaign.name == "Second purchase")).all() == ["second"]


def test_two_tabs_cannot_overwrite_each_other_and_the_typed_text_stays(
    shop: FlaskClient, shop_database: Database
) -> None:
    version = str(campaign(shop_database, "second").version)
    first = shop.post("/campaigns/second/edit", data={**PLAN, "version": version, "objective": "From the first tab"})
    assert first.status_code == 302
    second = shop.post("/campaigns/second/edit", data={**PLAN, "version": version, "objective": "From the second tab"})
    assert second.status_code == 409 and "From the second tab" in second.text
    assert "nothing was overwritten" in second.text
    assert campaign(shop_database, "second").objective == "From the first tab"
    seen = re.search(r'name="version" value="(\d+)"', second.text)
    assert seen is not None
    again = shop.post("/campaigns/second/edit", data={**PLAN, "version": seen[1], "objective": "On purpose"})
    assert again.status_code == 302 and campaign(shop_database, "second").objective == "On purpose"


def test_days_that_were_not_touched_keep_their_exact_instants(shop: FlaskClient, shop_database: Database) -> None:
    before = campaign(shop_database, "spring")
    page = shop.get("/campaigns/spring/edit").text
    days = {name: re.findall(rf'name="{name}" type="date" value="([^"]*)"', page)[0]
            for name in ("first_day", "last_day")}
    answer = shop.post("/campaigns/spring/edit", data={
        **PLAN, **days, "name": "Spring again", "holdout": "20", "version": str(before.version)})
    after = campaign(shop_database, "spring")
    assert answer.status_code == 302 and after.name == "Spring again"
    assert (after.starts_at, after.ends_at) == (before.starts_at, before.ends_at)


def test_what_results_rest_on_cannot_change_while_people_are_inside(shop: FlaskClient, shop_database: Database) -> None:
    before = campaign(shop_database, "spring")
    answer = shop.post("/campaigns/spring/edit", data={
        **PLAN, "first_day": "2026-03-02", "holdout": "5", "version": str(before.version)})
    assert answer.status_code == 400 and "can no longer be changed" in answer.text
    assert campaign(shop_database, "spring").holdout_percent == 20


def test_every_number_of_the_message_table_opens_a_list_of_that_many(shop: FlaskClient) -> None:
    page = shop.get("/campaigns/spring").text
    links = re.findall(r'<a[^>]* href="(/campaigns/spring/messages\?[^"]*)"[^>]*>(?:<b>)?([\d,]+)', page)
    assert len(links) >= 3
    for href, number in links:
        listed = shop.get(unescape(href))
        assert listed.status_code == 200
        assert f"{number} message" in words(listed.text)


def test_lists_of_messages_walk_by_key_and_refuse_a_made_up_page(shop: FlaskClient) -> None:
    assert shop.get("/campaigns/spring/messages?after=999999").status_code == 200
    assert shop.get("/campaigns/spring/messages?after=-1").status_code == 400
    assert shop.get("/campaigns/spring/messages?state=invented").status_code == 400
    assert shop.get("/campaigns/spring/messages?reason=%00%ff").status_code == 200
    assert shop.get("/campaigns/nothing/messages").status_code == 404


def test_the_reach_opens_its_people(shop: FlaskClient) -> None:
    page = shop.get("/campaigns/second/audience").text
    assert "In the segment" in page and "Reachable" in page
    opened = [unescape(href) for href in re.findall(r'href="(/campaigns/second/audience/people[^"]*)"', page)]
    assert len(opened) >= 6, "the start, what is left, each channel, each offer"
    for href in opened:
        assert shop.get(href).status_code == 200, href
    assert shop.get("/campaigns/second/audience/people?part=pigeon").status_code == 404


def test_the_question_before_the_start_names_how_many_would_enter(shop: FlaskClient) -> None:
    assert 'id="would-enter"' in shop.get("/campaigns/second").text
    part = shop.get("/campaigns/second/audience").text
    told = re.search(r'id="would-enter" hx-swap-oob="true">(\d+) (?:person|people) as things stand', part)
    left = re.search(r"Reachable\D+(\d+)", words(part))
    assert told and left and int(told[1]) >= int(left[1]) > 0
    running = shop.get("/campaigns/spring/audience").text
    assert "would-enter" not in running and "Asked as if everybody entered today" in running
    assert "Asked as if everybody entered today" not in part


def test_the_question_before_the_start_says_that_there_is_no_last_day(
    shop: FlaskClient, shop_database: Database
) -> None:
    def asked() -> str:
        return words(shop.get("/campaigns/second").text)

    with shop_database.writing() as session:
        campaign_by_key(session, "second").ends_at = None
    assert "no last day: the report is never final" in asked()
    for window, told in ({"until": "2026-06-01T00:00:00Z"}, False), ("soon", True), ({}, True):
        with shop_database.writing() as session:
            journey = journey_by_key(session, "second")
            journey.draft = {**journey.draft, "window": window}
        assert ("no last day: the report is never final" in asked()) is told, window


def test_a_campaign_is_not_sent_to_a_segment_and_the_waterfall_says_so(
    shop: FlaskClient, shop_database: Database
) -> None:
    with shop_database.writing() as session:
        save_segment(session, "first", name="The first", now=NOW, rule=parse_rule(
            {"customer": "customer_id", "in": ["c1", "c2"]}))
    form = {**PLAN, "name": "Spared", "not_to": "first"}
    assert shop.post("/campaigns/_new", data=form).status_code == 302
    assert campaign(shop_database, "spared").not_to == ["first"]
    assert 'name="not_to" value="first" checked' in shop.get("/campaigns/spared/edit").text
    page = words(shop.get("/campaigns/spared").text)
    assert "Not to The first" in page
    assert "In “The first”" in words(shop.get("/campaigns/spared/audience").text)
    people = words(shop.get("/campaigns/spared/audience/people?part=segment:first").text)
    assert "Left out: in “The first”" in people and "2 people" in people
    refused = shop.post("/campaigns/_new", data={**form, "name": "Other", "not_to": "gone"})
    assert refused.status_code == 400 and "There is no segment called gone" in refused.text


def test_the_house_list_is_read_by_everybody_and_changed_with_a_record(
    shop: FlaskClient, shop_database: Database
) -> None:
    page = words(shop.get("/settings/standing").text)
    assert "Customers who got their last delivery at most 5 days ago" in page
    saved = shop.post("/settings/standing/delivered_lately", data={
        "name": "delivered a few days ago", "version": "0", "active": "yes", "number:at_most": "9"})
    assert saved.status_code == 302
    assert "at most 9 days ago" in shop.get("/settings/standing").text
    late = shop.post("/settings/standing/delivered_lately", data={"name": "x", "version": "0", "number:at_most": "1"})
    assert late.status_code == 409 and "another tab" in late.text
    wrong = shop.post("/settings/standing/dunning", data={"version": "0", "active": "yes", "number:at_least": "two"})
    assert wrong.status_code == 400 and "is not a number" in wrong.text
    added = shop.post("/settings/standing", data={"segment": "lapsed", "name": "key account"})
    assert added.status_code == 302 and "key account" in shop.get("/settings/standing").text.lower()
    assert shop.post("/settings/standing/key_account/remove").status_code == 302
    assert shop.post("/settings/standing/dunning/remove").status_code == 409
    with shop_database.reading() as session:
        entries = list(session.scalars(select(AuditEntry).where(AuditEntry.verb == "standing.saved")))
    assert [entry.detail["rule"][1]["at_most"] for entry in entries] == [9]
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert analyst.get("/settings/standing").status_code == 200
    assert analyst.post("/settings/standing/dunning", data={"version": "0"}).status_code == 403


def test_a_planned_campaign_starts_once_pauses_goes_on_and_ends(shop: FlaskClient, shop_database: Database) -> None:
    assert shop.post("/campaigns/second/start").status_code == 302
    assert shop.post("/campaigns/second/start").status_code == 409
    with shop_database.reading() as session:
        journey = session.scalars(select(Journey).where(Journey.key == "second")).one()
        assert session.scalars(select(Version.number).where(Version.journey_id == journey.id)).all() == [1]
    for act, state in (("pause", "paused"), ("start", "running"), ("end", "ended")):
        assert shop.post(f"/campaigns/second/{act}").status_code == 302
        assert campaign(shop_database, "second").state == state
        if state == "paused":
            asked = [shop.get(f"/{page}/second").text for page in ("campaigns", "journeys")]
            assert all(f'name="overdue" value="{choice}"' in text for text in asked for choice in OVERDUE)
    assert shop.post("/campaigns/second/end").status_code == 409


def test_a_campaign_without_a_journey_says_what_is_missing(shop: FlaskClient) -> None:
    shop.post("/campaigns/_new", data={**PLAN, "name": "Bare"})
    assert "Make its journey" in shop.get("/campaigns/bare").text
    assert shop.post("/campaigns/bare/start").status_code == 400
    assert shop.post("/campaigns/bare/end").status_code == 302


def test_an_analyst_looks_and_changes_nothing(shop: FlaskClient, shop_database: Database) -> None:
    analyst = browser_of(shop.application, shop_database, "analyst")
    page = analyst.get("/campaigns/spring").text
    assert "Where it stands" in page and "Pause the campaign" not in page
    assert analyst.post("/campaigns/spring/pause").status_code == 403
    assert campaign(shop_database, "spring").state == "running"


def test_hostile_names_are_shown_as_they_are(shop: FlaskClient, shop_database: Database) -> None:
    plan(shop_database, now=NOW, name=HOSTILE)
    for path in ("/", "/campaigns", "/campaigns/second", "/campaigns/second/edit", "/campaigns/second/messages",
                 "/journeys", "/journeys/second", "/journeys/second/edit", "/campaigns/second/report", "/reports"):
        page = shop.get(path).text
        assert "<script>alert" not in page and "49" not in re.findall(r"Möbel&#34; (\S+)", page), path


def test_an_empty_installation_explains_what_a_campaign_is(marketer: FlaskClient) -> None:
    page = words(marketer.get("/campaigns").text)
    assert "No campaigns yet" in page and "for example" in page


@pytest.mark.browser
@pytest.mark.deeper
@TWO_LOOKS
def test_campaign_pages_are_accessible_and_fit_the_screen(live_shop: Live, width: int, scheme: str) -> None:
    page = live_shop.open("/campaigns", width=width, scheme=scheme)
    for path in ("/campaigns", "/campaigns/spring", "/campaigns/second/edit", "/campaigns/spring/messages",
                 "/campaigns/second/audience/people", "/settings/standing"):
        page.goto(path)
        check_look(page, width)


@pytest.mark.browser
def test_a_marketer_plans_a_campaign_draws_its_journey_and_publishes_it(live_shop: Live) -> None:
    page = live_shop.open("/campaigns/_new", width=390)
    expect(page.get_by_text("Begin with a ready one")).to_be_in_viewport()  # no field below it takes the focus
    page = live_shop.open("/campaigns/_new")
    page.get_by_label("Name", exact=True).fill("Furniture win-back")
    page.get_by_role("checkbox", name="furniture").check()
    page.get_by_label("Send to", exact=True).select_option("lapsed")
    page.get_by_role("button", name="Make campaign").click()
    page.get_by_role("link", name="Make its journey").first.click()
    page.get_by_label("What is said first").select_option("offer-a")
    page.get_by_label("Offer", exact=True).select_option("ten-percent")
    page.get_by_label("One reminder").select_option("reminder")
    page.get_by_role("button", name="Try another arm against it").click()
    page.locator("#arm-B").get_by_label("Offer", exact=True).select_option("fifteen")
    check_accessible(page)
    page.get_by_role("button", name="Draw the journey").click()
    expect(page.get_by_role("heading", name="Furniture win-back")).to_be_visible()
    page.get_by_role("button", name="Publish version 1").first.click()
    expect(page.get_by_role("button", name="Not now")).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Publish version 1").click()
    expect(page.locator("#toasts")).to_contain_text("Version 1 runs")

"""The journey's form: arms that differ in anything, drawn, opened again and changed; two tabs, and rubbish."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign
from core.database import Database
from journeys.editing.editing import journey_by_key, save_draft
from journeys.graphs.graph import CHANNELS, MOVES
from journeys.graphs.reading import read_graph
from journeys.models import Journey
from tests.web.conftest import browser_of
from tests.web.test_campaign_pages import words
from web.journeys.template import Arm, Wish, ready_graph, redrawn, wish_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
A = {"content_A": "offer-a", "offer_A": "ten-percent", "channel_A": "preferred", "fallback_A": "yes", "after_A": "0",
     "reminder_A": "reminder", "reminder_days_A": "7", "share_A": "100"}
B = {"content_B": "reminder", "offer_B": "", "channel_B": "letter", "after_B": "3", "reminder_B": "",
     "reminder_days_B": "7", "share_B": "30"}
ONE: dict[str, Any] = {"segment": "lapsed", "arm": ["A"], **A}
TWO: dict[str, Any] = {**ONE, **B, "arm": ["A", "B"], "share_A": "70"}


def plan(shop: FlaskClient, key: str, **more: str) -> dict[str, Any]:
    """A campaign that waits for its journey; what the form of its journey begins with."""
    shop.post("/campaigns/_new", data={"name": key, "holdout": "10", "timezone": "Europe/Berlin", "currency": "EUR",
                                       "category": "furniture", "segment": "lapsed", **more})
    return {"campaign": key}


def stored(database: Database, key: str) -> Journey:
    with database.reading() as session:
        return journey_by_key(session, key)


def test_arms_of_one_form_differ_in_content_channel_and_days_and_the_form_opens_as_it_was_left(
    shop: FlaskClient, shop_database: Database
) -> None:
    made = shop.post("/journeys/_new", data={**TWO, **plan(shop, "third")})
    assert made.location == "/journeys/third", words(made.text)
    steps = stored(shop_database, "third").draft["steps"]
    assert steps["split"]["arms"] == {"A": 70, "B": 30} and steps["split"]["next"] == {"A": "offer_a", "B": "later_b"}
    assert steps["later_b"]["days"] == 3 and steps["offer_b"]["channel"] == "letter" and "offer" not in steps["offer_b"]
    assert "Nothing to mend" in shop.get("/journeys/third/edit?check=yes").text
    assert shop.post("/journeys/_new", data={**ONE, "campaign": "third"}).location == "/journeys/third"  # twice is once

    page = shop.get("/journeys/third/form").text
    assert page.count('class="card" id="arm-') == 2 and 'value="70"' in page and 'value="letter" selected' in page
    assert shop.post("/journeys/third/publish", data={"version": "1", "number": "1"}).status_code == 302
    changed = shop.post("/journeys/third/form", data={**TWO, "after_B": "10", "version": "1"})
    assert changed.location == "/journeys/third?draft=yes"
    assert stored(shop_database, "third").draft["steps"]["later_b"]["days"] == 10
    assert shop.post("/journeys/third/publish", data={"version": "2", "number": "2"}).status_code == 302
    assert "Version 2" in shop.get("/journeys/third").text


def test_an_arm_is_added_and_taken_out_without_losing_what_was_chosen(shop: FlaskClient) -> None:
    base = plan(shop, "third")
    more = shop.post("/journeys/_new", data={**TWO, **base, "content_B": "", "do": "add"})
    assert more.status_code == 200 and more.text.count('class="card" id="arm-') == 3
    assert more.text.count('value="33.33"') == 2 and 'value="33.34"' in more.text and "another look" not in more.text
    less = shop.post("/journeys/_new", data={**TWO, **base, "do": "out_A"}).text
    assert less.count('class="card" id="arm-') == 1 and 'id="arm-B"' in less and 'value="3"' in less
    full = shop.post("/journeys/_new", data={**ONE, **base, "arm": list("ABCDEF"), "do": "add"}).text
    assert full.count('class="card" id="arm-') == 6 and 'value="add"' not in full


def test_of_two_tabs_the_later_one_overwrites_nothing_unseen(shop: FlaskClient, shop_database: Database) -> None:
    shop.post("/journeys/_new", data={**TWO, **plan(shop, "third")})
    assert shop.post("/journeys/third/form", data={**TWO, "share_A": "60", "share_B": "40", "version": "1"}
                     ).status_code == 302
    late = shop.post("/journeys/third/form", data={**TWO, "after_B": "5", "version": "1"})
    assert late.status_code == 409 and "in another tab" in words(late.text) and 'value="5"' in late.text
    assert stored(shop_database, "third").draft["steps"]["split"]["arms"] == {"A": 60, "B": 40}
    assert shop.post("/journeys/third/form", data={**TWO, "after_B": "5", "version": "2"}).status_code == 302
    draft = stored(shop_database, "third").draft
    draft["steps"]["offer_a"]["code"] = "new"
    with shop_database.writing() as session:
        journey = journey_by_key(session, "third")
        save_draft(session, "third", draft | {"holdout_percent": 20}, campaign_id=journey.campaign_id, now=NOW)
    # Drawn on by hand meanwhile: the form neither shows nor replaces it.
    for answer in (shop.get("/journeys/third/form"), shop.post("/journeys/third/form", data={**TWO, "version": "4"})):
        assert answer.location == "/journeys/third/edit"
    assert stored(shop_database, "third").draft["steps"]["offer_a"]["code"] == "new"


def test_rubbish_in_the_form_stands_at_its_fields_and_draws_nothing(shop: FlaskClient, shop_database: Database) -> None:
    base = plan(shop, "third")
    bad: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"offer_A": "nope", "reminder_days_A": "0", "channel_A": "pigeon"},
         ("Choose who enters.", "Choose what is said first.", "no such offer", "Use 1 to 365 days.",
          "Choose one of these channels.")),
        ({**TWO, "share_B": "40"}, ("The shares add up to 110, not to 100.",)),
        ({**TWO, "share_B": "-30"}, ("Use a share above 0.",)),
        ({**TWO, "share_B": "NaN"}, ("not “NaN”",)),
        ({**TWO, "after_B": "91"}, ("Use 0 to 90 days.",)),
        ({**ONE, "segment": "lapsed", "on": "falling"}, ("Choose when they enter.",)),
        ({**ONE, "arm": ["A", "B"], **{name.replace("_A", "_B"): value for name, value in A.items()}, "share_A": "50",
          "share_B": "50"}, ("This arm is the same as A.",)),
        ({**ONE, "arm": ["<b>", "AB", ""], "content_A": "offer-a\x00" * 90}, ("Choose what is said first.",)),
    ]
    for typed, told in bad:
        answer = shop.post("/journeys/_new", data={**typed, **base})
        assert answer.status_code == 400, told
        assert all(each in words(answer.text) for each in told), words(answer.text)
    assert shop.get("/journeys/third").status_code == 404
    analyst = browser_of(shop.application, shop_database, "analyst")
    assert analyst.post("/journeys/_new", data={**TWO, **base}).status_code == 403
    assert shop.post("/journeys/nope/form", data=TWO).status_code == shop.get("/journeys/nope/form").status_code == 404


def test_the_best_first_until_a_budget_is_used_is_chosen_in_the_form(
    shop: FlaskClient, shop_database: Database
) -> None:
    base = plan(shop, "third", budget="500")
    best = {**ONE, **base, "best_A": "letter", "budget_A": "1,250.50", "channel_A": "email"}
    for changed, told in (({"budget_A": ""}, "Say how much may be spent on it."),
                          ({"budget_A": "much"}, "Write a number"),
                          ({"best_A": "email"}, "The rest would get the same channel."),
                          ({"best_A": "pigeon"}, "Choose one of these channels.")):
        answer = shop.post("/journeys/_new", data={**best, **changed})
        assert answer.status_code == 400 and told in words(answer.text), told
    assert "The campaign's budget: €500" in words(answer.text)
    assert shop.post("/journeys/_new", data=best).location == "/journeys/third"
    assert stored(shop_database, "third").draft["steps"]["offer_a"]["channel"] == {
        "best_first": "letter", "budget_cents": 125_050, "rest": "email"}
    assert 'value="1250.50"' in shop.get("/journeys/third/form").text
    assert "to the best, until a budget of 1,250.50 is used, and to the rest by e-mail" in words(
        shop.get("/journeys/third").text)


def test_a_journey_drawn_by_hand_is_edited_as_text(shop: FlaskClient) -> None:
    assert shop.get("/journeys/winback/form").location == "/journeys/winback/edit"
    assert "/journeys/winback/edit" in shop.get("/journeys/winback").text
    assert "by its form" not in shop.get("/journeys/winback/edit").text


ARMS = st.builds(
    Arm, letter=st.just(""), share=st.just(0), content=st.sampled_from(["x", "y"]),
    offer=st.sampled_from([None, "ten", "five"]), channel=st.sampled_from(CHANNELS), fallback=st.booleans(),
    after_days=st.sampled_from([0, 1, 90]), reminder=st.sampled_from(["", "x"]),
    reminder_days=st.sampled_from([1, 7, 14, 30]), best=st.sampled_from(["", "letter"]), budget_cents=st.just(1_000),
).filter(lambda arm: arm.best != arm.channel)


@settings(max_examples=60)
@given(st.lists(ARMS, min_size=1, max_size=6), st.sampled_from([None, *MOVES]), st.sampled_from([[], ["furniture"]]))
def test_what_the_form_draws_can_be_read_and_is_the_form_s_again(arms: list[Arm], on: str | None, goal: list[str]
                                                                 ) -> None:
    named = [replace(arm, letter=letter, share=100 / len(arms)) for arm, letter in zip(arms, "ABCDEF", strict=False)]
    drawn = ready_graph(Campaign(name="Spring", goal_categories=goal), Wish("lapsed", tuple(named), on))
    assert read_graph(drawn).problems == []
    again = wish_of(drawn)
    assert again is not None and redrawn(drawn, again, goal=goal) == drawn
    assert wish_of({**drawn, "holdout_percent": 30, "unit": "household"}) == replace(again, unit="household")
    assert redrawn(drawn, replace(again, unit="organisation"), goal=goal) == {**drawn, "unit": "organisation"}
    assert wish_of({**drawn, "unit": "street"}) is None
    # Whatever is changed in a step is no longer the form's.
    for key in drawn["steps"]:
        assert wish_of({**drawn, "steps": {**drawn["steps"], key: {"kind": "jump", "next": "peace"}}}) is None
    assert wish_of({**drawn, "steps": {**drawn["steps"], "more": {"kind": "leave"}}}) is None


def test_anything_at_all_is_no_form_s_journey() -> None:
    for draft in ({}, {"steps": []}, {"entry": 1, "steps": {}, "start": "x"}, {"entry": {}, "steps": {"split": 1},
                                                                             "start": "split"}):
        assert wish_of(draft) is None

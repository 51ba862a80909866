"""The doors of journeys: the API lets people in once, pages move people, settings leave a share alone everywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from core.database import Database
from journeys.editing.editing import journey_by_key, publish, save_draft
from journeys.models import Enrolment, Version
from tests.conftest import NOW
from tests.journeys.shop import with_steps
from tests.web.story import SPOKEN
from tests.web.test_campaign_pages import words
from web.security.keys import issue_key

OPEN: dict[str, Any] = {
    **with_steps(pause={"kind": "wait", "days": 1, "next": "end"}, end={"kind": "leave"}), "reentry": "always",
    "name": "Second", "entry": {"api": True, "manual": True}}


@pytest.fixture
def headers(shop_database: Database) -> dict[str, str]:
    """A key that reads and writes."""
    with shop_database.writing() as session:
        key = issue_key(session, "test", scopes=("read", "write"), now=NOW)
    return {"Authorization": f"Bearer {key}"}


def release(database: Database, graph: dict[str, Any], *, key: str) -> None:
    """Publish this graph as the journey's next version."""
    with database.writing() as session:
        save_draft(session, key, graph, campaign_id=journey_by_key(session, key).campaign_id, now=NOW)
        publish(session, key, now=NOW)


def stand(database: Database, people: int, **values: Any) -> list[int]:
    """Bring some who have come to the end back to the step `pause`; returns their enrolments."""
    with database.writing() as session:
        ids = list(session.scalars(select(Enrolment.id).where(Enrolment.held_out.is_(False), Enrolment.state.in_(
            ("finished", "exited"))).order_by(Enrolment.id).limit(people)))
        assert len(ids) == people
        session.execute(update(Enrolment).where(Enrolment.id.in_(ids)).values(
            {"state": "active", "step": "pause", "step_entered_at": NOW, "due_at": None, "left_at": None,
             "left_reason": None, "visit": Enrolment.visit + 1, **values}))
        return ids


def enrolled(database: Database, customer: int = 3) -> int:
    """How many passages there are through the newest journey's versions of this customer."""
    with database.reading() as session:
        return session.scalar(
            select(func.count()).select_from(Enrolment).join(Version, Version.id == Enrolment.version_id)
            .where(Enrolment.customer_id == customer,
                   Enrolment.journey_id == journey_by_key(session, "second").id)) or 0


def test_a_program_lets_somebody_in_and_a_repeated_request_is_the_same_passage(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    release(shop_database, OPEN, key="second")
    at = "/api/v1/journeys/second/enrolments"
    asked = {**headers, "Idempotency-Key": "r1"}
    first = shop.post(at, json={"customer": "c3", "key": "cart 1"}, headers=asked)
    again = shop.post(at, json={"customer": "c3", "key": "cart 1"}, headers=asked)
    other = shop.post(at, json={"customer": "c3", "key": "cart 2"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json is not None and again.json == {**first.json, "new": False}
    assert {"customer", "key", "state", "step", "held_out", "version"} <= set(first.json)
    assert enrolled(shop_database) == 2
    assert shop.post(at, json={"customer": "nobody"}, headers=headers).status_code == 404
    assert shop.post(at, json={"key": "x"}, headers=headers).status_code == 400
    refused = shop.post("/api/v1/journeys/winback/enrolments", json={"customer": "c3"}, headers=headers)
    assert refused.status_code == 409 and "does not let people in this way" in refused.text


def test_a_colleague_lets_somebody_in_from_the_customers_page(shop: FlaskClient, shop_database: Database) -> None:
    assert "Let into a journey" not in shop.get("/customers/c3").text
    release(shop_database, OPEN, key="second")
    assert "Let into a journey" in shop.get("/customers/c3").text
    done = shop.post("/customers/_let-in/c3", data={"journey": "second"}, follow_redirects=True)
    assert "Let into “Second”" in words(done.text)
    twice = shop.post("/customers/_let-in/c3", data={"journey": "second"}, follow_redirects=True)
    assert "Nothing was done" in words(twice.text)
    assert enrolled(shop_database) == 1


def test_two_versions_are_shown_side_by_side_and_people_are_moved(shop: FlaskClient, shop_database: Database) -> None:
    stand(shop_database, 3)
    with shop_database.writing() as session:
        session.execute(update(Enrolment).where(Enrolment.id == session.scalar(select(func.min(Enrolment.id)).where(
            Enrolment.step == "pause"))).values(held_out=True))
    newer = {**SPOKEN, "quiet_hours": {"from": "21:00", "until": "08:00"}, "unit": "household",
             "exit_when": [{"redeemed": True}, {"complained": True}, {"customer": "country", "is": "DE"}],
             "steps": {**SPOKEN["steps"], "pause_b": {"kind": "wait", "days": 9, "next": "extra"},
                                 "extra": {"kind": "jump", "next": "end"}}}
    release(shop_database, newer, key="winback")
    page = shop.get("/journeys/winback/versions/1")
    told = words(page.text)
    assert page.status_code == 200 and "What version 2 changed" in told and "Wait 9 days" in told
    assert "to “Go on elsewhere” (extra)" in told and "2 here now, and 1 of those left alone" in told
    assert "who redeems; who complains; Customers" in told and "21:00 to 08:00" in told and "customer household" in told
    assert "is different now" not in told.replace("this step is different now", "")
    assert "m-added" in page.text and "m-changed" in page.text
    shop.post("/journeys/winback/versions/1/move", data={"step": "pause", "target": "end", "people": "3"})
    with shop_database.reading() as session:
        moved = session.scalar(select(func.count()).select_from(Enrolment).join(
            Version, Version.id == Enrolment.version_id).where(Version.number == 2, Enrolment.step == "end"))
    assert moved == 3
    assert shop.post("/journeys/winback/versions/1/retire", follow_redirects=True).status_code == 200
    with shop_database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Enrolment).join(
            Version, Version.id == Enrolment.version_id).where(
                Version.number == 1, Enrolment.state.in_(("active", "followed", "failed")))) == 0
    assert shop.get("/journeys/winback/versions/99").status_code == 404


def test_who_was_set_aside_is_listed_with_the_error_and_tried_again_or_let_out(
    shop: FlaskClient, shop_database: Database
) -> None:
    ids = stand(shop_database, 2, state="failed", error="ValueError: odd")
    page = shop.get("/journeys/winback/people?show=failed").text
    assert page.count("ValueError: odd") == 2 and page.count("Try again") == 2
    shop.post("/journeys/winback/set-aside", data={"enrolment": str(ids[0]), "act": "again"})
    shop.post("/journeys/winback/set-aside", data={"enrolment": str(ids[1]), "act": "release"})
    with shop_database.reading() as session:
        assert [session.get_one(Enrolment, number).state for number in ids] == ["active", "over"]
    assert shop.post("/journeys/winback/set-aside", data={"enrolment": "x"}).status_code == 400


def test_the_share_left_alone_everywhere_is_set_by_page_and_by_api(
    sign_in: Callable[..., FlaskClient], api_key: Callable[..., dict[str, str]]
) -> None:
    admin, key = sign_in("admin"), api_key("read", "write")
    assert admin.post("/settings/left-alone", data={"percent": "2,5"}).status_code == 302
    assert admin.get("/api/v1/settings/holdout", headers=key).json == {"percent": 2.5}
    assert admin.post("/settings/left-alone", data={"percent": "51"}).status_code == 400
    assert admin.put("/api/v1/settings/holdout", json={"percent": 3}, headers=key).json == {"percent": 3.0}
    assert admin.put("/api/v1/settings/holdout", json={"percent": -1}, headers=key).status_code == 400
    assert 'value="3"' in admin.get("/settings/left-alone").text


def test_new_kinds_of_steps_are_drawn_and_told_in_words(shop: FlaskClient, shop_database: Database) -> None:
    graph = {**with_steps(
        hope={"kind": "wait_for", "event": "visited", "where": {"page": ["/sale"]}, "days": 2,
              "next": {"yes": "who", "timeout": "code"}},
        who={"kind": "branch", "cases": [{"name": "letter", "if": {"preferred_channel": "letter"}}],
             "next": {"letter": "end", "else": "again"}},
        code={"kind": "give", "offer": "ten-percent", "next": "again"}, again={"kind": "jump", "next": "end"},
        end={"kind": "leave"}), "name": "New kinds", "group": "carts", "priority": 5,
        "entry": {"event": "cart_abandoned", "key": "cart_id"}, "reentry": {"after_days": 30}}
    with shop_database.writing() as session:
        save_draft(session, "second", graph, campaign_id=journey_by_key(session, "second").campaign_id, now=NOW)
    told = words(shop.get("/journeys/second?draft=yes").text)
    for expected in ("Wait until the person has the event visited, page /sale, at most 2 days",
                     "The first of these that fits", "without a message", "Go on at another step",
                     "Who has the event cart_abandoned enters then, once for each cart_id",
                     "may come again 30 days after entering", "one journey of the group “carts” at a time"):
        assert expected in told, expected
    assert "Publish version 1" in told

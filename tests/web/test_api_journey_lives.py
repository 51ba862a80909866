"""A program lives with a journey as a colleague does: pauses, versions, people, and those who were set aside."""

from flask.testing import FlaskClient

from core.database import Database
from journeys.models import Enrolment
from tests.conftest import NOW
from tests.web.story import SPOKEN
from tests.web.test_campaign_pages import words
from tests.web.test_journey_doors import headers, release, stand
from web.security.keys import issue_key

__all__ = ["headers"]
AT = "/api/v1/journeys/winback"


def test_a_program_pauses_a_journey_lets_it_go_on_and_ends_it(shop: FlaskClient, headers: dict[str, str]) -> None:
    assert shop.post(f"{AT}/pause", headers=headers).json == {"key": "winback", "state": "paused", "busy": False}
    assert shop.post(f"{AT}/pause", headers=headers).status_code == 409
    assert shop.post(f"{AT}/resume", json={}, headers=headers).status_code == 400
    assert shop.post(f"{AT}/resume", json={"overdue": "burst"}, headers=headers).status_code == 400
    assert shop.get("/journeys/winback").text.count(">paused<") == 1
    resumed = shop.post(f"{AT}/resume", json={"overdue": "shift"}, headers=headers)
    assert resumed.status_code == 200 and resumed.json is not None and resumed.json["state"] == "running"
    ended = shop.post(f"{AT}/end", headers=headers)
    assert ended.json == {"key": "winback", "state": "ending", "busy": True}
    assert shop.post(f"{AT}/resume", json={"overdue": "send"}, headers=headers).status_code == 409
    assert shop.post("/api/v1/journeys/none/pause", headers=headers).status_code == 404


def test_a_program_ends_a_campaign_with_its_journey_and_one_that_has_none(
    shop: FlaskClient, headers: dict[str, str]
) -> None:
    shop.post("/api/v1/campaigns", json={"key": "plan", "name": "Plan"}, headers=headers)
    for key in ("plan", "spring"):
        done = shop.post(f"/api/v1/campaigns/{key}/end", headers=headers)
        assert done.json == {"key": key, "state": "ended"}
        assert shop.post(f"/api/v1/campaigns/{key}/end", headers=headers).status_code == 409
    assert (shop.get(AT, headers=headers).json or {})["state"] == "ending"


def test_people_of_an_older_version_still_count(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    before = (shop.get(AT, headers=headers).json or {})["versions"]
    assert before[0]["inside"] > 0
    release(shop_database, {**SPOKEN, "name": "Winback, second try"}, key="winback")
    told = (shop.get(AT, headers=headers).json or {})["versions"]
    assert told == [{"version": 2, "entered": 0, "held_out": 0, "inside": 0, "excluded": 0}, *before]
    entered, inside = before[0]["entered"], before[0]["inside"]
    said = words(shop.get("/campaigns/spring").text)
    assert f"{entered} people entered" in said and f"{inside} are inside now" in said
    elsewhere = shop.get("/journeys/winback").text
    assert f"{inside} in version 1" in words(elsewhere) and "/journeys/winback?version=1" in elsewhere
    assert "Inside other versions" not in words(shop.get("/journeys/winback?version=1").text)


def test_a_program_sees_what_a_version_changed_and_moves_who_stands_in_the_old_one(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    stand(shop_database, 3)
    release(shop_database, {**SPOKEN, "steps": {
        **SPOKEN["steps"], "pause_b": {"kind": "wait", "days": 9, "next": "late"},
        "late": {"kind": "wait", "days": 1, "next": "end"}}}, key="winback")
    listed = shop.get(f"{AT}/versions", headers=headers).json or {}
    assert ([each["number"] for each in listed["items"]], listed["next"]) == ([2, 1], None)
    told = shop.get(f"{AT}/versions/1", headers=headers).json or {}
    assert told["compared_with"] == 2
    late = {"what": "late", "name": "Wait", "was": None, "now": "Wait 1 day; to “Leave in peace” (end)."}
    assert late in told["differences"] and "late" in told["targets"]
    assert {"step": "pause", "people": 3, "held_out": 0, "target": "pause"} in told["people"]
    alone = shop.get(f"{AT}/versions/2?with=2", headers=headers).json or {}
    assert alone["differences"] == [] and alone["people"] == []
    for wrong in ("0", "x", "9" * 40):
        assert shop.get(f"{AT}/versions/1?with={wrong}", headers=headers).status_code == 400
    assert shop.get(f"{AT}/versions/{'9' * 40}", headers=headers).status_code == 404
    stale = shop.post(f"{AT}/versions/1/move", json={"step": "nowhere"}, headers=headers)
    assert stale.status_code == 400
    moved = shop.post(f"{AT}/versions/1/move", json={"step": "pause", "target": "late", "people": 3}, headers=headers)
    assert moved.json == {"people": 3}
    here = shop.get(f"{AT}/enrolments?step=late", headers=headers).json or {}
    assert len(here["items"]) == 3
    assert shop.post(f"{AT}/versions/2/retire", headers=headers).status_code == 400
    assert shop.post(f"{AT}/versions/1/retire", headers=headers).status_code == 200


def test_a_program_lists_who_is_behind_a_number_and_reads_one_way(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    ids = stand(shop_database, 2)
    at_step = shop.get(f"{AT}/enrolments?step=pause&limit=1", headers=headers).json or {}
    following = shop.get(f"{AT}/enrolments?step=pause&limit=1&after={at_step['next']}", headers=headers).json or {}
    assert [at_step["items"][0]["id"], following["items"][0]["id"]] == ids and following["next"] is None
    everybody = shop.get(f"{AT}/enrolments?limit=500", headers=headers).json or {}
    alone = shop.get(f"{AT}/enrolments?held_out=true", headers=headers).json or {}
    assert 0 < len(alone["items"]) < len(everybody["items"])
    told = shop.get(f"{AT}/enrolments/{ids[0]}", headers=headers).json or {}
    assert told["step"] == "pause" and told["customer"] == at_step["items"][0]["customer"]
    assert told["visits"] and {"step", "entered_at", "left_at", "outcome", "why"} == set(told["visits"][0])
    for wrong in (f"/enrolments/{10**30}", "/enrolments/0", "/enrolments?version=99"):
        assert shop.get(AT + wrong, headers=headers).status_code == 404
    assert shop.get(f"/api/v1/journeys/second/enrolments/{ids[0]}", headers=headers).status_code == 404
    for wrong in ("state=odd", "version=0", "after=x", "limit=0"):
        assert shop.get(f"{AT}/enrolments?{wrong}", headers=headers).status_code == 400


def test_a_program_tries_set_aside_people_again_or_lets_them_out(
    shop: FlaskClient, headers: dict[str, str], shop_database: Database
) -> None:
    ids = stand(shop_database, 3, state="failed", error="ValueError: odd")
    listed = shop.get(f"{AT}/enrolments?state=failed", headers=headers).json or {}
    assert [each["why"] for each in listed["items"]] == ["ValueError: odd"] * 3
    one = shop.post(f"{AT}/set-aside", json={"act": "release", "enrolment": ids[0]}, headers=headers)
    assert one.json == {"people": 1}
    assert shop.post(f"{AT}/set-aside", json={"act": "again", "enrolment": ids[0]}, headers=headers).status_code == 409
    assert shop.post(f"{AT}/set-aside", json={"act": "again"}, headers=headers).json == {"people": 2}
    assert shop.post(f"{AT}/set-aside", json={"act": "again"}, headers=headers).json == {"people": 0}
    assert shop.post(f"{AT}/set-aside", json={"act": "forget"}, headers=headers).status_code == 400
    with shop_database.reading() as session:
        assert [session.get_one(Enrolment, number).state for number in ids] == ["over", "active", "active"]


def test_a_key_that_only_reads_changes_nothing(shop: FlaskClient, shop_database: Database) -> None:
    with shop_database.writing() as session:
        key = issue_key(session, "reader", scopes=("read",), now=NOW)
    asked = {"Authorization": f"Bearer {key}"}
    for verb in ("pause", "resume", "end", "set-aside", "versions/1/move", "versions/1/retire"):
        assert shop.post(f"{AT}/{verb}", json={}, headers=asked).status_code == 403
    assert shop.post("/api/v1/campaigns/spring/end", headers=asked).status_code == 403
    assert (shop.get(AT, headers=asked).json or {})["state"] == "running"

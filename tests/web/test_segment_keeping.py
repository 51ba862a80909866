"""Lists, history, versions and filing of segments, asked as a browser without JavaScript would."""

import html
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from campaigns.models import Campaign
from core import clock
from core.database import Database
from core.settings import Settings, read_settings
from customers.models import Customer
from journeys.models import Journey
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh
from segments.saving.saved import save_segment, segment_by_key, versions_of
from tests.web.conftest import make_app
from tests.web.people import make_people

DUNNED = {"all": [{"customer": "dunning_level", "at_least": 1}]}


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """Eight people c1..c8; c1..c3 are dunned; the segment `dunned`."""
    make_people(sqlite_database, now=now)
    with sqlite_database.writing() as session:
        session.execute(update(Customer).where(Customer.id <= 3).values(dunning_level=1))
        save_segment(session, "dunned", name="Dunned", rule=parse_rule(DUNNED), author="Jonas", now=now)
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


def text_of(client: FlaskClient, path: str, **data: Any) -> str:
    answer = client.post(path, data=data, follow_redirects=True) if data else client.get(path)
    assert answer.status_code in (200, 422), answer.status
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_the_history_opens_who_came_in_and_who_left(
    marketer: FlaskClient, database: Database, settings: Settings, now: datetime
) -> None:
    assert "Nobody has been worked out yet" in text_of(marketer, "/segments/dunned/history")
    assert "3 people are in: 3 came in, 0 left." in text_of(marketer, "/segments/dunned/refresh", go="1")
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(dunning_level=0))
        session.execute(update(Customer).where(Customer.id.in_([7, 8])).values(dunning_level=2))
    refresh(database, Questions(database, settings, engine="rows"), "dunned", now=now + timedelta(minutes=1))
    page = marketer.get("/segments/dunned/history").text
    numbers = re.findall(r'href="(/segments/dunned/history/\d+/(?:came|left))"', page)
    assert [link.split("/")[-1] for link in numbers] == ["came", "left", "came"]
    assert "2 people came into “Dunned”" in text_of(marketer, numbers[0])
    left = text_of(marketer, numbers[1])
    assert "1 person left “Dunned”" in left and "Nora1" in left and "Nora2" not in left
    assert marketer.get("/segments/dunned/history/999/came").status_code == 404
    listed = text_of(marketer, "/segments")
    assert "2 came in, 1 left" in listed and "4 as of" in listed


def test_a_list_is_made_from_pasted_lines_and_tells_the_unknown_with_their_numbers(
    marketer: FlaskClient, database: Database
) -> None:
    page = text_of(marketer, "/segments/_list", name="Press & friends", people="c1\nnobody\nC2@EXAMPLE.com\n")
    assert "2 added, 1 not known" in page and "Line 2 nobody" in page
    page = text_of(marketer, "/segments/press-friends/list")
    assert "2 people chosen one by one" in page and "Nora1" in page
    csv = (io.BytesIO("Name;E-Mail\nMüller;c3@example.com\nX;zzz\n".encode("cp1252")), "guests.csv")
    answer = marketer.post("/segments/press-friends/list/add", data={"file": csv}, content_type="multipart/form-data")
    assert "1 added, 1 not known" in answer.text and "Line 3" in answer.text
    assert "2 people taken off" in text_of(marketer, "/segments/press-friends/list/remove", number=["c1", "c2"])
    assert "1 person chosen one by one" in text_of(marketer, "/segments/press-friends/list")
    assert "Tick somebody" in text_of(marketer, "/segments/press-friends/list/add", people="\n")
    assert marketer.get("/segments/press-friends").location == "/segments/press-friends/list"
    excel = (io.BytesIO(b"PK\x03\x04xx"), "x.xlsx")
    answer = marketer.post("/segments/press-friends/list/add", data={"file": excel}, content_type="multipart/form-data")
    assert "Excel" in answer.text
    assert "Not saved" in text_of(marketer, "/segments/_list", name="", people="c1")


def test_versions_show_author_sentence_and_difference_and_can_be_restored(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    with database.writing() as session:
        changed = {"all": [{"customer": "city", "is": "Lübeck"}, *DUNNED["all"]]}
        save_segment(session, "dunned", name="Dunned", rule=parse_rule(changed), author="Mara", now=now)
    page = text_of(marketer, "/segments/dunned/versions")
    assert re.search(r"Version 2 .*Mara, in force .*New Customers who live in Lübeck\. Version 1 .*Jonas", page)
    marketer.post("/segments/dunned/versions/1/restore")
    with database.reading() as session:
        assert [row.rule for row in versions_of(session, "dunned")] == [DUNNED, changed, DUNNED]
    assert "Gone Customers who live in Lübeck." in text_of(marketer, "/segments/dunned/versions")


def test_folders_tags_and_words_narrow_the_list_and_a_folder_is_renamed(
    marketer: FlaskClient, database: Database
) -> None:
    marketer.post("/segments/dunned/duplicate")
    filed = text_of(marketer, "/segments/dunned/file", name="Late payers", folder="Money", tags="care, vip",
                    refresh_seconds="900", description="who owes us")
    assert "Saved." in filed
    with database.reading() as session:
        segment = segment_by_key(session, "dunned")
        assert (segment.name, segment.folder, segment.tags, segment.refresh_seconds) == (
            "Late payers", "Money", ["care", "vip"], 900)
    for query in ("q=OWES", "q=late", "folder=Money", "tag=vip", "kind=rule&q=dunned&folder=Money"):
        page = marketer.get(f"/segments?{query}").text
        assert "/segments/dunned\"" in page and "/segments/dunned-copy\"" not in page, query
    everything = text_of(marketer, "/segments")
    assert "In no folder" in everything and "Money" in everything
    assert "No segment fits" in text_of(marketer, "/segments?q=zzz")
    marketer.post("/segments/_folder", data={"folder": "Money", "name": "Care"})
    assert "Care" in text_of(marketer, "/segments?folder=Care")
    assert "Not saved" in text_of(marketer, "/segments/dunned/file", name="")


def test_a_snapshot_is_made_by_one_click_and_takes_nobody(marketer: FlaskClient, database: Database) -> None:
    page = text_of(marketer, "/segments/dunned/freeze", go="1")
    assert "keeps 3 people as they are now" in page and "It never changes" in page
    answer = text_of(marketer, "/segments/dunned-2026-03-02/list/add", people="c8")
    assert "was frozen and never changes" in answer
    assert "frozen" in text_of(marketer, "/segments?kind=snapshot")
    assert "3 people, version 1" in text_of(marketer, "/segments/dunned/history")
    assert "A snapshot stays as it is" in text_of(marketer, "/segments/dunned-2026-03-02/history")


def test_what_is_used_is_listed_and_neither_archived_nor_deleted(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    graph = {"entry": {"segment": "other"}, "exit_when": [{"segment": "dunned"}], "steps": {
        "ask": {"kind": "branch", "if": {"all": [{"segment": "dunned"}]}}}}
    with database.writing() as session:
        segment_id = segment_by_key(session, "dunned").id
        campaign = Campaign(key="k", name="Spring", state="draft", segment_id=segment_id, created_at=now,
                            updated_at=now)
        session.add(campaign)
        session.flush()
        session.add(Journey(key="j", name="Walk", campaign_id=campaign.id, draft=graph, state="draft", created_at=now,
                            updated_at=now))
    page = text_of(marketer, "/segments/dunned/history")
    assert "Spring campaign, its audience" in page
    assert "Walk journey, in the step ask, in what ends it early" in page
    for verb in ("archive", "delete"):
        said = text_of(marketer, f"/segments/dunned/{verb}", go="1")
        assert f"Not {verb}d: “Dunned” is used by the campaign “Spring”, the journey “Walk”" in said
    with database.writing() as session:
        session.query(Journey).delete()
        session.query(Campaign).delete()
    assert "“Dunned” is deleted" in text_of(marketer, "/segments/dunned/delete", go="1")
    assert marketer.get("/segments/dunned").status_code == 404

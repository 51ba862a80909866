"""The figures beside a draft, asked as htmx would: every number leads to the people or the rule behind it."""

import html
import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from core import clock
from core.database import Database
from core.settings import Settings, read_settings
from tests.conftest import PROOFS
from tests.web.conftest import make_app
from tests.web.people import make_people
from tests.web.test_segments_pages import HOSTILE, HTMX, LAPSED, form, numbers, rule_of, save


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """Eight people, on SQLite."""
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


def figure(client: FlaskClient, name: str, rule: Any = LAPSED, **fields: Any) -> str:
    answer = client.post(f"/segments/_{name}", data=form(rule, **fields), headers=HTMX)
    assert answer.status_code == 200
    return answer.text


def links(page: str, words: str) -> list[str]:
    """The addresses behind these words."""
    return [html.unescape(address) for address in re.findall(rf'href="([^"]+)"[^>]*>{words}<', page)]


def test_every_label_of_the_reach_opens_its_people(marketer: FlaskClient) -> None:
    page = figure(marketer, "reach")
    opened = {words: marketer.get(links(page, words)[0]).text
              for words in ("In the segment", "Said no to letters", "Reachable", "E-mail")}
    heads = {words: re.sub("<[^>]+>", "", re.findall(r"<h1[^>]*>(.*?)</h1>", text, re.S)[0]).strip()
             for words, text in opened.items()}
    assert heads == {"In the segment": "3 people", "Said no to letters": "1 person: Said no to letters",
                     "Reachable": "2 people: Reachable", "E-mail": "2 people: E-mail"}
    assert "Nora2" in opened["Said no to letters"]
    assert "Nora2" not in opened["Reachable"]
    assert not links(page, "Phone")  # nobody


def test_each_bar_of_the_histograms_opens_the_rule_narrowed_to_its_people(marketer: FlaskClient) -> None:
    page = figure(marketer, "shape")
    narrowed = rule_of(marketer.get(links(page, "€200 to €500")[0]).text)
    assert narrowed == {"all": [*LAPSED["all"], {"orders": "revenue", "between": [20_000, 49_999]}]}
    assert numbers(marketer, narrowed)[0]["total"] == 3
    narrowed = rule_of(marketer.get(links(page, "180 to 365 days ago")[0]).text)
    assert numbers(marketer, narrowed)[0]["total"] == 3
    assert "Never ordered" in page
    assert not links(page, "Never ordered")


def test_the_overlap_leads_to_the_rule_of_both_and_names_what_cannot_be_compared(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    save(database, now, "odd", {"customer": "customer_id", "in": ["c1", "c3"]}, name="Odd <b>people")
    save(database, now, "own")
    page = figure(marketer, "overlap", key="own", seen_version="1")
    assert "Odd &lt;b&gt;people" in page
    assert "Lapsed buyers" not in page  # the segment under edit is not compared with itself
    assert rule_of(marketer.get(links(page, "2")[0]).text) == {"all": [*LAPSED["all"], {"segment": "odd"}]}
    assert rule_of(marketer.get(links(page, "1")[0]).text) == {
        "all": [*LAPSED["all"], {"not": {"segment": "odd"}}]}
    assert "no other segment to compare with" not in page


def test_the_size_at_each_month_end_opens_the_people_of_then(marketer: FlaskClient, now: datetime) -> None:
    page = figure(marketer, "months", {"orders": "count", "at_least": 1})
    for _ in range(12):
        if "Counting the month ends" not in page:
            break
        page = figure(marketer, "months", {"orders": "count", "at_least": 1})
    assert "Size at each month end: 0 a year ago, 6 today" in page
    then = links(page, "4")[0]
    opened = marketer.get(then).text
    assert "4 people" in opened
    assert "As things stood at the end of" in opened


def test_figures_of_a_broken_draft_say_nothing_and_a_rule_too_long_for_an_address_has_no_links(
    marketer: FlaskClient
) -> None:
    for name in ("lines", "sample", "reach", "shape", "overlap", "months"):
        assert "href" not in figure(marketer, name, {"all": [{"segment": "gone"}]})
    long = {"all": [{"customer": "city", "not_in": ["x" * 400] * 20}]}
    page = figure(marketer, "reach", long)
    assert "href" not in page
    assert "too long for an address" in page


def test_another_ten_people_are_drawn_without_counting_anew(marketer: FlaskClient) -> None:
    page = figure(marketer, "sample", {"all": []}, next_draw="1")
    assert page.count("<tr>") == 1 + 6  # eight people: the second ten begin anew
    assert "Nora" in figure(marketer, "sample", {"all": []}, next_draw="-99999999999999999999999")


@pytest.mark.parametrize("query", [
    {"rule": ""}, {"rule": "{"}, {"rule": '{"all": [{"orders": "nope"}]}'}, {"rule": '{"all": []}', "at": "soon"}])
def test_people_of_a_rule_that_cannot_be_read_are_refused_with_the_reason(
    marketer: FlaskClient, query: dict[str, str]
) -> None:
    answer = marketer.get("/segments/_people", query_string=query)
    assert answer.status_code in (400, 422)
    assert "Traceback" not in answer.text


@pytest.mark.deeper
@pytest.mark.parametrize("text", HOSTILE if PROOFS else HOSTILE[::4])
def test_hostile_addresses_of_people_come_back_as_text(marketer: FlaskClient, text: str) -> None:
    answer = marketer.get("/segments/_people", query_string={
        "rule": json.dumps({"customer": "city", "is_not": text.replace("\0", "")[:400]}), "part": text, "name": text,
        "key": text, "after": text})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_what_was_asked_about_a_draft_is_stopped_when_it_changes_or_its_page_is_left(
    marketer: FlaskClient, sign_in: Callable[..., FlaskClient], app: Flask, database: Database
) -> None:
    other = app.test_client()
    with marketer.session_transaction() as mine, other.session_transaction() as theirs:
        theirs.update(mine)
    asking, moved_on = threading.Event(), threading.Event()

    def hold(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "FROM order_lines" in statement and not asking.is_set():
            asking.set()
            assert moved_on.wait(60)

    def ask(page: str) -> None:
        told.append(other.post("/segments/_numbers", data=form(LAPSED, page=page), headers=HTMX).text)

    event.listen(database.engine, "before_cursor_execute", hold)
    stranger = sign_in("analyst")
    for address in ("/segments/_builder", "/segments/_stop"):
        for who, left, says in ((marketer, "one", "nobody waits for its answer any more"),
                                (marketer, "another", "3 people"), (stranger, "one", "3 people")):
            told: list[str] = []
            asking.clear()
            moved_on.clear()
            asker = threading.Thread(target=ask, args=("one",))
            asker.start()
            assert asking.wait(60)
            assert who.post(address, data=form(LAPSED, page=left), headers=HTMX).status_code < 300
            moved_on.set()
            asker.join(60)
            assert says in told[0]
    event.remove(database.engine, "before_cursor_execute", hold)
    # the page goes on asking
    assert "3 people" in figure(marketer, "numbers", page="one")

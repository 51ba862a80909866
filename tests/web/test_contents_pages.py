"""The pages of contents: compiled before they are saved, findings with their line, previews that cannot reach us."""

import html
import re
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.database import Database
from core.settings import Settings, read_settings
from delivery.contents import content_by_key, revisions_of
from tests.conftest import PROOFS

MJML = """<mjml>
  <mj-body>
    <mj-section><mj-column>
      <mj-text>{{ greeting }}, your code is {{ code }}.</mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>"""
GOOD = {"was": "", "key": "offer-a", "name": "First letter", "subject": "{{ greeting }}", "mjml": MJML,
        "letter": "{{ greeting }},\r\n\r\nyour code is {{ code }}.",
        "call_script": "Good day {{ customer.first_name }}.",
        "language": "en", "message_class": "marketing", "seen": "0", "do": "save"}
HOSTILE = ["<script>alert(1)</script>", "\u202eتنافر" * 20, "🧨" * 50, "x" * 10_000, "\x00", "{{ unclosed", "{% if %}",
           "{% for i in (1..100000000) %}x{% endfor %}", "<mjml>" * 200, "{{ '' | append: code }}"]


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """Pages do not depend on the engine: SQLite only; the clock stands at `now`."""
    with sqlite_database.writing() as session:
        clock.stand_at(session.connection(), now)
    return sqlite_database


@pytest.fixture
def settings(database: Database, tmp_path: Any) -> Settings:
    return read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                          "WINBACK_DATABASE_URL": f"sqlite:///{database.path}"})


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def test_a_content_is_made_changed_and_its_revisions_stay(marketer: FlaskClient, database: Database) -> None:
    assert "No contents yet" in marketer.get("/contents").text
    answer = marketer.post("/contents/_save", data=GOOD)
    assert (answer.status_code, answer.location) == (303, "/contents/offer-a")
    page = marketer.get(answer.location).text
    assert "is saved as revision 1." in page
    assert field(page, "mjml") == MJML
    changed = {**GOOD, "was": "offer-a", "seen": "1", "letter": "Shorter {{ code }}"}
    assert marketer.post("/contents/_save", data=changed).status_code == 303
    assert marketer.post("/contents/_save", data={**changed, "seen": "2"}).status_code == 303
    with database.reading() as session:
        assert [(r.number, r.letter, r.author) for r in revisions_of(session, "offer-a")] == [
            (2, "Shorter {{ code }}", "marketer person"),
            (1, "{{ greeting }},\n\nyour code is {{ code }}.", "marketer person")]
    assert "your code is" in field(marketer.get("/contents/offer-a?revision=1").text, "letter")
    assert marketer.get("/contents/offer-a?revision=7").status_code == 404
    page = marketer.get("/contents").text
    for channel in ("e-mail", "letter", "phone"):
        assert channel in page


def test_what_does_not_compile_names_field_and_line_and_nothing_is_lost(
    marketer: FlaskClient, database: Database
) -> None:
    wrong = MJML.replace("{{ code }}", "{{ kode }}")
    answer = marketer.post("/contents/_save", data={**GOOD, "mjml": wrong, "letter": "a\n{{ nope", "name": "Kept"})
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    mjml = page.split('id="errs-mjml"')[1].split("</ul>")[0]
    assert "Line 4:" in mjml
    assert "no variable kode" in mjml
    assert "Line 2:" in page.split('id="errs-letter"')[1].split("</ul>")[0]
    assert field(answer.text, "mjml") == wrong
    assert 'value="Kept"' in page
    checked = marketer.post("/contents/_check", data={**GOOD, "mjml": wrong}, headers={"HX-Request": "true"}).text
    assert 'data-valid="no"' in checked
    assert "no variable kode" in checked
    with database.reading() as session, pytest.raises(Exception, match="no content"):
        content_by_key(session, "offer-a")


@pytest.mark.parametrize(("change", "said"), [
    ({"key": "No spaces!"}, "letters, digits"), ({"name": " "}, "needs a name"),
    ({"message_class": "spam"}, "no message class"), ({"key": ""}, "letters, digits"),
])
def test_a_wrong_field_says_so(marketer: FlaskClient, change: dict[str, str], said: str) -> None:
    answer = marketer.post("/contents/_save", data={**GOOD, **change})
    assert answer.status_code == 422
    assert said in html.unescape(answer.text)


def test_a_taken_key_and_the_second_of_two_tabs_are_told(marketer: FlaskClient, database: Database) -> None:
    marketer.post("/contents/_save", data=GOOD)
    assert "with this key already" in marketer.post("/contents/_save", data=GOOD).text
    theirs = {**GOOD, "was": "offer-a", "seen": "1", "letter": "Theirs"}
    mine = {**theirs, "letter": "Mine"}
    marketer.post("/contents/_save", data=theirs)
    answer = marketer.post("/contents/_save", data=mine)
    assert answer.status_code == 409
    assert "marketer person saved revision 2 while you were writing" in answer.text
    assert field(answer.text, "letter") == "Mine"
    assert marketer.post("/contents/_save", data={**mine, "do": "save-over"}).status_code == 303
    with database.reading() as session:
        assert [r.letter for r in revisions_of(session, "offer-a")][:2] == ["Mine", "Theirs"]


def test_the_preview_is_filled_and_may_neither_run_scripts_nor_reach_us(marketer: FlaskClient) -> None:
    answer = marketer.post("/contents/_email", data=GOOD)
    assert "Dear Ms Brandes, your code is 7KQM-4T2X-9HBD8." in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "sandbox" in policy
    assert "form-action 'none'" in policy
    checked = marketer.post("/contents/_check", data=GOOD).text
    assert "Good day Hannelore." in checked
    page = marketer.get("/contents/_new").text
    assert 'sandbox=""' in page
    assert "Mend the text first" in marketer.post("/contents/_email", data={**GOOD, "mjml": "<mjml>"}).text


def test_the_letter_is_drawn_as_a_pdf_or_says_why_not(marketer: FlaskClient) -> None:
    answer = marketer.post("/contents/_letter", data=GOOD)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.data.startswith(b"%PDF")
    assert marketer.post("/contents/_letter", data={**GOOD, "letter": ""}).status_code == 400
    refused = marketer.post("/contents/_letter", data={**GOOD, "letter": "日本"})
    assert refused.status_code == 400
    assert "cannot be printed" in refused.text


def test_every_variable_a_text_may_name_is_explained(marketer: FlaskClient) -> None:
    page = html.unescape(marketer.get("/contents/_new").text)
    assert "{{ code_valid_until }}" in page
    assert "the last day the code is valid, written out" in page


def test_an_archived_content_leaves_the_list_and_comes_back(marketer: FlaskClient) -> None:
    marketer.post("/contents/_save", data=GOOD)
    marketer.post("/contents/offer-a/archive")
    assert 'href="/contents/offer-a"' not in marketer.get("/contents").text
    assert 'href="/contents/offer-a"' in marketer.get("/contents?show=archived").text
    marketer.post("/contents/offer-a/archive", data={"back": "yes"})
    assert 'href="/contents/offer-a"' in marketer.get("/contents").text


@pytest.mark.deeper
@pytest.mark.parametrize("text", HOSTILE if PROOFS else HOSTILE[::4])
def test_hostile_text_in_every_field_is_never_an_error_of_ours(marketer: FlaskClient, text: str) -> None:
    for name in GOOD:
        sent = {**GOOD, name: text}
        answer = marketer.post("/contents/_save", data=sent)
        assert answer.status_code in (303, 404, 409, 422), (name, answer.status_code)
        assert "<script>alert" not in answer.text
        assert marketer.post("/contents/_check", data=sent).status_code == 200
        assert marketer.post("/contents/_email", data=sent).status_code == 200


def test_looking_is_for_everybody_saving_for_marketers(sign_in: Any) -> None:
    agent = sign_in("agent")
    assert agent.get("/contents").status_code == 200
    assert agent.post("/contents/_check", data=GOOD).status_code == 200
    assert agent.post("/contents/_save", data=GOOD).status_code == 403

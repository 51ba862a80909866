"""Call desk, settings, imports and letters over HTTP: two hands at one thing, hostile names, roles."""

import io
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from core.clock import stand_at
from core.database import Database
from core.errors import Invalid
from customers.models import Customer
from delivery.calls import put_on_desk
from delivery.models import CallTask
from delivery.profile import Profile, get_profile, save_profile, settings_with_profile
from tests.delivery.ledger import prepared
from web.models import ApiKey, User
from web.security.logins import add_user

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite only: the verbs behind are tested on both databases in their rooms."""
    shutil.copyfile(sqlite_template, tmp_path / "winback.db")
    return f"sqlite:///{tmp_path / 'winback.db'}"


@pytest.fixture
def desk(database: Database, now: datetime) -> Database:
    """Two calls on the desk, and a clock that stands."""
    ids = prepared(database, [1, 2], now=now, channel="phone")
    with database.writing() as session:
        put_on_desk(session.connection(), ids, now=now)
        stand_at(session.connection(), now + timedelta(hours=1))
    return database


def test_two_agents_never_hold_one_call(sign_in: SignIn, desk: Database) -> None:
    one, two = sign_in("agent"), sign_in("marketer")
    assert one.post("/calls/1/take").location.endswith("/calls/1")
    assert one.post("/calls/1/take").location.endswith("/calls/1"), "a double click opens it again"
    assert two.post("/calls/1/take").location == "/calls"
    assert "has taken this call" in two.get("/calls").text
    assert two.get("/calls/1").location == "/calls"
    assert two.post("/calls/1/outcome", data={"outcome": "reached"}).location == "/calls"
    with desk.reading() as session:
        assert session.get_one(CallTask, 1).state == "taken"


def test_an_outcome_is_noted_once_however_often_it_is_clicked(sign_in: SignIn, desk: Database) -> None:
    agent = sign_in("agent")
    agent.post("/calls/1/take")
    sheet = agent.get("/calls/1").text
    assert "CODE1" in sheet and "What to say" in sheet
    for _click in range(2):
        assert agent.post("/calls/1/outcome", data={"outcome": "reached", "note": "friendly\0"}).status_code == 302
    with desk.reading() as session:
        task = session.get_one(CallTask, 1)
        assert (task.state, task.attempts, task.note) == ("done", 1, "friendly")
    assert agent.post("/calls/1/take").location == "/calls"


def test_a_callback_needs_its_time_and_comes_back_then(sign_in: SignIn, desk: Database, now: datetime) -> None:
    agent = sign_in("agent")
    agent.post("/calls/1/take")
    for wrong in ("", "soon", "2020-01-01T10:00", "9999-12-31T23:59"):
        answer = agent.post("/calls/1/outcome", data={"outcome": "callback", "again_at": wrong})
        assert answer.status_code == 400 and "Agreed time" in answer.text
    assert agent.post("/calls/1/outcome", data={"outcome": "x"}).status_code == 400
    agent.post("/calls/1/outcome", data={"outcome": "callback", "again_at": "2026-03-04T09:30"})
    with desk.reading() as session:
        assert session.get_one(CallTask, 1).due_at.isoformat() == "2026-03-04T09:30:00+00:00"
    assert "1 is agreed for later" in agent.get("/calls").text


def test_a_call_is_given_back_and_a_no_in_the_meantime_takes_it_off_the_desk(
    sign_in: SignIn, desk: Database, now: datetime
) -> None:
    agent = sign_in("agent")
    agent.post("/calls/1/take")
    agent.post("/calls/1/release")
    with desk.writing() as session:
        session.execute(text("INSERT INTO consents (customer_id, channel, state, at, recorded_at)"
                             " VALUES (1, 'phone', 'withdrawn', :at, :at)"),
                        {"at": int((now + timedelta(minutes=5)).timestamp() * 1_000_000)})
    assert agent.post("/calls/1/take").location == "/calls"
    assert "said no to calls" in agent.get("/calls").text
    assert agent.get("/calls/999").status_code == 404
    assert agent.get("/calls?after=x").status_code == 400


def test_an_agent_calls_and_changes_nothing_else_and_an_analyst_does_not_call(sign_in: SignIn, desk: Database) -> None:
    agent, analyst = sign_in("agent"), sign_in("analyst")
    assert agent.post("/settings", data={}).status_code == 403
    assert agent.post("/imports", data={}).status_code == 403
    assert agent.get("/settings/people").status_code == 403
    assert analyst.post("/calls/1/take").status_code == 403
    assert analyst.get("/prints/2026-03-02").status_code == 403


GOOD = {"shop_name": "Nordholm", "shop_url": "https://shop.example", "address_lines": "Ring 1\r\n10115 Berlin",
        "country": "de", "sender_name": "Nordholm", "sender_address": "Post@SHOP.example", "reply_to": "",
        "unsubscribe_mailto": ""}


def test_the_sender_is_saved_and_carried_by_what_is_sent(marketer: FlaskClient, database: Database) -> None:
    assert "No sender is saved yet" in marketer.get("/settings").text
    assert marketer.post("/settings", data=GOOD).status_code == 302
    with database.reading() as session:
        settings = settings_with_profile(session, secret_key="k" * 16, base_url="https://w.example")
    assert settings.shop.address_lines == ("Ring 1", "10115 Berlin")
    assert (settings.sender_address, settings.shop.country) == ("Post@shop.example", "DE")


@pytest.mark.parametrize(("field", "value"), [
    ("sender_address", "nobody"), ("sender_address", "a@b.example\r\nBcc: x@y.example"), ("shop_name", " "),
    ("sender_name", "A\nB"), ("country", "Germany"), ("shop_url", "javascript:alert(1)"), ("shop_url", "http://["),
    ("address_lines", "a\n" * 9), ("address_lines", "x" * 100), ("reply_to", "x")])
def test_a_sender_that_cannot_stand_in_a_mail_is_refused_beside_its_field(
    marketer: FlaskClient, database: Database, field: str, value: str
) -> None:
    answer = marketer.post("/settings", data={**GOOD, field: value})
    assert answer.status_code == 400 and f'id="f-{field}-error"' in answer.text.replace(f'id="{field}-error"',
                                                                                      f'id="f-{field}-error"')
    with database.reading() as session:
        assert get_profile(session) == Profile()


def test_a_profile_that_does_not_fit_is_refused_below_the_door_too(database: Database, now: datetime) -> None:
    with pytest.raises(Invalid), database.writing() as session:
        save_profile(session, Profile(sender_address="x"), now=now)


def test_people_are_added_changed_and_disabled_and_the_last_administrator_stays(
    sign_in: SignIn, database: Database, now: datetime
) -> None:
    admin = sign_in("admin")
    person = {"name": "<b>Nadine</b>", "email": "nadine@example.com", "password": "a long password", "role": "agent"}
    assert admin.post("/settings/people", data={**person, "password": "short"}).status_code == 400
    assert admin.post("/settings/people", data=person).status_code == 302
    assert admin.post("/settings/people", data=person).status_code == 400, "the address has a login already"
    assert "<b>Nadine" not in admin.get("/settings/people").text
    with database.reading() as session:
        ids = {user.email: user.id for user in session.scalars(select(User))}
    admin.post(f"/settings/people/{ids['nadine@example.com']}/role", data={"role": "analyst"})
    admin.post(f"/settings/people/{ids['nadine@example.com']}/disable")
    admin.post(f"/settings/people/{ids['admin@example.com']}/disable")
    admin.post(f"/settings/people/{ids['admin@example.com']}/role", data={"role": "agent"})
    assert "only administrator" in admin.get("/settings/people").text
    assert admin.post("/settings/people/99/disable").status_code == 404
    with database.reading() as session:
        users = {user.email: user for user in session.scalars(select(User))}
    assert (users["nadine@example.com"].role, users["nadine@example.com"].session_version) == ("analyst", 3)
    assert users["nadine@example.com"].disabled_at is not None
    assert (users["admin@example.com"].role, users["admin@example.com"].disabled_at) == ("admin", None)
    assert "person added" in admin.get("/settings/audit").text


def test_a_key_is_shown_once_and_useless_when_revoked(sign_in: SignIn, client: FlaskClient, database: Database) -> None:
    admin = sign_in("admin")
    assert admin.post("/settings/keys", data={"name": "till"}).status_code == 400
    assert admin.post("/settings/keys", data={"scope": "read"}).status_code == 400
    made = admin.post("/settings/keys", data={"name": "till", "scope": ["read"]})
    key = made.text.split('class="secret"')[1].split(">")[1].split("<")[0]
    assert made.headers["Cache-Control"] == "no-store" and key not in admin.get("/settings/keys").text
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/v1/customers", headers=headers).status_code == 200
    with database.reading() as session:
        lookup = session.scalars(select(ApiKey.lookup)).one()
    for _click in range(2):
        admin.post(f"/settings/keys/{lookup}/revoke")
    assert client.get("/api/v1/customers", headers=headers).status_code == 401


def _upload(browser: FlaskClient, content: bytes, *, kind: str = "customers", name: str = "a.csv") -> TestResponse:
    return browser.post("/imports", data={"kind": kind, "file": (io.BytesIO(content), name)},
                        content_type="multipart/form-data")


def test_an_upload_is_checked_stored_and_removed(marketer: FlaskClient, app: Flask, database: Database) -> None:
    page = _upload(marketer, b"customer_id,email\nc1,a@example.com\nc2,bad\n", name="../../<x>.csv")
    assert page.status_code == 200 and "&lt;x&gt;" in page.text and "<x>" not in page.text
    folder = app.extensions["winback.settings"].home / "imports"
    token = next(folder.glob("*.data")).stem
    data = {"column.customer_id": "customer_id", "column.email": "email"}
    checked = marketer.post(f"/imports/{token}/check", data=data)
    assert "Would be rejected" in checked.text and "bad" in checked.text
    with database.reading() as session:
        assert session.scalars(select(Customer)).all() == []
    assert "Rejected" in marketer.post(f"/imports/{token}/import", data=data).text
    assert marketer.post(f"/imports/{token}/import", data=data).status_code == 404, "a second click imports nothing"
    assert sorted(path.name for path in folder.iterdir()) == [f"{token}.rejected.csv"]
    assert b"bad" in marketer.get(f"/imports/{token}/rejected.csv").data


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"PAR1 broken", b"\xff\xfe", b"customer_id"])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(marketer: FlaskClient, app: Flask, content: bytes) -> None:
    answer = _upload(marketer, content)
    assert answer.status_code in (200, 400)
    home = str(app.extensions["winback.settings"].home)
    assert home not in answer.text and "Traceback" not in answer.text


def test_hostile_names_and_columns_lead_nowhere(marketer: FlaskClient, app: Flask) -> None:
    for token in ("..%2f..%2fwinback", "a" * 31, "A" * 32, "%00"):
        assert marketer.post(f"/imports/{token}/check").status_code == 404
        assert marketer.get(f"/imports/{token}/rejected.csv").status_code == 404
    assert _upload(marketer, b"x", kind="../x").status_code == 400
    _upload(marketer, b"customer_id,email\nc1,a@example.com\n")
    token = next((app.extensions["winback.settings"].home / "imports").glob("*.data")).stem
    for data in ({"column.customer_id": "nope"}, {"column.customer_id": "email", "column.email": "email"}, {}):
        assert marketer.post(f"/imports/{token}/check", data=data).status_code in (200, 400)


def test_a_file_that_is_too_large_is_told_the_limit_and_the_way(marketer: FlaskClient) -> None:
    answer = _upload(marketer, b"x" * (17 * 1024 * 1024))
    assert answer.status_code == 413 and "larger than 16 MB" in answer.text


def test_a_program_imports_a_file_and_gets_the_counts(
    client: FlaskClient, app: Flask, api_key: Callable[..., dict[str, str]]
) -> None:
    headers = api_key("write")
    answer = client.post("/api/v1/imports?kind=customers&map=Nummer=customer_id", headers=headers,
                         data=b"Nummer,email\nc1,a@example.com\nc2,bad\n", content_type="text/csv")
    assert answer.status_code == 200, answer.text
    assert (answer.get_json()["imported"], answer.get_json()["rejected"], answer.get_json()["created"]) == (1, 1, 1)
    assert answer.get_json()["rejects"][0]["line"] == 3
    assert client.post("/api/v1/imports?kind=x", headers=headers, data=b"x").status_code == 400
    broken = client.post("/api/v1/imports?kind=customers", headers=headers, data=b"nothing\n1\n",
                         content_type="text/csv")
    assert broken.status_code == 400 and "customer_id" in broken.get_json()["detail"]
    assert list((app.extensions["winback.settings"].home / "imports").iterdir()) == []


def test_letters_are_listed_by_day_and_nothing_else_is_served(marketer: FlaskClient, app: Flask) -> None:
    assert "No letters yet" in marketer.get("/prints").text
    home = app.extensions["winback.settings"].home
    folder = home / "letters" / "2026-03-02"
    folder.mkdir(parents=True)
    (folder / "abc123.pdf").write_bytes(b"%PDF-1.4")
    (folder / "manifest.csv").write_text("public_id,address,bytes\nabc123,<b>Ada</b>,8\n../x,Eve,1\n")
    (home / "letters" / "notes").mkdir()
    (home / "secret.pdf").write_bytes(b"secret")
    (folder / "link.pdf").symlink_to(home / "secret.pdf")
    assert "2 March 2026" in marketer.get("/prints").text
    page = marketer.get("/prints/2026-03-02").text
    assert "&lt;b&gt;Ada" in page and "Eve" not in page
    assert "Letters of Monday, 2 March 2026</h1>" in page
    assert marketer.get("/prints/2026-03-02/abc123.pdf").data == b"%PDF-1.4"
    assert b"abc123" in marketer.get("/prints/2026-03-02/manifest.csv").data
    for path in ("2026-03-02/link.pdf", "2026-03-02/..%2f..%2fsecret.pdf", "..%2f/manifest.csv", "notes/manifest.csv",
                 "2026-03-02/manifest.pdf", "2026-03-03/abc123.pdf", "..", "2026-03-02%00/abc123.pdf"):
        answer = marketer.get(f"/prints/{path}", follow_redirects=True)
        assert answer.status_code == 404 or b"secret" not in answer.data, path
    assert marketer.get("/prints/2026-03-02?after=x").status_code == 400
    # A day on which nothing can have been posted stays in its field, with the reason beside it.
    for typed, told in (("2026-03-01", "on the day they were handed over"), ("soon", "Write a day such as"),
                        ("2999-01-01", "not in the future"), ("", "Write a day such as")):
        answer = marketer.post("/prints/2026-03-02/posted", data={"posted_on": typed})
        assert answer.status_code == 400 and "2 letters" not in answer.text and "Ada" in answer.text
        assert told in answer.text and f'value="{typed}"' in answer.text and 'id="f-posted_on"' in answer.text
    assert marketer.post("/prints/yesterday/posted", data={"posted_on": "2026-03-02"}).status_code == 400


def test_two_people_of_one_name_are_two_agents(app: Flask, desk: Database, now: datetime) -> None:
    clients = []
    for address in ("n1@example.com", "n2@example.com"):
        with desk.writing() as session:
            user = add_user(session, address, name="Nadine", password="a long password", role="agent", now=now)
            identity = f"{user.id}.{user.session_version}"
        browser = app.test_client()
        with browser.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = identity, True
        clients.append(browser)
    clients[0].post("/calls/1/take")
    assert clients[1].post("/calls/1/take").location == "/calls"

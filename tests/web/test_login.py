"""Signing in: five free tries, then waits; the answer never says who has a login; sessions can be ended."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core.clock import stand_at
from core.database import Database
from core.errors import Conflict, Invalid
from tests.web.conftest import PASSWORD, SLOW_HASHER
from web.models import ApiKey, AuditEntry, User
from web.pages.login import REFUSAL, safe_target
from web.security.keys import issue_key, key_of, revoke_key
from web.security.logins import add_user, close_attempt, end_sessions, open_attempt, wait_after
from web.security.passwords import password_fits


@pytest.fixture
def mara(database: Database, now: datetime) -> User:
    with database.writing() as session:
        return add_user(session, " Mara@Example.com", name="Mara Lindner", password=PASSWORD, now=now)


def post_login(client: FlaskClient, password: str) -> int:
    return client.post("/login", data={"email": "mara@example.com", "password": password}).status_code


def test_the_right_password_opens_a_session_and_is_noted(client: FlaskClient, database: Database, mara: User) -> None:
    assert post_login(client, PASSWORD) == 302
    assert client.get("/style-guide").status_code == 200
    with database.reading() as session:
        assert session.scalars(select(AuditEntry.verb)).all() == ["login.opened"]


def test_the_session_cookie_is_for_our_pages_only(client: FlaskClient, mara: User) -> None:
    response = client.post("/login", data={"email": "mara@example.com", "password": PASSWORD})
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie


def test_wrong_unknown_and_disabled_get_the_same_answer(
    client: FlaskClient, database: Database, mara: User, now: datetime
) -> None:
    with database.writing() as session:
        session.get_one(User, add_user(session, "gone@example.com", name="G", password=PASSWORD, now=now).id
                        ).disabled_at = now
    answers = set()
    for email, password in (("mara@example.com", "wrong"), ("nobody@example.com", "wrong"),
                            ("gone@example.com", PASSWORD)):
        text = client.post("/login", data={"email": email, "password": password}).get_data(as_text=True)
        answers.add(re.sub(r'name="csrf_token" value="[^"]+"', "", text).replace(email, ""))
    assert len(answers) == 1
    assert REFUSAL in answers.pop()


def test_after_five_wrong_tries_even_the_right_password_has_to_wait(client: FlaskClient, mara: User) -> None:
    assert [post_login(client, "wrong") for _ in range(5)] == [401] * 5
    assert post_login(client, PASSWORD) == 401


def test_the_wait_ends_and_success_forgets_the_wrong_tries(database: Database, mara: User, now: datetime) -> None:
    with database.writing() as session:
        for _ in range(5):
            assert open_attempt(session, mara.email, now=now) is not None
        assert open_attempt(session, mara.email, now=now + timedelta(seconds=29)) is None
        assert open_attempt(session, mara.email, now=now + timedelta(seconds=30)) is not None
        close_attempt(session, mara.id)
        assert session.scalar(select(User.failed_logins)) == 0
        assert session.scalar(select(User.locked_until)) is None


def test_an_attempt_is_counted_before_the_password_is_compared(database: Database, mara: User, now: datetime) -> None:
    with database.writing() as session:
        open_attempt(session, mara.email, now=now)
    with database.reading() as session:
        assert session.scalar(select(User.failed_logins)) == 1


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    assert [wait_after(n).total_seconds() for n in (0, 4, 5, 6, 7, 10, 1000)] == [0, 0, 30, 60, 120, 900, 900]


def test_ended_sessions_are_over_everywhere(client: FlaskClient, database: Database, mara: User) -> None:
    post_login(client, PASSWORD)
    with database.writing() as session:
        end_sessions(session, mara.id)
    assert client.get("/style-guide").status_code == 302


def test_a_disabled_person_is_out_at_once(client: FlaskClient, database: Database, mara: User, now: datetime) -> None:
    post_login(client, PASSWORD)
    with database.writing() as session:
        session.get_one(User, mara.id).disabled_at = now
    assert client.get("/style-guide").status_code == 302


def test_signing_out_ends_the_session(sign_in: Callable[..., FlaskClient]) -> None:
    browser = sign_in("analyst")
    assert browser.post("/logout").status_code == 302
    assert browser.get("/style-guide").status_code == 302
    assert browser.get("/logout").status_code == 405


@pytest.mark.parametrize(
    "target",
    [None, "", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "evil", "/a\nb", " //evil.example", "http:/evil.example"],
)
def test_a_login_never_leads_to_another_host(target: str | None) -> None:
    assert safe_target(target) == "/"


def test_a_login_leads_back_to_the_page_one_came_for(client: FlaskClient, mara: User) -> None:
    assert client.get("/jump?q=a").headers["Location"] == "/login?next=/jump?q%3Da"
    response = client.post("/login", data={"email": "mara@example.com", "password": PASSWORD, "next": "/jump?q=a"})
    assert response.headers["Location"] == "/jump?q=a"


def test_people_are_added_once_with_a_long_password_and_a_known_role(database: Database, now: datetime) -> None:
    with database.writing() as session:
        user = add_user(session, "A@b.example", name="", password=PASSWORD, role="agent", now=now)
        assert (user.email, user.name) == ("a@b.example", "a@b.example")
        assert PASSWORD not in user.password_hash
        with pytest.raises(Conflict):
            add_user(session, "a@B.example", name="A", password=PASSWORD, now=now)
        with pytest.raises(Invalid, match="12 characters"):
            add_user(session, "c@b.example", name="C", password="short", now=now)
        with pytest.raises(Invalid, match="role"):
            add_user(session, "c@b.example", name="C", password=PASSWORD, role="king", now=now)
        with pytest.raises(Invalid, match="address"):
            add_user(session, "nobody", name="C", password=PASSWORD, now=now)


def test_nobodys_password_never_fits() -> None:
    assert not password_fits(None, "nobody has this password")
    assert not password_fits("not a hash", "x")


def test_a_password_that_is_stolen_as_a_hash_costs_memory_and_time_to_guess() -> None:
    assert (SLOW_HASHER.type.name, SLOW_HASHER.memory_cost, SLOW_HASHER.time_cost) >= ("ID", 47_104, 1)


def test_a_key_is_stored_hashed_found_by_its_first_part_and_revocable(database: Database, now: datetime) -> None:
    with database.writing() as session:
        key = issue_key(session, "shop", scopes=["redemptions", "read"], now=now)
        row = session.scalars(select(ApiKey)).one()
        assert key not in (row.secret_hash, row.lookup) and len(row.secret_hash) == 64
        assert row.scopes == ["read", "redemptions"]
    found = key_of(database, key)
    assert found is not None and (found.id, found.name, found.scopes) == (row.id, "shop", ("read", "redemptions"))
    other = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert [key_of(database, wrong) for wrong in (other, "", "wb_", key + "x", key.upper())] == [None] * 5
    with database.writing() as session:
        revoke_key(session, row.lookup, now=now)
    assert key_of(database, key) is None


def test_a_key_tells_the_installations_time(database: Database, now: datetime) -> None:
    with database.writing() as session:
        key = issue_key(session, "shop", scopes=["read"], now=now)
        stand_at(session.connection(), now)
    found = key_of(database, key)
    assert found is not None and found.now == now


def test_a_key_has_a_scope_that_we_know(database: Database, now: datetime) -> None:
    with database.writing() as session:
        with pytest.raises(Invalid, match="scope"):
            issue_key(session, "shop", scopes=["everything"], now=now)
        with pytest.raises(Invalid, match="scope"):
            issue_key(session, "shop", scopes=[], now=now)

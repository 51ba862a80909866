"""Fixtures of the web door: the application on both databases, and clients that are signed in or hold a key."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from core.database import Database, open_database
from core.settings import Settings, read_settings
from reporting.reports import campaign_report
from tests.conftest import NOW, made_once
from tests.web.story import add_history, plan, play
from web.app import create_app
from web.models import User
from web.security import passwords
from web.security.keys import issue_key
from web.security.passwords import hash_password

PASSWORD = "correct horse battery"
SLOW_HASHER = passwords._hasher
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # a tenth of a second each otherwise


class Reused:
    """One application for many tests: building it costs what fifty requests do.

    All that an application remembers stands in its configuration and its extensions, and both begin anew for each test;
    who needs two at once builds them.
    """

    def __init__(self, app: Flask) -> None:
        self.app, self._config, self._extensions = app, dict(app.config), dict(app.extensions)

    def over(self, settings: Settings, database: Database) -> Flask:
        """The application as if it had just been built for these settings and this database."""
        self.app.config.clear()
        self.app.config.update(self._config, SECRET_KEY=settings.secret_key, WINBACK_ZONE=settings.zone)
        self.app.extensions.clear()
        self.app.extensions.update(self._extensions)
        self.app.extensions["winback.settings"] = settings
        self.app.extensions["winback.database"] = database
        return self.app


_KEPT: list[Reused] = []


def make_app(settings: Settings, database: Database) -> Flask:
    """The application as in production, but without CSRF tokens on forms (tests/web/test_shell.py has them)."""
    if not _KEPT:
        app = create_app(settings, database)
        app.testing = True
        app.config["WTF_CSRF_ENABLED"] = False
        _KEPT.append(Reused(app))
    return _KEPT[0].over(settings, database)


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    """The web application on SQLite and on PostgreSQL."""
    return make_app(settings, database)


@cache
def _known_hash() -> str:
    return hash_password(PASSWORD)  # made to be slow, so it's made once


def make_user(session: Session, role: str, *, name: str, now: datetime) -> User:
    """A person with this role and PASSWORD, as `add_user` makes one but without hashing anew."""
    user = User(email=f"{role}@example.com", name=name, role=role, password_hash=_known_hash(), session_version=1,
                failed_logins=0, created_at=now)
    session.add(user)
    session.flush()
    return user


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody signed in with."""
    return app.test_client()


@pytest.fixture
def sign_in(app: Flask, database: Database, now: datetime) -> Callable[..., FlaskClient]:
    """Make a browser signed in with a role: `sign_in()`, `sign_in("analyst")`."""

    def sign(role: str = "marketer") -> FlaskClient:
        with database.writing() as session:
            user = make_user(session, role, name=f"{role} person", now=now)
            identity = f"{user.id}.{user.session_version}"
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = identity
            cookie["_fresh"] = True
        return client

    return sign


@pytest.fixture
def marketer(sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """A browser in which a marketer is signed in."""
    return sign_in("marketer")


@pytest.fixture
def api_key(database: Database, now: datetime) -> Callable[..., dict[str, str]]:
    """Headers with a fresh API key: `api_key("read", "write")`."""

    def issue(*scopes: str) -> dict[str, str]:
        with database.writing() as session:
            key = issue_key(session, "test", scopes=scopes or ("read", "write", "redemptions"), now=now)
        return {"Authorization": f"Bearer {key}"}

    return issue


PATIENCE_MS = 60_000
"""A page that waits for a busy processor is not one that fails."""
expect.set_options(timeout=PATIENCE_MS)
CHROMIUM = (os.environ.get("WINBACK_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
            or "/usr/bin/chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless browser for this test process; skips where there is none (CI counts skips)."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing; install chromium-headless-shell to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, timeout=2 * PATIENCE_MS,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@dataclass
class Live:
    """A served application on SQLite, with CSRF on; `open` gives a signed-in browser page."""

    app: Flask
    database: Database
    url: str
    chromium: Browser
    contexts: list[BrowserContext]
    complaints: list[str]

    def open(self, path: str = "", *, width: int = 1440, scheme: str = "light", user: str | None = "admin") -> Page:
        """Open a page of the given width; requests to other hosts, console errors and page errors are complaints."""
        context = self.chromium.new_context(
            viewport={"width": width, "height": 900 if width > 760 else 844}, base_url=self.url,
            color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        if user:
            context.add_cookies([{"name": "winback", "value": self._cookie(user), "url": self.url}])
        page = context.new_page()
        page.on("console", lambda message: self._complain(message.type == "error", message.text))
        page.on("pageerror", lambda error: self._complain(True, str(error)))
        page.on("request", lambda request: self._complain(
            not request.url.startswith((self.url, "data:", "blob:")), f"asks {request.url}"))
        if path:
            page.goto(path)
        return page

    def _complain(self, wrong: bool, text: str) -> None:
        if wrong:
            self.complaints.append(text)

    def _cookie(self, role: str) -> str:
        with self.database.writing() as session:
            address = f"{role}@example.com"
            user = session.scalar(select(User).where(User.email == address)) or make_user(
                session, role, name="Mara Lindner", now=NOW)
            identity = f"{user.id}.{user.session_version}"
        signer = SecureCookieSessionInterface().get_signing_serializer(self.app)
        assert signer is not None
        return str(signer.dumps({"_user_id": identity, "_fresh": True}))


@pytest.fixture
def live(chromium: Browser, sqlite_database: Database, tmp_path: Path) -> Iterator[Live]:
    """The application served on loopback for a real browser; fails the test when the browser complained."""
    settings = read_settings({
        "WINBACK_HOME": str(tmp_path / "home"), "WINBACK_DATABASE_URL": f"sqlite:///{sqlite_database.path}",
        "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
    })
    yield from _live(make_app(settings, sqlite_database), sqlite_database, chromium)


def _live(app: Flask, database: Database, chromium: Browser) -> Iterator[Live]:
    app.config["WTF_CSRF_ENABLED"] = True
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served = Live(app, database, f"http://127.0.0.1:{server.server_port}", chromium, [], [])
    yield served
    for context in served.contexts:
        context.close()
    server.shutdown()
    thread.join()
    assert served.complaints == []


@pytest.fixture(scope="session")
def played(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file in which the story of tests/web/story.py was played, to copy."""

    def make(path: Path) -> None:
        shutil.copyfile(sqlite_template, path)
        database = open_database(f"sqlite:///{path}")
        play(database, tmp_path_factory.mktemp("played"), now=NOW)
        plan(database, now=NOW + timedelta(days=10))
        add_history(database, now=NOW)
        with database.writing() as session:
            for role in ("marketer", "analyst", "admin"):
                make_user(session, role, name="Mara Lindner", now=NOW)
        database.dispose()

    path = made_once(tmp_path_factory, "played.db", make)
    database = open_database(f"sqlite:///{path}")
    with database.reading() as session:
        campaign_report(session, "spring", now=NOW)  # brings the statistics libraries in, which no page waits for then
    database.dispose()
    return path


@pytest.fixture
def shop_database(played: Path, tmp_path: Path) -> Iterator[Database]:
    """A copy of the played shop, ten days into its campaign."""
    path = tmp_path / "shop.db"
    shutil.copyfile(played, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.dispose()


def shop_app(database: Database, folder: Path) -> Flask:
    """The application over the played shop."""
    settings = read_settings({
        "WINBACK_HOME": str(folder / "shop"), "WINBACK_DATABASE_URL": f"sqlite:///{database.path}",
        "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
    })
    return make_app(settings, database)


def browser_of(app: Flask, database: Database, role: str) -> FlaskClient:
    """A browser in which somebody with this role is signed in."""
    with database.reading() as session:
        user = session.scalars(select(User).where(User.email == f"{role}@example.com")).one()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = f"{user.id}.{user.session_version}"
        cookie["_fresh"] = True
    return client


@pytest.fixture
def shop(shop_database: Database, tmp_path: Path) -> FlaskClient:
    """A marketer's browser at the played shop."""
    return browser_of(shop_app(shop_database, tmp_path), shop_database, "marketer")


@pytest.fixture
def live_shop(chromium: Browser, shop_database: Database, tmp_path: Path) -> Iterator[Live]:
    """The played shop served on loopback for a real browser; fails the test when the browser complained."""
    yield from _live(shop_app(shop_database, tmp_path), shop_database, chromium)

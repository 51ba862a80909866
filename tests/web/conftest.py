"""Fixtures of the web door: the application on both databases, and clients that are signed in or hold a key."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.database import Database
from core.settings import Settings
from web.app import create_app
from web.keys import issue_key
from web.logins import add_user

PASSWORD = "correct horse battery"


def make_app(settings: Settings, database: Database) -> Flask:
    """The application as in production, but without CSRF tokens on forms (tests/web/test_shell_csrf.py has them)."""
    app = create_app(settings, database)
    app.testing = True
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    """The web application on SQLite and on PostgreSQL."""
    return make_app(settings, database)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody signed in with."""
    return app.test_client()


@pytest.fixture
def sign_in(app: Flask, database: Database, now: datetime) -> Callable[..., FlaskClient]:
    """Make a browser signed in with a role: `sign_in()`, `sign_in("analyst")`."""

    def sign(role: str = "marketer") -> FlaskClient:
        with database.writing() as session:
            user = add_user(session, f"{role}@example.com", name=f"{role} person", password=PASSWORD, role=role, now=now)
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

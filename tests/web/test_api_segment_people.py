"""Members, moves, lists and snapshots for programs."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from core.database import Database
from customers.models import Customer
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.web.people import make_people


@pytest.fixture
def program(app: Flask, database: Database, api_key: Callable[..., dict[str, str]], now: datetime) -> FlaskClient:
    """A client with a key, eight people c1..c8 of whom three are dunned, and the segment `dunned`."""
    make_people(database, now=now)
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id <= 3).values(dunning_level=1))
        save_segment(session, "dunned", name="D", rule=parse_rule({"customer": "dunning_level", "at_least": 1}),
                     now=now)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = api_key("read", "write")["Authorization"]
    return client


def test_members_and_moves_are_walked_by_cursor(program: FlaskClient, database: Database) -> None:
    base = "/api/v1/segments/dunned"
    assert program.get(f"{base}/members").json == {"items": [], "next": None}
    found = program.post(f"{base}/refresh").json
    assert (found["members"], found["entered"], found["left"]) == (3, 3, 0)
    first = program.get(f"{base}/members?limit=2").json
    rest = program.get(f"{base}/members?limit=2&after={first['next']}").json
    assert [one["customer"] for one in first["items"] + rest["items"]] == ["c1", "c2", "c3"] and rest["next"] is None
    log = program.get(f"{base}/moves?limit=2").json
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(dunning_level=0))
    program.post(f"{base}/refresh")
    more = program.get(f"{base}/moves?after={log['next']}").json
    assert [(one["customer"], one["move"]) for one in log["items"] + more["items"]] == [
        ("c1", "entered"), ("c2", "entered"), ("c3", "entered"), ("c1", "left")]
    assert program.get(f"{base}/moves?after={more['next']}").json == {"items": [], "next": more["next"]}
    assert program.get(f"{base}/moves?after=x").status_code == 400


def test_a_list_is_made_filled_and_frozen(program: FlaskClient) -> None:
    assert program.post("/api/v1/segments/lists", json={"key": "press", "name": "Press"}).status_code == 201
    changed = program.post("/api/v1/segments/press/people", json={"add": ["c1", "x", "C2@example.com"]}).json
    assert changed == {"added": 2, "removed": 0, "unknown": [{"place": "add[1]", "value": "x"}]}
    assert program.post("/api/v1/segments/dunned/people", json={"add": ["c1"]}).status_code == 409
    made = program.post("/api/v1/segments/press/snapshots")
    assert made.status_code == 201 and (made.json["people"], made.json["kind"]) == (2, "snapshot")
    assert program.post("/api/v1/segments/nothing/refresh").status_code == 404

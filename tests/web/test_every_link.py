"""Does every link lead somewhere, on PostgreSQL, too? What the pages say is tried on SQLite (tests/conftest.py)."""

import re
from collections import Counter
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from core.database import Database
from core.settings import Settings
from tests.conftest import NOW, PROOFS, only_postgresql
from tests.web.conftest import browser_of, make_app, make_user
from tests.web.story import add_history, plan, play

OF_ONE_KIND = 4 if PROOFS else 1
"""So many pages of each route are opened: they differ in their data only."""
LEAVES = re.compile(r"/(logout|static)\b")


@pytest.fixture
def told(database: Database, tmp_path: Path) -> Database:
    """The played shop."""
    play(database, tmp_path, now=NOW)
    plan(database, now=NOW + timedelta(days=10))
    add_history(database, now=NOW)
    with database.writing() as session:
        make_user(session, "admin", name="Mara Lindner", now=NOW)
    return database


@only_postgresql
def test_every_link_leads_to_a_page(told: Database, settings: Settings) -> None:
    app = make_app(settings, told)
    browser = browser_of(app, told, "admin")
    waiting, seen, kinds, dead = ["/"], {"/"}, Counter[str](), []
    while waiting:
        path = waiting.pop(0)
        answer = browser.get(path)
        if answer.status_code not in (200, 302, 303):
            dead.append((path, answer.status_code))
        if answer.mimetype != "text/html":
            continue
        for href in re.findall(r'(?:href|hx-get)="([^"]+)"', answer.get_data(as_text=True)):
            further = urldefrag(urljoin(path, unescape(href))).url
            if not further.startswith("/") or LEAVES.match(further) or further in seen:
                continue
            kind = _kind(app, further)
            kinds[kind] += 1
            if kinds[kind] <= OF_ONE_KIND:
                seen.add(further)
                waiting.append(further)
    assert dead == []
    assert len(kinds) >= 60, sorted(kinds)


def _kind(app: Flask, address: str) -> str:
    """The route that serves an address, with the names of what is asked of it."""
    parts = urlsplit(address)
    try:
        endpoint, _values = app.url_map.bind("localhost").match(parts.path)
    except HTTPException:
        return address
    return f"{endpoint} {sorted(dict(parse_qsl(parts.query)))}"

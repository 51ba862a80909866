"""How long after a change in the builder does the new count stand there?

Asks the application itself, without a browser: a changed draft is posted as the page does, then its numbers are. Beside
it stands the bare statement on the same generation of the mirror; what lies between is ours.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from flask.testing import FlaskClient

from benchmarks.questions import AS_OF, LAPSED
from core import clock
from core.database import Database
from core.settings import read_settings
from segments.engines.duckdb import render
from segments.engines.members import prepare
from segments.engines.mirrored import open_mirror
from segments.language.rules import parse_rule
from web.app import create_app
from web.models import User

DAYS = (365, 330, 300, 270, 240, 210)
"""The window of the deciding question, as somebody tries it out: each is a statement that was not asked before."""


def live_count(folder: Path, database: Database) -> dict[str, float]:
    """Milliseconds: the change and its count, the longest of them, and the bare statement (medians)."""
    client = _signed_in(folder, database)
    changed, bare = [], []
    mirror = open_mirror(folder, database)
    with mirror.view().connection as connection:
        for days in DAYS:
            rule = json.loads(json.dumps(LAPSED).replace('"last_days": 365', f'"last_days": {days}'))
            form = {"rule": json.dumps(rule), "page": "benchmark"}
            changed.append(_timed(partial(_change, client, form)))
            bare.append(_bare(connection, rule))
    mirror.close()
    # The first one opens the mirror and fills caches that every later one finds.
    return {"change_to_count": round(median(changed[1:]), 1), "longest": round(max(changed[1:]), 1),
            "first_of_all": round(changed[0], 1), "bare_statement": round(median(bare[1:]), 1)}


def _signed_in(folder: Path, database: Database) -> FlaskClient:
    settings = read_settings({"WINBACK_HOME": str(folder), "WINBACK_SECRET_KEY": "benchmark" * 4,
                              "WINBACK_DATABASE_URL": str(database.engine.url)})
    with database.writing() as session:
        clock.stand_at(session.connection(), AS_OF)
        user = User(email="live@example.com", name="Live", role="marketer", password_hash="!", session_version=1,
                    failed_logins=0, created_at=AS_OF)
        session.add(user)
        session.flush()
        identity = f"{user.id}.{user.session_version}"
    app = create_app(settings, database)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = identity
        cookie["_fresh"] = True
    return client


def _change(client: FlaskClient, form: dict[str, Any]) -> None:
    for name in ("_builder", "_numbers"):
        answer = client.post(f"/segments/{name}", data=form, headers={"HX-Request": "true"})
        if answer.status_code != 200:
            raise RuntimeError(f"{name} answered {answer.status_code}")


def _bare(connection: duckdb.DuckDBPyConnection, rule: dict[str, Any]) -> float:
    prepared = prepare(parse_rule(rule), summed=True)
    rendered = render(prepared.counting)
    values = rendered.values(prepared.cuts.values(AS_OF))
    return _timed(lambda: connection.execute(rendered.text, values).fetchall())


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000

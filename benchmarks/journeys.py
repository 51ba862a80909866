"""How fast are people walked through split and send, beside hand-written SQL and a loop over objects?

Measures the runner on a database of its own: every person is split, written to on the channel the policy allows, and
given a personal code, with moves, two visits, ledger row and code written. Baselines in the same run: the same writes
as set SQL without any decision, and an ORM loop with a commit per person on a small sample.
"""

import resource
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Table, select, text

from campaigns.planning import save_campaign
from core.bulk import bulk_insert
from core.codes import new_codes
from core.database import Database, open_database
from core.settings import read_settings
from core.types import to_us
from coupons.models import Code
from coupons.offers.offers import save_offer
from customers.models import Address, Consent, Customer
from delivery.contents import save_content
from delivery.models import Message
from journeys.editing.editing import publish, save_draft
from journeys.entry import enrolling
from journeys.models import Enrolment, Visit
from journeys.walk import running
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from winback.schema import name_installation, upgrade

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
KEY = "benchmark-secret-key"
ORM_SAMPLE = 200
MJML = ("<mjml><mj-body><mj-section><mj-column><mj-text>{{ greeting }} {{ code }}"
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>')
GRAPH = {
    "entry": {"segment": "all"}, "holdout_percent": 0, "start": "split", "steps": {
        "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail", "B": "mail"}},
        "mail": {"kind": "send", "content": "mail", "offer": "ten", "next": "pause"},
        "pause": {"kind": "wait", "days": 7, "next": "end"}, "end": {"kind": "leave"}}}


def run(quick: bool, home: Path) -> dict[str, Any]:
    """One JSON row; `ours` is steps per second, ratios are times: ours over set SQL, ORM loop over ours."""
    size, rounds = (20_000, 1) if quick else (1_000_000, 1)
    folder = home / "bench-journeys"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        prepared = _prepared(folder, size)
        ours, set_sql = [], []
        for _ in range(rounds):
            ours.append(_timed(folder, prepared, _run_ours))
            set_sql.append(_timed(folder, prepared, _set_sql(size)))
        orm = _timed(folder, prepared, _orm_loop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours_s, set_s = median(ours), median(set_sql)
    ratios = {"set_sql": round(ours_s / set_s, 2), "orm_loop": round((orm / ORM_SAMPLE) / (ours_s / size), 1)}
    targets = {"set_sql": 2.5} | ({} if quick else {"orm_loop": 150})
    return {
        "name": "journeys", "unit": "steps/s", "ours": round(2 * size / ours_s),
        "baselines": {"set_sql": round(2 * size / set_s), "orm_loop": round(2 * ORM_SAMPLE / orm)},
        "ratios": ratios, "targets": targets,
        "met": ratios["set_sql"] <= 2.5 and (quick or ratios["orm_loop"] >= 150),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "size": size,
    }


def fill(database: Database, folder: Path, size: int) -> None:
    """People with an e-mail address and a consent, all of them enrolled and due at a split."""
    with database.writing() as session:
        connection = session.connection()
        ids = range(1, size + 1)
        at, year_ago = to_us(NOW), to_us(NOW - timedelta(days=365))
        emails = [f"c{number}@example.com" for number in ids]
        bulk_insert(connection, _table(Customer), {
            "id": ids, "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * size,
            "imported_at": [at] * size})
        bulk_insert(connection, _table(Address), {
            "customer_id": ids, "channel": ["email"] * size, "value": emails, "lookup": emails})
        bulk_insert(connection, _table(Consent), {
            "customer_id": ids, "channel": ["email"] * size, "state": ["granted"] * size, "at": [year_ago] * size,
            "recorded_at": [year_ago] * size})
        save_content(session, "mail", name="Mail", subject="Hello", mjml=MJML, now=NOW)
        save_offer(session, "ten", name="Ten", kind="percent", percent=10, valid_days=14, now=NOW)
        save_segment(session, "all", name="All", rule=parse_rule({"all": []}), now=NOW)
        campaign = save_campaign(session, "bench", fields={"name": "Bench", "holdout_percent": 0}, now=NOW)
        save_draft(session, "bench", GRAPH, campaign_id=campaign.id, now=NOW)
        publish(session, "bench", now=NOW)
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY})
    enrolling.tick(database, now=NOW, limit=20_000, questions=Questions(database, settings, engine="rows"),
                   secret_key=KEY)


def walk(database: Database) -> None:
    """Our side: until nobody is due."""
    running.tick(database, now=NOW, limit=10**9, services=running.Services(KEY, 20_000 if database.is_sqlite else None))


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


def _prepared(folder: Path, size: int) -> Path:
    path = folder / "prepared.db"
    database = open_database(f"sqlite:///{path}")
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "test", now=NOW)
    fill(database, folder, size)
    database.dispose()
    return path


def _timed(folder: Path, prepared: Path, work: Callable[[Database], float]) -> float:
    path = folder / "copy.db"
    shutil.copyfile(prepared, path)
    database = open_database(f"sqlite:///{path}")
    try:
        return work(database)
    finally:
        database.dispose()
        for file in folder.glob("copy.db*"):
            file.unlink()


def _run_ours(database: Database) -> float:
    started = time.perf_counter()
    walk(database)
    return time.perf_counter() - started


_SET_SQL = (
    "CREATE TEMP TABLE batch AS SELECT e.id, e.customer_id, e.id % 2 AS arm, p.code FROM enrolments e"
    " JOIN pool p ON p.id = e.id WHERE e.state = 'active' AND e.due_at <= :now ORDER BY e.due_at, e.id LIMIT 20000",
    "INSERT INTO codes (code, offer_id, customer_id, origin, campaign, state, use_limit, used, issued_at, valid_from,"
    " valid_until) SELECT code, 1, customer_id, 'enrolment:' || id, 'bench', 'issued', 1, 0, :now, :now,"
    " :now + 1209600000000 FROM batch ORDER BY code",
    "INSERT INTO messages (public_id, occasion, customer_id, origin, enrolment_ref, campaign, arm, step, message_class,"
    " channel, revision_id, code, \"values\", state, attempt, cost_cents, queued_at, due_at)"
    " SELECT lower(hex(randomblob(16))), id || '.mail.2.0', customer_id, 'enrolment:' || id, id, 'bench',"
    " CASE arm WHEN 0 THEN 'A' ELSE 'B' END, 'mail', 'marketing', 'email', 1, code,"
    " '{\"code_valid_until\": \"2026-03-15\"}', 'queued', 0, 0, :now, :now FROM batch",
    "INSERT INTO visits (enrolment_id, number, step, entered_at, left_at, outcome)"
    " SELECT id, 1, 'split', :now, :now, CASE arm WHEN 0 THEN 'A' ELSE 'B' END FROM batch",
    "INSERT INTO visits (enrolment_id, number, step, entered_at, left_at, outcome)"
    " SELECT id, 2, 'mail', :now, :now, 'queued' FROM batch",
    "UPDATE enrolments SET step = 'pause', visit = 3, due_at = NULL, step_entered_at = :now, channel = 'email',"
    " arm = CASE id % 2 WHEN 0 THEN 'A' ELSE 'B' END WHERE id IN (SELECT id FROM batch)",
    "DROP TABLE batch",
)


def _set_sql(size: int) -> Callable[[Database], float]:
    def work(database: Database) -> float:
        with database.writing() as session:
            session.execute(text("CREATE TABLE pool (id INTEGER PRIMARY KEY, code TEXT)"))
            session.connection().connection.dbapi_connection.executemany(  # type: ignore[union-attr]
                "INSERT INTO pool VALUES (?, ?)", enumerate(new_codes(size), 1))
        started = time.perf_counter()
        while True:
            with database.writing() as session:
                for statement in _SET_SQL:
                    session.execute(text(statement), {"now": to_us(NOW)} if ":now" in statement else {})
                if session.scalar(text("SELECT 1 FROM enrolments WHERE state = 'active' AND due_at <= :now LIMIT 1"),
                                  {"now": to_us(NOW)}) is None:
                    break
        return time.perf_counter() - started

    return work


def _orm_loop(database: Database) -> float:
    with database.reading() as session:
        ids = list(session.scalars(select(Enrolment.id).order_by(Enrolment.id).limit(ORM_SAMPLE)))
    drawn = iter(new_codes(ORM_SAMPLE))
    started = time.perf_counter()
    for enrolment_id in ids:
        with database.writing() as session:
            person = session.get_one(Enrolment, enrolment_id)
            arm, code = "AB"[person.id % 2], next(drawn)
            session.add(Code(code=code, offer_id=1, customer_id=person.customer_id, origin=f"enrolment:{person.id}",
                             state="issued", issued_at=NOW, valid_from=NOW, valid_until=NOW + timedelta(days=14)))
            session.add(Message(
                public_id=code, occasion=f"{person.id}.mail.2.0", customer_id=person.customer_id, step="mail", arm=arm,
                origin=f"enrolment:{person.id}", enrolment_ref=person.id, channel="email", revision_id=1, code=code,
                values={"code_valid_until": "2026-03-15"}, state="queued", queued_at=NOW, due_at=NOW))
            for number, step in ((1, "split"), (2, "mail")):
                session.add(Visit(enrolment_id=person.id, number=number, step=step, entered_at=NOW, left_at=NOW))
            person.step, person.visit, person.due_at, person.arm, person.channel = "pause", 3, None, arm, "email"
    return time.perf_counter() - started

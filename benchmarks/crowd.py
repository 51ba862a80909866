"""Which people do the benchmarks of journeys walk, and how are millions of them made within minutes?

Owns the campaign that is walked (a split, a mail with a code, a wait), people who may be written to, and two ways of
letting them in: as an audience is drawn, and, where only who stands where counts, in one statement.
"""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from campaigns.planning import save_campaign
from core.bulk import bulk_insert, chunks
from core.database import Database, open_database
from core.settings import read_settings
from core.types import to_us
from coupons.offers.offers import save_offer
from customers.models import Address, Consent, Customer
from delivery.contents import save_content
from journeys.editing.editing import publish, save_draft
from journeys.entry import enrolling
from journeys.models import Enrolment
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from winback.schema import name_installation, upgrade

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
KEY = "benchmark-only-secret"
MJML = ("<mjml><mj-body><mj-section><mj-column><mj-text>{{ greeting }} {{ code }}"
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>')
GRAPH: dict[str, Any] = {
    "entry": {"segment": "all"}, "holdout_percent": 0, "start": "split", "steps": {
        "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail", "B": "mail"}},
        "mail": {"kind": "send", "content": "mail", "offer": "ten", "next": "pause"},
        "pause": {"kind": "wait", "days": 7, "next": "end"}, "end": {"kind": "leave"}}}
_AT_ONCE = 50_000


def settle_in(database: Database, *, people: int, now: datetime = NOW, kind: str = "test", **graph: Any) -> None:
    """An installation with so many people, and the campaign published; nobody is in it yet."""
    upgrade(database)
    with database.writing() as session:
        name_installation(session, kind, now=now)
        for part in chunks(range(1, people + 1), _AT_ONCE):
            _add_people(session, part, now)
        save_content(session, "mail", name="Mail", subject="Hello", mjml=MJML, now=now)
        save_offer(session, "ten", name="Ten", kind="percent", percent=10, valid_days=14, now=now)
        save_segment(session, "all", name="All", rule=parse_rule({"all": []}), now=now)
        campaign = save_campaign(session, "bench", fields={"name": "Bench", "holdout_percent": 0}, now=now)
        save_draft(session, "bench", GRAPH | graph, campaign_id=campaign.id, now=now)
        publish(session, "bench", now=now)


def let_in(database: Database, *, now: datetime = NOW) -> None:
    """Everybody enters as an audience is drawn, and is due at the split."""
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings({"WINBACK_HOME": folder, "WINBACK_SECRET_KEY": KEY})
        enrolling.tick(database, now=now, limit=20_000, questions=Questions(database, settings, engine="rows"),
                       secret_key=KEY)


def put_in(database: Database, *, times: int, step: str, due_us: str, now: datetime = NOW) -> None:
    """Everybody stands `times` times at this step, due at what the SQL `due_us` says of `place`, from 1.

    Indexes that are no keys are made after it, as whoever fills a table would.
    """
    indexes = list(_table(Enrolment).indexes)
    numbers = ("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times) SELECT i FROM n)"
               if database.is_sqlite else "(SELECT i FROM generate_series(1, :times) AS s(i))")
    with database.writing() as session:
        connection = session.connection()
        for index in indexes:
            index.drop(connection)
        session.execute(text(
            "INSERT INTO enrolments (journey_id, version_id, customer_id, entry, held_out, arm, channel, state, step,"
            " visit, due_at, step_entered_at, entered_at) SELECT 1, 1, place, i, CAST(0 AS BOOLEAN), NULL, NULL,"
            f" 'active', :step, 1, {due_us}, :now, :now"
            f" FROM (SELECT id AS place FROM customers) AS c CROSS JOIN {numbers} AS n ORDER BY place, i"),
            {"times": times, "step": step, "now": to_us(now)})
        for index in indexes:
            index.create(connection)
        session.execute(text("UPDATE journey_versions SET entered_at = :now"), {"now": to_us(now)})
    look_over(database)


def look_over(database: Database) -> None:
    """Let the database count what it holds, as it does by itself in time."""
    if database.is_sqlite:
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def prepare(url: str, *, size: int) -> None:
    """People who may be written to, all of them enrolled and due at a split."""
    database = open_database(url)
    settle_in(database, people=size)
    let_in(database)
    look_over(database)
    database.dispose()


def _add_people(session: Session, ids: Sequence[int], now: datetime) -> None:
    connection, size = session.connection(), len(ids)
    at, year_ago = to_us(now), to_us(now - timedelta(days=365))
    emails = [f"c{number}@example.com" for number in ids]
    bulk_insert(connection, _table(Customer), {
        "id": ids, "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * size,
        "imported_at": [at] * size})
    bulk_insert(connection, _table(Address), {
        "customer_id": ids, "channel": ["email"] * size, "value": emails, "lookup": emails})
    bulk_insert(connection, _table(Consent), {
        "customer_id": ids, "channel": ["email"] * size, "state": ["granted"] * size, "at": [year_ago] * size,
        "recorded_at": [year_ago] * size})


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table



"""How long does a forecast of thirty days take, beside nothing but the walk, and beside writing the same rows?

Measures the whole question: fitting the model on history, laying out the world, thirty days of it with what people do
meanwhile, the counts. Baselines in the same run, with the same people and the same graph: the bare walk by the runner
in a copy of the store, with nobody ordering or redeeming; and as set SQL the rows that this walk leaves behind.
"""

import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from benchmarks.crowd import KEY, MJML
from benchmarks.memory import forget_peak, peak_mb
from campaigns.planning import save_campaign
from core.bulk import bulk_insert
from core.database import Database, open_database
from core.settings import Settings, read_settings
from core.types import Base, to_us
from coupons.offers.offers import save_offer
from delivery import supposing
from delivery.contents import save_content
from delivery.settings import DeliverySettings, Shop
from journeys.editing.editing import publish, save_draft
from journeys.exits.objecting import objections
from journeys.forecasting.asking import Wish
from journeys.forecasting.playing import Surroundings
from journeys.walk import due, duties
from journeys.walk.running import Services
from reporting.forecasting import forecast
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from winback.schema import name_installation, upgrade

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAYS = 30
ORDERS_EACH = 3
MOST_BARE = 2.0
"""A forecast may take so many times the bare walk of its people."""
DELIVERY = DeliverySettings(
    secret_key=KEY, base_url="https://winback.example", shop=Shop("Shop", "https://shop.example", ("Ring 1", "Berlin")),
    sender_name="Shop", sender_address="post@shop.example")
GRAPH: dict[str, Any] = {
    "entry": {"segment": "all"}, "holdout_percent": 10, "start": "split", "steps": {
        "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail_a", "B": "mail_b"}},
        "mail_a": {"kind": "send", "content": "mail", "offer": "ten", "next": "pause"},
        "mail_b": {"kind": "send", "content": "mail", "offer": "fifteen", "next": "pause"},
        "pause": {"kind": "wait", "days": 7, "next": "remind"},
        "remind": {"kind": "send", "content": "mail", "offer": "ten", "next": "end"}, "end": {"kind": "leave"}}}
WRITTEN = ("enrolments", "visits", "messages", "codes")


def run(quick: bool, home: Path) -> dict[str, Any]:
    """One JSON row; `ours` is people per second, ratios are times: ours over the bare walk, and over the set SQL."""
    size = 5_000 if quick else 100_000
    folder = home / "bench-forecast"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY})
        real = make_shop(folder / "real.db", size)
        forget_peak()
        ours = play(real, settings)
        peak = peak_mb()
        real.dispose()
        bare = _bare_walk(folder, settings)
        rows = _set_sql(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Of a few thousand people the time is the model's and the schema's; only the whole size is judged.
    targets = {} if quick else {"bare_walk": MOST_BARE}
    ratios = {"bare_walk": round(ours / bare, 2), "set_sql": round(ours / rows, 1)}
    return {
        "name": "forecast", "unit": "people/s", "ours": round(size / ours),
        "baselines": {"bare_walk": round(size / bare), "set_sql": round(size / rows)},
        "ratios": ratios, "targets": targets, "met": all(ratios[name] <= most for name, most in targets.items()),
        "seconds": round(ours, 1), "peak_mb": peak, "size": size,
    }


def make_shop(path: Path, size: int) -> Database:
    """People with an e-mail address, a consent and three orders each of the past year; the journey is a draft."""
    database = open_database(f"sqlite:///{path}")
    upgrade(database)
    at, year_ago = to_us(NOW), to_us(NOW - timedelta(days=400))
    ids = range(1, size + 1)
    emails = [f"c{number}@example.com" for number in ids]
    orders = range(1, ORDERS_EACH * size + 1)
    buyers = [1 + number % size for number in orders]
    ordered = [year_ago + number * 7_919 % (399 * 86_400) * 1_000_000 for number in orders]
    same: dict[str, list[Any]] = {
        "customer_id": buyers, "ordered_at": ordered, "cancelled": [False] * len(orders),
        "currency": ["EUR"] * len(orders), "total_cents": [5_000 + number * 31 % 20_000 for number in orders]}
    tables = Base.metadata.tables
    with database.writing() as session:
        name_installation(session, "test", now=NOW)
        connection = session.connection()
        bulk_insert(connection, tables["customers"], {
            "id": ids, "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * size,
            "imported_at": [at] * size})
        bulk_insert(connection, tables["addresses"], {
            "customer_id": ids, "channel": ["email"] * size, "value": emails, "lookup": emails})
        bulk_insert(connection, tables["consents"], {
            "customer_id": ids, "channel": ["email"] * size, "state": ["granted"] * size, "at": [year_ago] * size,
            "recorded_at": [year_ago] * size})
        bulk_insert(connection, tables["orders"], {
            "id": orders, "shop": [""] * len(orders), "external_id": [f"o{number}" for number in orders], **same})
        bulk_insert(connection, tables["order_lines"], {
            "order_id": orders, "category": ["furniture"] * len(orders), "quantity_milli": [1000] * len(orders),
            "unit_price_cents": same["total_cents"], **same})
        save_content(session, "mail", name="Mail", subject="Hello", mjml=MJML, now=NOW)
        save_offer(session, "ten", name="Ten", kind="percent", percent=10, valid_days=28, now=NOW)
        save_offer(session, "fifteen", name="Fifteen", kind="fixed", amount_cents=1500, valid_days=28, now=NOW)
        save_segment(session, "all", name="All", rule=parse_rule({"all": []}), now=NOW)
        campaign = save_campaign(session, "bench", now=NOW, fields={
            "name": "Bench", "holdout_percent": 10, "goal_categories": ["furniture"],
            "ends_at": NOW + timedelta(days=DAYS)})
        save_draft(session, "bench", GRAPH, campaign_id=campaign.id, now=NOW)
    return database


def play(real: Database, settings: Settings) -> float:
    """Our side: seconds that the answer takes."""
    with closing(Questions(real, settings, engine="rows", seconds=600)) as questions:
        around = Surroundings(real, questions, settings, DELIVERY, upgrade)
        started = time.perf_counter()
        found = forecast(around, "bench", Wish(days=DAYS, redemption_rate=0.05), now=NOW)
        took = time.perf_counter() - started
    assert found["audience"]["entered"] and found["response"]["walked_redemptions"]
    return took


def _bare_walk(folder: Path, settings: Settings) -> float:
    """The same journey walked to its end in a copy of the store, messages taken as accepted."""
    shutil.copyfile(folder / "real.db", folder / "walked.db")
    database = open_database(f"sqlite:///{folder / 'walked.db'}")
    event.listen(database.engine, "connect", _lightly)
    services, now = Services(KEY), NOW
    with database.writing() as session:
        publish(session, "bench", now=NOW)
    with closing(Questions(database, settings, engine="rows", seconds=600)) as questions:
        started = time.perf_counter()
        while now <= NOW + timedelta(days=DAYS):
            while duties.tick(database, now=now, limit=10**6, services=services, questions=questions) + supposing.tick(
                    database, now=now, limit=5_000, settings=DELIVERY, objecting=objections):
                pass
            with database.reading() as session:
                upcoming = due.next_due_at(session.connection(), after=now)
            now = min(now + timedelta(days=1), upcoming or now + timedelta(days=1))
        took = time.perf_counter() - started
    database.dispose()
    return took


def _lightly(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _set_sql(folder: Path) -> float:
    """The rows that the bare walk has left behind, written into another copy by a statement per table."""
    shutil.copyfile(folder / "real.db", folder / "set.db")
    with closing(sqlite3.connect(folder / "set.db", isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("ATTACH ? AS walked", (str(folder / "walked.db"),))
        started = time.perf_counter()
        raw.execute("BEGIN")
        for table in WRITTEN:
            raw.execute(f"INSERT INTO main.{table} SELECT * FROM walked.{table}")
        raw.execute("COMMIT")
        return time.perf_counter() - started

"""Refreshing and sending side by side: neither waits for the other, and the worker's own thread keeps members right."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from core.database import Database, open_database
from core.leases import enlist
from core.settings import Settings
from delivery.sending import tick
from segments.engines.questions import Answer, Questions
from segments.language.conditions import Rule
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh, steps
from segments.models import Segment
from segments.saving.saved import save_segment, segment_by_key
from tests.delivery.ledger import SETTINGS, prepared, run, sink, states
from winback.context import Context
from winback.refresher import Refresher, refresh_due

PEOPLE = [1, 2, 3]


@pytest.fixture
def ledger(database: Database, now: datetime) -> Database:
    """Three people with one queued message each, and a segment of everybody."""
    prepared(database, PEOPLE, now=now)
    with database.writing() as session:
        save_segment(session, "all", name="All", rule=parse_rule({"all": []}), now=now)
    return database


@pytest.fixture
def context(settings: Settings) -> Iterator[Context]:
    opened = Context(settings)
    yield opened
    opened.database.dispose()


def segment(database: Database) -> Segment:
    with database.reading() as session:
        return segment_by_key(session, "all")


def test_sending_goes_on_at_every_point_of_a_refresh(
    ledger: Database, database_url: str, settings: Settings, tmp_path: Path, now: datetime
) -> None:
    own = open_database(database_url, pool_size=2)
    work = steps(own, Questions(own, settings, engine="rows"), "all", now=now, cause="asked", chunk=1)
    with_lease = enlist(ledger, "w")
    for sent, step in enumerate(work, 1):
        # A transaction left open by the refresh would keep the sender from the lock on SQLite.
        tick(ledger, now=now, limit=1, worker=with_lease.number, channels=sink(tmp_path)[0], settings=SETTINGS)
        assert list(states(ledger).values()).count("sent") == min(sent, 3), step
    with_lease.release()
    assert list(states(ledger).values()) == ["sent"] * 3
    assert segment(ledger).members == 3
    own.dispose()


class Slow(Questions):
    """Questions that take until they are let go."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database, settings, engine="rows")
        self.asked, self.go_on = threading.Event(), threading.Event()

    def ids(self, rule: Rule, *, as_of: datetime, now: datetime | None = None, fresh: bool = True) -> Answer[list[int]]:
        self.asked.set()
        assert self.go_on.wait(120)
        return super().ids(rule, as_of=as_of, now=now, fresh=fresh)


def test_sending_goes_on_while_a_rule_takes_long(
    ledger: Database, settings: Settings, tmp_path: Path, now: datetime
) -> None:
    slow = Slow(ledger, settings)
    thread = threading.Thread(target=refresh, args=(ledger, slow, "all"), kwargs={"now": now})
    thread.start()
    assert slow.asked.wait(120)
    run(ledger, sink(tmp_path)[0], now=now)
    assert list(states(ledger).values()) == ["sent"] * 3
    assert segment(ledger).members is None
    slow.go_on.set()
    thread.join()
    assert segment(ledger).members == 3


def test_the_refresher_has_connections_of_its_own_and_keeps_members_right(ledger: Database, context: Context) -> None:
    refresher = Refresher(context)
    assert refresher.database.engine.pool is not context.database.engine.pool
    refresher.start()
    for _look in range(2400):  # two minutes
        if segment(ledger).members is not None:
            break
        time.sleep(0.05)
    refresher.stop()
    assert segment(ledger).members == 3


def test_a_tick_refreshes_what_is_due_once(ledger: Database, context: Context, now: datetime) -> None:
    assert refresh_due(context, now=now) == 1
    assert refresh_due(context, now=now) == 0
    assert segment(ledger).refreshed_at == now

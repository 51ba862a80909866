"""Past campaigns from a file: one row per person addressed, never run."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from campaigns.importing import KIND
from core.database import Database
from core.types import to_us
from tests.customers.files import Desk, reasons

HEAD = "campaign_id,name,kind,starts_on,ends_on,customer_id,arm,channel\n"


@pytest.fixture
def desk(database: Database, tmp_path: Path, now: datetime) -> Desk:
    """Files and imports on both databases."""
    return Desk(database, tmp_path, now)


def test_a_past_campaign_is_history_with_the_people_it_addressed(desk: Desk) -> None:
    result = desk.load(KIND, HEAD + "18,Spring,Type A,2017-03-01,2017-04-01,C1,a,letter\n"
                                    "18,Spring,Type A,2017-03-01,2017-04-01,C2,b,Email\n19,,,,,C1,,\n")
    assert (result.imported, result.created) == (3, 2)
    assert desk.rows("SELECT key, name, kind, state, holdout_percent FROM campaigns ORDER BY key") == [
        ("18", "Spring", "Type A", "history", 0.0), ("19", "19", "history", "history", 0.0)]
    assert [(str(a), str(b)) for a, b in desk.rows("SELECT starts_on, ends_on FROM campaigns WHERE key = '18'")] == [
        ("2017-03-01", "2017-04-01")]
    assert desk.rows("SELECT k.external_id, p.arm, p.channel FROM past_people p"
                     " JOIN customers k ON k.id = p.customer_id"
                     " JOIN campaigns c ON c.id = p.campaign_id WHERE c.key = '18' ORDER BY 1") == [
        ("C1", "a", "letter"), ("C2", "b", "email")]


def test_importing_a_past_campaign_again_updates_it_and_addresses_nobody_twice(desk: Desk) -> None:
    desk.load(KIND, HEAD + "18,Spring,A,2017-03-01,2017-04-01,C1,a,letter\n")
    result = desk.load(KIND, "campaign_id,name,customer_id,arm\n18,Easter,C1,b\n18,Easter,C2,b\n")
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT name, kind FROM campaigns") == [("Easter", "A")]
    assert desk.rows("SELECT arm, channel FROM past_people ORDER BY id") == [("b", "letter"), ("b", None)]


def test_history_never_touches_a_campaign_of_our_own(desk: Desk, now: datetime) -> None:
    with desk.database.writing() as session:
        session.execute(text("INSERT INTO campaigns (key, name, kind, state, timezone, goal_categories,"
                             " holdout_percent, currency, settings, version, created_at, updated_at)"
                             " VALUES ('live', 'Live', 'journey',"
                             " 'running', 'UTC', '[]', 10, 'EUR', '{}', 1, :at, :at)"), {"at": to_us(now)})
    result = desk.load(KIND, HEAD + "live,Other,,,,C1,,\nold,Old,,,,C1,,\n")
    assert reasons(result) == {2: "'live' is a campaign of our own; history cannot be added to it."}
    assert desk.rows("SELECT name, state FROM campaigns WHERE key = 'live'") == [("Live", "running")]
    assert desk.rows("SELECT count(*) FROM past_people") == [(1,)]


def test_a_campaign_that_ends_before_it_starts_or_names_nobody_is_rejected(desk: Desk) -> None:
    result = desk.load(KIND, HEAD + "18,S,A,2017-03-01,2017-02-01,C1,,\n19,S,A,2017-03-01,,,,\n")
    assert reasons(result) == {2: "ends_on: The campaign ends before it starts.", 3: "customer_id: The cell is empty."}


def test_a_dry_run_stores_no_campaign(desk: Desk) -> None:
    result = desk.load(KIND, HEAD + "18,S,A,2017-03-01,,C1,,\n18,S,A,2017-03-01,,C2,,\n", dry_run=True)
    assert (result.imported, result.created) == (2, 1)
    assert desk.rows("SELECT count(*) FROM campaigns") == [(0,)]

"""Weeks of a win-back campaign, played through the real rooms with a moving clock."""

import shutil
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from campaigns.planning import save_campaign
from core.database import Database, open_database
from coupons.models import Redemption
from coupons.offers.offers import save_offer
from customers.models import Customer
from delivery.channels.memory import MemoryChannel
from journeys.models import Visit
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.coupons.factories import ask, use
from tests.delivery.ledger import add_content, add_people
from tests.journeys.shop import add_order, codes, day, enrolments, everything, go, ledger

LAPSED = {"all": [
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "equals": 0},
]}

GRAPH: dict[str, Any] = {
    "name": "Furniture win-back", "entry": {"segment": "lapsed-furniture"}, "holdout_percent": 20, "start": "split",
    "steps": {
        "split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail_a", "B": "mail_b"}},
        "mail_a": {"kind": "send", "content": "offer-a", "offer": "ten-percent", "channel": "preferred",
                   "fallback": True, "next": "pause_a"},
        "mail_b": {"kind": "send", "content": "offer-a", "offer": "fifteen", "fallback": True, "next": "pause_b"},
        "pause_a": {"kind": "wait", "days": 7, "at_local_time": "09:00", "next": "remind_a"},
        "pause_b": {"kind": "wait", "days": 7, "at_local_time": "09:00", "next": "remind_b"},
        "remind_a": {"kind": "send", "content": "reminder", "offer": "ten-percent", "next": "end"},
        "remind_b": {"kind": "send", "content": "reminder", "offer": "fifteen", "next": "end"},
        "end": {"kind": "leave"},
    },
}


def _shop(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, range(1, 61), now=now, channels=("email",))
        # These may be reached by letter only.
        add_people(session, range(61, 71), now=now, channels=("letter",), consents=())
        # Nobody may be reached here at all.
        add_people(session, range(71, 74), now=now, channels=("email",), consents=())
        add_people(session, range(80, 90), now=now)
        add_content(session, now=now)
        add_content(session, now=now, key="reminder")
        save_offer(session, "ten-percent", name="Ten percent", kind="percent", percent=10, valid_days=14, now=now)
        save_offer(session, "fifteen", name="Fifteen euros", kind="fixed", amount_cents=1500, valid_days=14, now=now)
        save_segment(session, "lapsed-furniture", name="Lapsed", rule=parse_rule(LAPSED), now=now)
        save_campaign(session, "spring", now=now, fields={
            "name": "Spring", "goal_categories": ["furniture"], "ends_at": now + timedelta(days=30)})
    for number in range(1, 74):
        add_order(database, number, at=now - timedelta(days=200), number="old")
    for number in range(80, 90):
        add_order(database, number, at=now - timedelta(days=10), number="new")


def _play(
    database: Database, folder: Path, now: datetime, *, twice: bool = False, back: timedelta | None = None
) -> Path:
    """A month, day by day. `twice`: every day is worked through twice; `back`: after each day the clock jumps back by
    so much, and that instant is worked through as well."""
    sinks = {name: MemoryChannel(folder / f"{name}.db", name=name) for name in ("email", "letter")}
    for number in range(31):
        today = now + timedelta(days=number)
        if number == 3:
            for person in (1, 2, 3, 62):
                held = [code for code in codes(database) if code.customer_id == person and code.valid_from <= today]
                for code in held:
                    assert use(database, ask(code.code, f"o{person}"), now=today).status == 201
        if number == 4:
            for person in (4, 5, 6, 7, 8, 9, 10):
                add_order(database, person, at=today, number="back")
        for _ in range(2 if twice else 1):
            day(database, folder, sinks, now=today)
        if back is not None:
            day(database, folder, sinks, now=today - back)
    return folder / "email.db"


def test_a_win_back_campaign_runs_for_a_month(database: Database, tmp_path: Path, now: datetime) -> None:
    _shop(database, now)
    go(database, GRAPH, now=now)
    _play(database, tmp_path, now)
    people, rows, issued = enrolments(database), ledger(database), codes(database)
    assert sorted(people) == list(range(1, 74)), "who bought lately is not written to"
    kept = {number for number, person in people.items() if person.held_out}
    assert 5 <= len(kept) <= 25
    first = {row.customer_id: row for row in rows if row.step in ("mail_a", "mail_b")}
    assert len(first) == 73
    assert {number for number, row in first.items() if row.state == "withheld"} == kept
    assert {number for number, row in first.items() if row.state == "suppressed"} == {71, 72, 73} - kept
    assert all(row.channel == ("letter" if row.customer_id > 60 else "email") for row in rows if row.state == "sent")
    assert Counter(row.arm for row in first.values() if row.state == "sent").keys() == {"A", "B"}
    # One code per person; the reminder carries the same one.
    reminded = {row.customer_id: row for row in rows if row.step in ("remind_a", "remind_b") and row.state == "sent"}
    assert all(first[number].code == row.code for number, row in reminded.items())
    holders = Counter(code.customer_id for code in issued)
    assert set(holders.values()) == {1} and set(holders) == {n for n, row in first.items() if row.state == "sent"}
    # Left in peace: who redeemed or ordered, and nobody else.
    gone = {number: person.left_reason for number, person in people.items() if person.state == "exited"}
    assert set(gone) == ({1, 2, 3, 62} | set(range(4, 11))) - kept
    assert {number for number, why in gone.items() if why == "redeemed"} == {1, 2, 3, 62} - kept
    assert set(reminded).isdisjoint(gone)
    assert {people[number].left_reason for number in kept} == {"window_over"}
    with database.reading() as session:
        redeemed = set(session.scalars(select(Redemption.customer_id).where(Redemption.campaign == "spring")))
        assert redeemed == {1, 2, 3, 62} - kept
        assert session.scalar(select(func.count(Visit.id)).where(Visit.left_at.is_(None))) == 0
        assert session.scalar(select(func.count(Customer.id))) == 83


def test_a_letter_is_followed_by_its_reminder_counted_from_its_arrival(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    _shop(database, now)
    go(database, GRAPH | {"holdout_percent": 0}, now=now)
    _play(database, tmp_path, now)
    rows = [row for row in ledger(database) if row.customer_id == 65]
    assert [row.step for row in rows] == [rows[0].step, (rows[0].step or "").replace("mail", "remind")]
    assert rows[0].expected_at == now + timedelta(days=2)
    assert (rows[1].queued_at - rows[0].expected_at).days >= 7
    [code] = [code for code in codes(database) if code.customer_id == 65]
    assert code.valid_until == rows[0].expected_at + timedelta(days=14)


@pytest.mark.parametrize("course", [
    pytest.param({"twice": True}, id="twice", marks=pytest.mark.deeper),
    pytest.param({"back": timedelta(hours=1)}, id="an hour back", marks=pytest.mark.deeper),
    pytest.param({"back": timedelta(days=9)}, id="nine days back")])
def test_a_month_worked_through_twice_or_with_a_clock_that_jumps_back_ends_like_one_worked_through_once(
    sqlite_database: Database, sqlite_template: Path, tmp_path: Path, now: datetime, course: dict[str, Any]
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "other.db")
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    found = []
    for database, way in ((sqlite_database, {}), (other, course)):
        _shop(database, now)
        go(database, GRAPH, now=now)
        folder = tmp_path / f"course-{len(way)}"
        folder.mkdir()
        _play(database, folder, now, **way)
        found.append(everything(database))
    other.dispose()
    assert found[0] == found[1]

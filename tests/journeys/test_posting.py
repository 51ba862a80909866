"""Letters: the print shop's real days shift who waits, and what crossed in the post is a row."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.errors import Invalid, NotFound
from delivery.channels.memory import MemoryChannel
from journeys.editing.editing import pause, resume
from journeys.walk.posting import count_crossed, crossed, posted
from reporting.reports import campaign_report
from tests.journeys.shop import add_order, codes, day, enrolments, furnish, go, ledger, with_steps

GRAPH: dict[str, Any] = with_steps(
    letter={"kind": "send", "content": "offer-a", "offer": "ten-percent", "channel": "letter", "next": "pause"},
    pause={"kind": "wait", "days": 5, "next": "remind"},
    remind={"kind": "send", "content": "reminder", "channel": "email", "next": "end"}, end={"kind": "leave"})


def test_the_day_of_posting_shifts_arrival_code_and_whoever_waits(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now, channels=("email", "letter"))
    channels: dict[str, Any] = {
        name: MemoryChannel(tmp_path / "outside.db", name=name) for name in ("email", "letter")}
    go(database, GRAPH, now=now)
    day(database, tmp_path, channels, now=now)
    due = enrolments(database)[1].due_at
    assert due is not None and due.date() == date(2026, 3, 9)  # two days in the post, five of waiting
    later = now + timedelta(days=3)
    with database.writing() as session:
        assert posted(session, now.date(), later.date(), now=later) == 2
        assert posted(session, now.date(), later.date(), now=later) == 2, "told twice"
    day(database, tmp_path, channels, now=later)
    arrives = {each.expected_at for each in ledger(database)}
    assert {each.date() for each in arrives if each} == {date(2026, 3, 7)}
    moved = enrolments(database)[1]
    assert moved.step == "pause" and moved.due_at is not None and moved.due_at.date() == date(2026, 3, 12)
    assert {code.valid_until.date() for code in codes(database) if code.valid_until} == {date(2026, 3, 21)}
    add_order(database, 2, at=later + timedelta(hours=5))
    day(database, tmp_path, channels, now=later + timedelta(days=1))
    day(database, tmp_path, channels, now=now + timedelta(days=11))
    assert [(each.customer_id, each.step) for each in ledger(database) if each.channel == "email"] == [(1, "remind")]
    with database.reading() as session:
        [one] = crossed(session, customer_id=2)
        assert (one.customer_id, one.why, one.campaign) == (2, "ordered", "spring")
        assert crossed(session, customer_id=1) == [] and count_crossed(session, "spring") == 1
        notes = campaign_report(session, "spring", now=now + timedelta(days=11)).notes
    assert any("1 letter crossed with the order" in note for note in notes)


def test_the_day_of_posting_does_not_undo_what_a_pause_put_off(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now, channels=("email", "letter"), ends_in_days=90)
    channels: dict[str, Any] = {
        name: MemoryChannel(tmp_path / "outside.db", name=name) for name in ("email", "letter")}
    go(database, GRAPH, now=now)
    day(database, tmp_path, channels, now=now)
    with database.writing() as session:
        pause(session, "winback", now=now + timedelta(days=1))
        resume(session, "winback", overdue="shift", now=now + timedelta(days=21))
    later = now + timedelta(days=22)
    with database.writing() as session:
        for _ in range(2):
            posted(session, now.date(), now.date() + timedelta(days=3), now=later)
    day(database, tmp_path, channels, now=later)
    due = enrolments(database)[1].due_at
    # Posted three days later it arrives on the 7th instead of the 4th; five days of waiting, twenty of pause.
    assert due is not None and due.date() == date(2026, 4, 1)


def test_a_letter_of_this_morning_is_not_posted_at_noon_to_come(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now, channels=("email", "letter"))
    channels: dict[str, Any] = {
        name: MemoryChannel(tmp_path / "outside.db", name=name) for name in ("email", "letter")}
    go(sqlite_database, GRAPH, now=now)
    day(sqlite_database, tmp_path, channels, now=now)
    early = (now + timedelta(days=1)).replace(hour=8)
    with sqlite_database.writing() as session:
        posted(session, now.date(), early.date(), now=early)
    [letter] = [each for each in ledger(sqlite_database) if each.channel == "letter"]
    assert letter.sent_at == early


def test_a_day_of_posting_must_be_possible(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        for wrong in (now.date() - timedelta(days=1), now.date() + timedelta(days=1)):
            with pytest.raises(Invalid):
                posted(session, now.date(), wrong, now=now)
        with pytest.raises(NotFound):
            posted(session, now.date(), now.date(), now=now)

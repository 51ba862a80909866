"""The five ready plays: each passes every check, and each does over weeks what its sentence says."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from customers.models import Contact, Event
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from delivery.models import Message
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import publish
from journeys.editing.playbook import play_by_key, plays, use_play
from segments.membership.refreshing import refresh
from segments.saving.saved import list_segments
from tests.delivery.ledger import add_people
from tests.journeys.shop import add_order, day, enrolments, ledger, questions

BEGIN = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
"""Two weeks before the clocks go forward, so that waits cross the night without two o'clock."""
PEOPLE = range(1, 13)
Happens = Callable[[Database, datetime], None]


@pytest.mark.parametrize("play", plays(), ids=lambda play: play.key)
def test_letters_and_calls_of_a_ready_play_begin_with_a_capital(play: Any) -> None:
    for content in play.written["contents"]:
        spoken, written = content["call_script"], content["letter"].removeprefix("{{ greeting }},\n\n")
        assert spoken[:1].isupper() and written[:1].isupper(), content["key"]
        assert re.search(r"\{\{ greeting \}\},</mj-text><mj-text>[A-Z]", content["mjml"]), content["key"]


def begun(database: Database, key: str) -> None:
    """Twelve people whom e-mails may reach, and the play's campaign planned."""
    with database.writing() as session:
        add_people(session, PEOPLE, now=BEGIN - timedelta(days=400))
        use_play(session, play_by_key(key), "mine", name="Mine", now=BEGIN)


def let_run(database: Database, folder: Path, *, days: int, happens: dict[int, Happens] | None = None) -> None:
    """Publish, then let so many days pass, each with its refresh, its work and what happens on it."""
    with database.reading() as session:
        [segment] = [each.key for each in list_segments(session)]
    asker = questions(database, folder)
    refresh(database, asker, segment, now=BEGIN - timedelta(hours=1))
    with database.writing() as session:
        publish(session, "mine", now=BEGIN)
    channels: dict[str, Channel] = {"email": MemoryChannel(folder / "sink.db", name="email")}
    for number in range(days):
        now = BEGIN + timedelta(days=number)
        if happens and number in happens:
            happens[number](database, now - timedelta(minutes=30))
        refresh(database, asker, segment, now=now)
        day(database, folder, channels, now=now)
        day(database, folder, channels, now=now + timedelta(hours=9))


def said(database: Database, person: int) -> list[tuple[int, str]]:
    """The days and contents of what one person was sent, by step."""
    rows: list[Message] = [row for row in ledger(database) if row.customer_id == person and row.state == "sent"]
    return [((row.sent_at - BEGIN).days, row.step or "") for row in rows if row.sent_at is not None]


def walking(database: Database) -> set[int]:
    """Who entered and is not left alone for comparison."""
    return {number for number, each in enrolments(database).items()
            if each.state != "excluded" and not each.held_out}


def orders(people: Iterable[int], number: str = "1") -> Happens:
    """These people order."""
    def happen(database: Database, at: datetime) -> None:
        for person in people:
            add_order(database, person, at=at, number=number)

    return happen


def complaints(people: Iterable[int], status: str) -> Happens:
    """These people have a complaint in this state."""
    def happen(database: Database, at: datetime) -> None:
        for person in people:
            tell(database, person, at, kind="complaint", status=status)

    return happen


def tell(database: Database, person: int, at: datetime, **contact: Any) -> None:
    with database.writing() as session:
        session.add(Contact(external_id=f"k{person}-{at}", customer_id=person, at=at, direction="in", channel="email",
                            **contact))


@pytest.mark.parametrize("key", [play.key for play in plays()])
def test_a_play_becomes_a_planned_campaign_without_a_problem_and_twice_is_twice(
    sqlite_database: Database, now: datetime, key: str
) -> None:
    play = play_by_key(key)
    with sqlite_database.writing() as session:
        use_play(session, play, "one", name="One", now=now)
        two = use_play(session, play, "two", name="Two", owner="Mara", now=now)
        assert (two.state, two.owner, two.objective) == ("draft", "Mara", play.written["objective"])
        assert check_draft(session, {"name": "One", **play.written["journey"]}) == []
        publish(session, "one", now=now)


def test_the_win_back_invites_reminds_after_ten_days_and_leaves_who_bought_in_peace(
    sqlite_database: Database, tmp_path: Path
) -> None:
    begun(sqlite_database, "furniture-win-back")
    for number in PEOPLE:
        add_order(sqlite_database, number, at=BEGIN - timedelta(days=120))
    let_run(sqlite_database, tmp_path, days=14, happens={
        4: orders((1, 2), "back")})
    people = enrolments(sqlite_database)
    assert sorted(people) == list(PEOPLE) and len(walking(sqlite_database)) >= 8
    for number in walking(sqlite_database):
        days = [when for when, _step in said(sqlite_database, number)]
        assert days == ([0] if number in (1, 2) else [0, 10] if days[-1] == 10 else [0, 11]), number
        assert people[number].left_reason == ("ordered" if number in (1, 2) else "finished")


def test_a_left_cart_is_remembered_once_and_a_gift_follows_unless_it_was_ordered(
    sqlite_database: Database, tmp_path: Path
) -> None:
    def leave_carts(database: Database, at: datetime) -> None:
        with database.writing() as session:
            session.add_all(Event(external_id=f"e{number}", customer_id=number, name="cart_abandoned", at=at,
                                  recorded_at=at) for number in range(1, 9))

    begun(sqlite_database, "abandoned-cart")
    let_run(sqlite_database, tmp_path, days=9, happens={
        1: leave_carts, 2: orders((1, 2, 3))})
    assert set(enrolments(sqlite_database)) == set(range(1, 9))
    for number in walking(sqlite_database):
        steps = [step for _when, step in said(sqlite_database, number)]
        assert steps == (["remind"] if number in (1, 2, 3) else ["remind", "gift"]), number


def test_a_new_customer_is_welcomed_and_invited_again_only_without_a_second_order(
    sqlite_database: Database, tmp_path: Path
) -> None:
    begun(sqlite_database, "welcome")
    let_run(sqlite_database, tmp_path, days=21, happens={
        1: orders(range(1, 9)), 9: orders((1, 2), "2")})
    assert set(enrolments(sqlite_database)) == set(range(1, 9))
    for number in walking(sqlite_database):
        steps = [step for _when, step in said(sqlite_database, number)]
        assert steps == (["hello"] if number in (1, 2) else ["hello", "gift"]), number


def test_who_ordered_once_is_invited_after_five_weeks_and_reminded_a_week_before_the_end(
    sqlite_database: Database, tmp_path: Path
) -> None:
    begun(sqlite_database, "second-purchase")
    for number in PEOPLE:
        add_order(sqlite_database, number, at=BEGIN - timedelta(days=33))
    let_run(sqlite_database, tmp_path, days=20, happens={
        6: orders((1, 2), "2")})
    assert set(enrolments(sqlite_database)) == set(PEOPLE)
    for number in walking(sqlite_database):
        steps = [step for _when, step in said(sqlite_database, number)]
        assert steps == (["invite"] if number in (1, 2) else ["invite", "remind"]), number


def test_a_settled_complaint_is_followed_by_thanks_but_not_after_another_one(
    sqlite_database: Database, tmp_path: Path
) -> None:
    begun(sqlite_database, "complaint-follow-up")
    let_run(sqlite_database, tmp_path, days=14, happens={
        1: complaints(range(1, 9), "closed"), 5: complaints((1, 2), "open")})
    assert set(enrolments(sqlite_database)) == set(range(1, 9))
    for number in walking(sqlite_database):
        steps = [step for _when, step in said(sqlite_database, number)]
        assert steps == ([] if number in (1, 2) else ["thanks"]), number

"""A person is in one journey of a group at a time; some people are left alone by every journey."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError

from campaigns.planning import save_campaign
from core.database import Database
from core.errors import Invalid
from customers.consents import lock_customers
from journeys.editing.editing import let_in_again, publish, save_draft
from journeys.entry.holding_out import SALT, set_global_percent, share_left_alone
from journeys.graphs.steps import DRAWS, drawn
from journeys.models import Enrolment, Version
from reporting.audience import design_of
from tests.conftest import only_postgresql
from tests.delivery.ledger import sink
from tests.journeys.shop import add_event, codes, day, enrolments, furnish, go, ledger, passages, walk, with_steps

LEAVE = {"kind": "leave"}
STAY: dict[str, Any] = {**with_steps(
    mail={"kind": "send", "content": "offer-a", "next": "pause"}, pause={"kind": "wait", "days": 5, "next": "end"},
    end=LEAVE), "exit_when": [], "group": "win-back"}


def second(database: Database, graph: dict[str, Any], *, now: datetime) -> Version:
    """Publish another journey, of the campaign `autumn`."""
    with database.writing() as session:
        campaign = save_campaign(session, "autumn", now=now, fields={
            "name": "Autumn", "holdout_percent": 0, "ends_at": now + timedelta(days=60)})
        save_draft(session, "autumn", graph, campaign_id=campaign.id, now=now)
        return publish(session, "autumn", now=now)


def by_journey(database: Database, customer: int) -> dict[str, tuple[str, str | None, int]]:
    """State, reason and entry number of one customer by the campaign's journey."""
    with database.reading() as session:
        keys = {version.id: version.graph.get("name", "") for version in session.query(Version)}
    return {keys[each.version_id]: (each.state, each.left_reason, each.entry) for each in passages(database, customer)}


def test_who_is_in_one_journey_of_a_group_stays_out_of_the_next_with_the_reason(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    go(database, {**STAY, "name": "first"}, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    second(database, {**STAY, "name": "second", "entry": {"event": "visited"}, "reentry": "always"}, now=now)
    add_event(database, 1, "visited", at=now + timedelta(hours=1))
    day(database, tmp_path, channels, now=now + timedelta(hours=1))
    assert by_journey(database, 1) == {"first": ("active", None, 1), "second": ("excluded", "group", 0)}
    assert len(ledger(database)) == 2, "nothing was said twice"
    day(database, tmp_path, channels, now=now + timedelta(days=6))
    add_event(database, 1, "visited", at=now + timedelta(days=7))
    walk(database, tmp_path, now=now + timedelta(days=7))
    assert by_journey(database, 1)["second"] == ("active", None, 1), "the first is over, so this one may begin"


def test_a_journey_of_higher_priority_takes_the_person_over(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, (1, 2), now=now)
    go(database, {**STAY, "name": "first"}, now=now)
    walk(database, tmp_path, now=now)
    second(database, {**STAY, "name": "second", "priority": 10, "entry": {"event": "visited"}}, now=now)
    add_event(database, 1, "visited", at=now + timedelta(hours=1))
    walk(database, tmp_path, now=now + timedelta(hours=1))
    assert by_journey(database, 1) == {"first": ("exited", "taken_over", 1), "second": ("active", None, 1)}
    assert by_journey(database, 2) == {"first": ("active", None, 1)}
    assert sorted((row.customer_id, row.state) for row in ledger(database)) == [
        (1, "cancelled"), (1, "queued"), (2, "queued")], "what the first had not sent is taken back"


def test_who_is_set_aside_in_one_journey_is_taken_over_too_and_cannot_be_let_in_there_again(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now)
    go(database, {**STAY, "name": "first"}, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        session.execute(update(Enrolment).values(state="failed", error="ValueError: x", due_at=None))
    second(database, {**STAY, "name": "second", "priority": 10}, now=now)
    walk(database, tmp_path, now=now + timedelta(hours=1))
    with database.writing() as session:
        assert let_in_again(session, "winback", now=now + timedelta(hours=2)) == 0
    assert by_journey(database, 1) == {"first": ("exited", "taken_over", 1), "second": ("active", None, 1)}
    assert sorted(row.state for row in ledger(database)) == ["cancelled", "queued"]


@only_postgresql
def test_two_journeys_of_a_group_take_turns_with_a_person(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, (1,), now=now)
    go(database, {**STAY, "name": "first"}, now=now)
    second(database, {**STAY, "name": "second"}, now=now)
    with database.engine.connect() as other:
        other.execute(text(f"ALTER DATABASE {database.engine.url.database} SET lock_timeout = '100ms'"))
        other.commit()
    database.dispose()
    with database.engine.connect() as other:
        lock_customers(other, [1])  # as the other journey does while it lets the person in
        with pytest.raises(OperationalError, match="lock timeout"):
            walk(database, tmp_path, now=now)
    assert passages(database, 1) == []


def test_people_left_alone_by_one_journey_stay_out_of_another_of_its_group(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    go(sqlite_database, {**STAY, "name": "first", "holdout_percent": 50}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    second(sqlite_database, {**STAY, "name": "second"}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    assert {by_journey(sqlite_database, number)["second"] for number in range(1, 41)} == {("excluded", "group", 0)}


def test_the_same_share_of_customers_is_left_alone_by_every_journey(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 101), now=now)
    with database.writing() as session:
        set_global_percent(session, 30, now=now)
    numbers = [f"c{number}" for number in range(1, 101)]
    everywhere = {number for number, draw in zip(range(1, 101), drawn(SALT, numbers).tolist(), strict=True)
                  if draw < 0.3 * DRAWS}
    plain = {name: value for name, value in STAY.items() if name != "group"}
    go(database, {**plain, "steps": {**plain["steps"], "mail": {**plain["steps"]["mail"], "offer": "ten-percent"}}},
       now=now)
    walk(database, tmp_path, now=now)
    assert 15 < len(everywhere) < 45
    assert {number for number, person in enrolments(database).items() if person.held_out} == everywhere
    assert {row.customer_id for row in ledger(database) if row.state == "withheld"} == everywhere
    assert {code.customer_id for code in codes(database)}.isdisjoint(everywhere)
    with database.writing() as session:
        set_global_percent(session, 0, now=now)
    second(database, {**plain, "name": "second", "holdout_percent": 20}, now=now)
    walk(database, tmp_path, now=now)
    with database.reading() as session:
        assert session.query(Version).order_by(Version.id).first().pins["global_percent"] == 30


def test_the_report_expects_both_shares_in_the_hold_out(sqlite_database: Database, tmp_path: Path,
                                                        now: datetime) -> None:
    assert share_left_alone(10, 0) == pytest.approx(0.1)
    assert share_left_alone(10, 5) == pytest.approx(0.145)
    furnish(sqlite_database, range(1, 101), now=now)
    with sqlite_database.writing() as session:
        set_global_percent(session, 30, now=now)
    go(sqlite_database, {**STAY, "holdout_percent": 10}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        expected = design_of(session, save_campaign(session, "spring", fields={}, now=now)).expected
    assert expected is not None and expected[None] == pytest.approx(37.0)


def test_a_share_that_makes_no_sense_is_refused(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session, pytest.raises(Invalid):
        set_global_percent(session, 51, now=now)


def test_people_left_alone_get_no_code_without_a_message_either(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    go(sqlite_database, {**with_steps(code={"kind": "give", "offer": "ten-percent", "next": "end"},
                                      end={"kind": "leave"}), "holdout_percent": 50}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    inside = enrolments(sqlite_database)
    held = {person for person, each in inside.items() if each.held_out}
    assert held and {code.customer_id for code in codes(sqlite_database)} == set(range(1, 41)) - held
    assert {each.state for each in inside.values()} == {"finished"}

"""People come in by an event, a schedule, a program or a colleague: once per cause, again only as the rule says."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from core.cursors import advance
from core.database import Database
from core.errors import Conflict
from journeys.editing.editing import pause, resume
from journeys.editing.entering import enter, open_by_hand
from journeys.entry import noticing
from journeys.graphs.checking import check_graph
from journeys.models import Enrolment
from journeys.walk.due import next_due_at
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.delivery.ledger import sink
from tests.journeys.shop import add_event, add_order, day, furnish, go, ledger, passages, path_of, walk, with_steps

LEAVE = {"kind": "leave"}
MAIL = {"kind": "send", "content": "offer-a", "next": "end"}
CART: dict[str, Any] = {
    "name": "Abandoned cart", "entry": {"event": "cart_abandoned", "key": "cart_id"}, "reentry": "always",
    "holdout_percent": 0, "exit_when": [], "start": "hope", "steps": {
        "hope": {"kind": "wait_for", "ordered": True, "days": 2, "next": {"yes": "end", "timeout": "mail"}},
        "mail": MAIL, "end": LEAVE}}
SHORT: dict[str, Any] = {**with_steps(pause={"kind": "wait", "days": 1, "next": "end"}, end=LEAVE), "exit_when": []}


def test_an_abandoned_cart_is_written_about_after_two_days_unless_the_person_ordered(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2, 3), now=now)
    go(database, CART, now=now)
    channels, _ = sink(tmp_path)
    left_at = now + timedelta(hours=3)
    add_event(database, 1, "cart_abandoned", at=left_at, cart_id="a")
    add_event(database, 2, "cart_abandoned", at=left_at, cart_id="b")
    add_event(database, 3, "visited", at=left_at, cart_id="c")
    # Ordered after leaving the cart, and before anybody looked.
    add_order(database, 2, at=left_at + timedelta(seconds=3))
    day(database, tmp_path, channels, now=left_at + timedelta(minutes=1))
    assert path_of(database, 2) == [("hope", "yes"), ("end", "left")]
    assert passages(database, 1)[0].due_at == left_at + timedelta(days=2), "it counts from the cart, not from our look"
    assert passages(database, 3) == []
    day(database, tmp_path, channels, now=left_at + timedelta(days=2))
    assert [row.customer_id for row in ledger(database)] == [1]
    assert ledger(database)[0].state == "sent"


def test_two_carts_walk_side_by_side_and_one_cart_is_never_two(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1,), now=now)
    go(database, CART, now=now)
    for hour, cart in enumerate(("a", "b", "a"), 1):
        add_event(database, 1, "cart_abandoned", at=now + timedelta(hours=hour), cart_id=cart)
    walk(database, tmp_path, now=now + timedelta(hours=3))
    assert [(each.key, each.entry, each.step) for each in passages(database, 1)] == [("a", 1, "hope"), ("b", 2, "hope")]
    with database.writing() as session:  # a crash before the cursor moved: everything is read again
        advance(session.connection(), noticing.READER, 0)
    walk(database, tmp_path, now=now + timedelta(days=3))
    with database.writing() as session:
        advance(session.connection(), noticing.READER, 0)
    walk(database, tmp_path, now=now + timedelta(days=3))
    assert [each.key for each in passages(database, 1)] == ["a", "b"], "an event lets in once"
    assert len(ledger(database)) == 2


@pytest.mark.parametrize(("reentry", "entered"), [("never", 1), ("always", 3), ({"after_days": 4}, 2)])
def test_people_come_again_as_the_rule_says(
    sqlite_database: Database, tmp_path: Path, now: datetime, reentry: Any, entered: int
) -> None:
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, {**SHORT, "entry": {"event": "visited"}, "reentry": reentry}, now=now)
    for days in (0, 2, 4, 4.5):  # the last one comes while somebody is inside, or too early
        at = now + timedelta(days=days, hours=1)
        walk(sqlite_database, tmp_path, now=at)
        add_event(sqlite_database, 1, "visited", at=at)
        walk(sqlite_database, tmp_path, now=at)
    assert [each.entry for each in passages(sqlite_database, 1)] == list(range(1, entered + 1))


def test_what_happened_before_the_publishing_or_outside_the_window_lets_nobody_in(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2), now=now, ends_in_days=5)
    add_event(sqlite_database, 1, "cart_abandoned", at=now - timedelta(minutes=1), cart_id="old")
    go(sqlite_database, CART, now=now)
    add_event(sqlite_database, 1, "cart_abandoned", at=now - timedelta(days=90), recorded_at=now, cart_id="older")
    add_event(sqlite_database, 2, "cart_abandoned", at=now + timedelta(days=5), cart_id="late")
    walk(sqlite_database, tmp_path, now=now + timedelta(days=1))
    assert passages(sqlite_database, 1) == passages(sqlite_database, 2) == []


def test_a_new_version_with_the_same_door_loses_no_event_that_came_before_it(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    go(database, CART, now=now)
    add_event(database, 1, "cart_abandoned", at=now + timedelta(minutes=10), cart_id="a")
    add_event(database, 2, "cart_saved", at=now + timedelta(minutes=10), cart_id="b")
    later = now + timedelta(minutes=11)
    go(database, {**CART, "name": "Mended"}, now=later)
    walk(database, tmp_path, now=later)
    assert [len(passages(database, number)) for number in (1, 2)] == [1, 0]
    add_event(database, 1, "cart_saved", at=later + timedelta(minutes=1), cart_id="c")
    go(database, {**CART, "entry": {"event": "cart_saved", "key": "cart_id"}}, now=later + timedelta(minutes=2))
    walk(database, tmp_path, now=later + timedelta(minutes=3))
    assert [each.key for each in passages(database, 1)] == ["a"], "another door opens when it is published"


def test_a_ring_during_a_pause_is_not_lost_when_a_new_version_is_published_in_it(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    hourly = {**SHORT, "entry": {"segment": "lapsed", "schedule": "0 * * * *"}, "reentry": "always"}
    begun = now + timedelta(minutes=1)
    go(database, hourly, now=begun)
    with database.writing() as session:
        pause(session, "winback", now=begun)
    later = now + timedelta(hours=3, minutes=7)
    go(database, {**hourly, "name": "Mended"}, now=later)
    with database.writing() as session:
        resume(session, "winback", overdue="send", now=later)
    walk(database, tmp_path, now=later)
    assert [each.cause for each in passages(database, 1)] == [f"schedule:{later.replace(minute=0):%Y-%m-%dT%H:%MZ}"]
    with database.writing() as session:
        session.execute(delete(Enrolment).where(Enrolment.customer_id == 2))  # as if they had come into it since
    go(database, {**hourly, "name": "Mended again"}, now=later)
    walk(database, tmp_path, now=later)
    assert passages(database, 2) == [], "a ring that was followed is not followed again"


def test_an_event_may_be_asked_for_its_properties_and_for_people_of_a_segment(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2, 3), now=now)
    with sqlite_database.writing() as session:
        save_segment(session, "lapsed", name="Lapsed", now=now,
                     rule=parse_rule({"customer": "customer_id", "in": ["c1", "c3"]}))
    entry = {"event": "cart_abandoned", "where": {"total": ["120"], "guest": ["false"]}, "segment": "lapsed"}
    go(sqlite_database, {**CART, "entry": entry, "reentry": "never"}, now=now)
    at = now + timedelta(hours=1)
    add_event(sqlite_database, 1, "cart_abandoned", at=at, total=120, guest=False)
    add_event(sqlite_database, 2, "cart_abandoned", at=at, total=120, guest=False)
    add_event(sqlite_database, 3, "cart_abandoned", at=at, total=120, guest=True)
    walk(sqlite_database, tmp_path, now=at)
    assert [len(passages(sqlite_database, number)) for number in (1, 2, 3)] == [1, 0, 0]


def test_a_cart_left_during_a_pause_stands_at_the_start_and_goes_on_with_everybody(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, CART, now=now)
    with sqlite_database.writing() as session:
        pause(session, "winback", now=now + timedelta(hours=1))
    add_event(sqlite_database, 1, "cart_abandoned", at=now + timedelta(hours=2), cart_id="a")
    walk(sqlite_database, tmp_path, now=now + timedelta(hours=3))
    assert passages(sqlite_database, 1)[0].step == "hope"
    assert path_of(sqlite_database, 1) == []
    with sqlite_database.writing() as session:
        resume(session, "winback", overdue="shift", now=now + timedelta(days=3))
    walk(sqlite_database, tmp_path, now=now + timedelta(days=3))
    assert path_of(sqlite_database, 1)[0] == ("hope", "timeout")


def test_a_schedule_lets_the_segment_in_at_every_ring_and_missed_rings_are_one(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    go(sqlite_database, {**SHORT, "entry": {"segment": "lapsed", "schedule": "0 9 * * mon"}, "reentry": "always"},
       now=now)
    walk(sqlite_database, tmp_path, now=now)
    assert passages(sqlite_database, 1) == [], "nobody enters at the publishing"
    with sqlite_database.reading() as session:
        first = next_due_at(session.connection(), after=now)
    assert first is not None and first.isoweekday() == 1 and first - now < timedelta(days=7)
    walk(sqlite_database, tmp_path, now=first)
    walk(sqlite_database, tmp_path, now=first)
    assert [len(passages(sqlite_database, number)) for number in (1, 2)] == [1, 1]
    walk(sqlite_database, tmp_path, now=first + timedelta(days=6))
    walk(sqlite_database, tmp_path, now=first + timedelta(days=16))
    causes = [each.cause for each in passages(sqlite_database, 1)]
    assert causes == [f"schedule:{first + timedelta(days=days):%Y-%m-%dT%H:%MZ}" for days in (0, 14)]


def test_a_program_lets_somebody_in_once_however_often_it_asks(database: Database, tmp_path: Path,
                                                               now: datetime) -> None:
    furnish(database, (1,), now=now)
    go(database, {**SHORT, "entry": {"api": True}, "reentry": "always"}, now=now)
    with database.writing() as session:
        first = enter(session, "winback", "c1", by="api", request="r1", now=now)
        again = enter(session, "winback", "c1", by="api", request="r2", now=now)
        other = enter(session, "winback", "c1", by="api", key="cart 2", now=now)
        assert (first.new, again.new, other.new) == (True, False, True)
        assert again.enrolment.id == first.enrolment.id
    walk(database, tmp_path, now=now + timedelta(days=2))
    with database.writing() as session:
        repeated = enter(session, "winback", "c1", by="api", request="r1", now=now + timedelta(days=3))
        fresh = enter(session, "winback", "c1", by="api", request="r3", now=now + timedelta(days=3))
        assert (repeated.new, repeated.enrolment.id) == (False, first.enrolment.id), "the same request is the same act"
        assert fresh.new and fresh.enrolment.entry == 3
        with pytest.raises(Conflict, match="does not let people in this way"):
            enter(session, "winback", "c1", by="manual", now=now)
        assert open_by_hand(session) == []


def test_nobody_is_let_in_while_the_journey_is_paused_or_its_window_is_closed(
    sqlite_database: Database, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now, ends_in_days=5)
    go(sqlite_database, {**SHORT, "entry": {"manual": True}}, now=now)
    with sqlite_database.writing() as session:
        assert [journey.key for journey in open_by_hand(session)] == ["winback"]
        with pytest.raises(Conflict, match="window"):
            enter(session, "winback", "c1", by="manual", now=now + timedelta(days=5))
        pause(session, "winback", now=now)
        with pytest.raises(Conflict, match="does not run"):
            enter(session, "winback", "c1", by="manual", now=now)


def test_coming_again_needs_a_way_to_come_again() -> None:
    known: dict[str, Any] = {"known_segments": {"lapsed"}, "known_offers": set(), "known_contents": {"offer-a"}}
    [problem] = check_graph({**SHORT, "reentry": "always"}, **known)
    assert problem.place == "reentry"
    assert check_graph({**SHORT, "reentry": "always", "entry": {"segment": "lapsed", "on": "entering"}}, **known) == []

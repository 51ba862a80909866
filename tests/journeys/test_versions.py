"""People keep their version until somebody moves them; a pause ends as chosen; the set aside are looked at."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.database import Database
from core.errors import Conflict, Invalid
from journeys.editing.editing import journey_by_key, let_in_again, newest_version, pause, release, resume
from journeys.editing.moving import retire, take_over
from journeys.graphs.comparing import compare, standing
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment
from journeys.telling.showing import version_of
from tests.delivery.ledger import sink
from tests.journeys.shop import codes, day, enrolments, furnish, go, ledger, path_of, walk, with_steps

LEAVE = {"kind": "leave"}
MAIL = {"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"}
OLD: dict[str, Any] = {**with_steps(mail=MAIL, pause={"kind": "wait", "days": 10, "next": "remind"}, remind={
    "kind": "send", "content": "reminder", "next": "end"}, end=LEAVE), "exit_when": []}
NEW: dict[str, Any] = {**with_steps(mail=MAIL, pause={"kind": "wait", "days": 5, "next": "other"}, other={
    "kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "end"}, end=LEAVE), "exit_when": []}


def test_two_versions_are_compared_step_by_step() -> None:
    found = compare(parse_graph(OLD), parse_graph({**NEW, "reentry": "always", "entry": {"event": "visited"}}))
    assert dict(found.steps) == {"pause": "changed", "other": "added", "remind": "gone"}
    assert set(found.frame) == {"segment", "entry", "reentry_days"}
    assert compare(parse_graph(OLD), parse_graph(OLD)).steps == {}


def test_people_are_moved_to_the_newest_version_and_keep_what_is_theirs(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    channels, _ = sink(tmp_path)
    go(database, OLD, now=now)
    day(database, tmp_path, channels, now=now)
    go(database, NEW, now=now + timedelta(days=1))
    walk(database, tmp_path, now=now + timedelta(days=6))
    assert {person.step for person in enrolments(database).values()} == {"pause"}, "publishing moves nobody"
    later = now + timedelta(days=6)
    with database.writing() as session:
        journey = journey_by_key(session, "winback")
        old, new = version_of(session, journey, 1), newest_version(session, journey)
        assert old is not None and new is not None
        [place] = standing(session, old, new)
        assert (place.step, place.people, place.target, place.change) == ("pause", 2, "pause", "changed")
        assert take_over(session, "winback", number=1, step="pause", expected_people=2, now=later) == 2
        assert standing(session, old, new) == []
    day(database, tmp_path, channels, now=later)
    assert path_of(database, 1) == [("mail", "queued"), ("pause", "moved"), ("pause", "waited"), ("other", "queued"),
                                    ("end", "left")], "five days since the mail arrived are over"
    assert len(codes(database)) == 2 and len(ledger(database)) == 4
    assert len({row.code for row in ledger(database)}) == 2, "the second mail shows the same code"


@pytest.mark.parametrize("wait", [{"kind": "wait", "days": 10, "next": "remind"}, {
    "kind": "wait_for", "event": "visited", "days": 10, "next": {"yes": "end", "timeout": "remind"}}])
@pytest.mark.parametrize("moved_on_day", [5, 25])
def test_whoever_is_moved_keeps_by_how_long_a_pause_put_them_off(
    database: Database, tmp_path: Path, now: datetime, wait: dict[str, Any], moved_on_day: int
) -> None:
    graph = {**OLD, "steps": {**OLD["steps"], "pause": wait}}
    shorter = {**graph, "steps": {**graph["steps"], "pause": {**wait, "days": 8}}}
    furnish(database, (1, 2), now=now, ends_in_days=90)
    channels, _ = sink(tmp_path)
    go(database, graph, now=now)
    day(database, tmp_path, channels, now=now)

    def bring_over() -> None:
        at = now + timedelta(days=moved_on_day)
        go(database, shorter, now=at)
        with database.writing() as session:
            assert take_over(session, "winback", number=1, step="pause", now=at) == 2
        walk(database, tmp_path, now=at)

    with database.writing() as session:
        pause(session, "winback", now=now + timedelta(days=2))
    if moved_on_day < 22:
        bring_over()
    with database.writing() as session:
        resume(session, "winback", overdue="shift", now=now + timedelta(days=22))
    walk(database, tmp_path, now=now + timedelta(days=22))
    if moved_on_day > 22:
        bring_over()
    assert [person.due_at for person in enrolments(database).values()] == [now + timedelta(days=8 + 20)] * 2
    walk(database, tmp_path, now=now + timedelta(days=27))
    assert len(ledger(database)) == 2, "nobody is reminded before"
    walk(database, tmp_path, now=now + timedelta(days=28))
    assert len(ledger(database)) == 4


def test_who_was_due_before_the_pause_is_spoken_to_although_what_became_due_in_it_is_left_out(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    channels, _ = sink(tmp_path)
    go(database, OLD, now=now)
    day(database, tmp_path, channels, now=now)
    with database.writing() as session:  # nothing ran on the day when the first of them was due
        session.execute(update(Enrolment).where(Enrolment.customer_id == 1).values(
            due_at=now + timedelta(days=2), step_entered_at=now - timedelta(days=8)))
        pause(session, "winback", now=now + timedelta(days=3))
        resume(session, "winback", overdue="skip", now=now + timedelta(days=11))
    day(database, tmp_path, channels, now=now + timedelta(days=11))
    reminded = {row.customer_id: row.state for row in ledger(database) if row.step == "remind"}
    assert reminded == {1: "sent", 2: "suppressed"}


def test_a_move_is_refused_when_it_makes_no_sense_or_far_more_people_stand_there_than_were_shown(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 31), now=now)
    go(sqlite_database, OLD, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session, pytest.raises(Invalid, match="newest one"):
        take_over(session, "winback", number=1, step="pause", now=now)
    go(sqlite_database, NEW, now=now)
    with sqlite_database.writing() as session:
        with pytest.raises(Conflict, match="30 people stand there"):
            take_over(session, "winback", number=1, step="pause", expected_people=3, now=now)
        with pytest.raises(Invalid, match="no step called remind"):
            take_over(session, "winback", number=1, step="pause", target="remind", now=now)
        assert take_over(session, "winback", number=1, step="pause", target="other", now=now) == 30


def test_a_retired_version_lets_everybody_out_and_takes_back_what_has_not_left(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 21), now=now)
    go(database, {**OLD, "holdout_percent": 30}, now=now)
    walk(database, tmp_path, now=now)
    go(database, {**NEW, "holdout_percent": 30}, now=now)
    with database.writing() as session:
        assert retire(session, "winback", number=1, now=now) == 20
        assert retire(session, "winback", number=1, now=now) == 0
        with pytest.raises(Invalid):
            retire(session, "winback", number=2, now=now)
    assert {(person.state, person.left_reason) for person in enrolments(database).values()} == {("over", "retired")}
    assert {row.state for row in ledger(database)} == {"cancelled", "withheld"}


def test_what_is_overdue_after_a_pause_may_be_left_out_with_a_row_that_says_so(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    channels, _ = sink(tmp_path)
    graph = {**OLD, "steps": {**OLD["steps"], "remind": {**OLD["steps"]["remind"], "next": "late"},
                              "late": {"kind": "wait", "days": 5, "next": "last"},
                              "last": {"kind": "send", "content": "reminder", "next": "end"}}}
    go(database, graph, now=now)
    day(database, tmp_path, channels, now=now)
    with database.writing() as session:
        pause(session, "winback", now=now + timedelta(days=9))
    resumed = now + timedelta(days=12)
    with database.writing() as session:
        resume(session, "winback", overdue="skip", now=resumed)
    day(database, tmp_path, channels, now=resumed)
    assert [(row.step, row.state, row.reason) for row in ledger(database) if row.customer_id == 1] == [
        ("mail", "sent", None), ("remind", "suppressed", "left out after a pause")]
    assert enrolments(database)[1].step == "late"
    day(database, tmp_path, channels, now=resumed + timedelta(days=5))
    assert [row.state for row in ledger(database) if row.step == "last"] == ["sent", "sent"], "later ones are not"


def test_messages_held_by_a_pause_are_cancelled_when_they_are_left_out(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, OLD, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        pause(session, "winback", now=now)
        resume(session, "winback", overdue="skip", now=now + timedelta(days=1))
    assert [(row.state, row.reason) for row in ledger(sqlite_database)] == [("cancelled", "left out after a pause")]


def test_who_was_set_aside_is_tried_again_or_let_out_one_by_one(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2, 3), now=now)
    go(database, OLD, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        session.execute(update(Enrolment).values(state="failed", error="ValueError: x", due_at=None))
    ids = {number: person.id for number, person in enrolments(database).items()}
    with database.writing() as session:
        assert let_in_again(session, "winback", only=ids[1], now=now) == 1
        assert release(session, "winback", only=ids[2], now=now) == 1
        assert release(session, "winback", only=ids[1], now=now) == 0, "only those set aside"
    found = enrolments(database)
    assert {number: (person.state, person.left_reason) for number, person in found.items()} == {
        1: ("active", None), 2: ("over", "released"), 3: ("failed", None)}
    assert {row.customer_id: row.state for row in ledger(database)} == {1: "queued", 2: "cancelled", 3: "queued"}

"""Whatever the journey, whoever walks it and whatever happens: each stands in one place, and hears nothing twice."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from core.database import Database, open_database
from coupons.models import Code
from delivery.models import Message
from journeys.exits.exits import enrolment_of
from journeys.models import ArmDraw, Enrolment, Version, Visit
from journeys.states import INSIDE
from tests.conftest import NOW, PROOFS
from tests.journeys.courses import Course
from tests.journeys.shop import counted_by_hand, everything, summed_up

COURSES = range(30) if PROOFS else range(4)
ACTS = 25 if PROOFS else 12


def holds(course: Course) -> None:
    """Everything that must be true of every journey at every moment."""
    with course.database.reading() as session:
        people = {person.id: person for person in session.scalars(select(Enrolment))}
        versions = {version.id: version for version in session.scalars(select(Version))}
        visits: dict[int, list[Visit]] = {}
        for visit in session.scalars(select(Visit).order_by(Visit.enrolment_id, Visit.number)):
            visits.setdefault(visit.enrolment_id, []).append(visit)
        messages = list(session.scalars(select(Message)))
        codes = list(session.scalars(select(Code)))
        assert summed_up(session) == counted_by_hand(session), "the drawing says what the log says"
        draws = {draw.enrolment_id: draw for draw in session.scalars(select(ArmDraw))}
    assert Counter(person.customer_id for person in people.values()).most_common(1)[0][1] == 1, "entered twice"
    for person in people.values():
        steps = versions[person.version_id].graph["steps"]
        mine = visits.get(person.id, [])
        assert (person.step is not None) == (person.state == "active"), "stands in one place, or in none"
        assert person.step is None or person.step in steps, "stands in another version"
        assert {visit.step for visit in mine} <= set(steps), "passed a step of another version"
        assert [visit.number for visit in mine] == list(range(1, len(mine) + 1)), "visits without gaps"
        assert person.state == "failed" or len(mine) == person.visit - (1 if person.state == "active" else 0)
        assert person.error is None, person.error
        assert person.state != "excluded" and (person.left_at is None) == (person.state in INSIDE)
    spoken = Counter((message.enrolment_ref, message.step, message.occasion.split(".")[2]) for message in messages
                     if message.state in ("sent", "uncertain"))
    assert not [key for key, count in spoken.items() if count > 1], "two messages for one visit"
    held = {person.id for person in people.values() if person.held_out}
    assert all(message.state == "withheld" for message in messages if message.enrolment_ref in held)
    assert not [code for code in codes if enrolment_of(code.origin) in held], "a code for somebody left alone"
    assert not held & set(draws) and all(draw.share >= 0.05 for draw in draws.values())
    one_code = Counter((code.origin, code.offer_id) for code in codes if code.state == "issued")
    assert not one_code or max(one_code.values()) == 1


def run(course: Course, acts: int) -> None:
    """Let things happen, and look after each of them."""
    course.work()
    holds(course)
    for _ in range(acts):
        course.act()
        try:
            holds(course)
        except AssertionError as error:
            raise AssertionError(f"seed {course.seed}, after {course.log}: {error}") from error


@pytest.mark.deeper
@pytest.mark.parametrize("seed", COURSES)
def test_each_stands_in_one_place_and_hears_nothing_twice(
    sqlite_database: Database, tmp_path: Path, now: datetime, seed: int
) -> None:
    run(Course(seed, sqlite_database, tmp_path / "course", now), ACTS)


@pytest.mark.deeper
@pytest.mark.parametrize("seed", range(1000, 1008) if PROOFS else (1000,))
def test_both_databases_keep_the_same_ledger_for_the_same_seed(
    database: Database, sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    other_path = tmp_path / "other.db"
    other_path.write_bytes(sqlite_template.read_bytes())
    other = open_database(f"sqlite:///{other_path}")
    try:
        pair = [Course(seed, each, tmp_path / name, NOW) for each, name in ((database, "one"), (other, "two"))]
        for course in pair:
            run(course, 8)
        assert everything(pair[0].database) == everything(pair[1].database)
    finally:
        other.dispose()

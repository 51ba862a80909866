"""Refreshing members: only the difference is written, nobody sees half of it, a death or a rival changes nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from core import leases
from core.database import Database
from core.errors import Conflict
from core.settings import Settings
from customers.models import Customer
from segments.engines.questions import Answer, Questions
from segments.language.conditions import Rule
from segments.language.rules import parse_rule
from segments.membership.person import erase_listings, held_segments
from segments.membership.refreshing import Refreshed, refresh, steps, unfinished
from segments.membership.stays import Place, members, moved, moves, newest_refreshes, standing_ids
from segments.models import Segment, SegmentRefresh
from segments.saving.lists import Entry, add_people, make_list
from segments.saving.saved import save_segment, segment_by_key
from tests.segments.population import AS_OF

DUNNED = {"customer": "dunning_level", "at_least": 1}


@pytest.fixture
def questions(database: Database, settings: Settings) -> Questions:
    """Twelve customers 1..12, the first eight of whom are dunned, and the segment `dunned`."""
    with database.writing() as session:
        session.execute(insert(Customer), [
            {"id": number, "external_id": f"C{number}", "dunning_level": int(number <= 8), "attributes": {},
             "imported_at": AS_OF} for number in range(1, 13)])
        save_segment(session, "dunned", name="Dunned", rule=parse_rule(DUNNED), now=AS_OF)
    return Questions(database, settings, engine="rows")


def dun(database: Database, numbers: list[int], level: int = 1) -> None:
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id.in_(numbers)).values(dunning_level=level))


def inside(database: Database, key: str = "dunned") -> list[int]:
    with database.reading() as session:
        return standing_ids(session, segment_by_key(session, key)).tolist()


def done(questions: Questions, *, at: datetime = AS_OF, chunk: int = 3) -> Refreshed:
    found = refresh(questions.database, questions, "dunned", now=at, chunk=chunk)
    assert found is not None
    return found


def test_the_first_refresh_lets_everybody_in_and_the_next_writes_only_the_difference(questions: Questions) -> None:
    database = questions.database
    first = done(questions)
    assert (first.members, first.entered, first.left, first.version, first.engine) == (8, 8, 0, 1, "rows")
    dun(database, [1, 2, 3, 4], level=0)
    dun(database, [11, 12])
    later = AS_OF + timedelta(hours=1)
    second = done(questions, at=later)
    assert (second.members, second.entered, second.left) == (6, 2, 4)
    assert inside(database) == [5, 6, 7, 8, 11, 12]
    with database.reading() as session:
        segment = segment_by_key(session, "dunned")
        assert (segment.members, segment.refreshed_at, segment.refresh_id) == (6, later, second.refresh_id)
        newest, oldest = newest_refreshes(session, segment.id, limit=5)
        assert (newest.entered_count, newest.left_count, newest.members, newest.as_of) == (2, 4, 6, later)
        assert (oldest.cause, newest.cause, newest.version, newest.published_at) == ("first", "asked", 1, later)
        assert moved(session, newest, left=False, limit=10) == [11, 12]
        assert moved(session, newest, left=True, limit=2) == [1, 2]
        assert moved(session, newest, left=True, after=2, limit=10) == [3, 4]
        page = members(session, segment, after=5, limit=3)
        assert [(one.customer_id, one.entered_at) for one in page] == [(6, AS_OF), (7, AS_OF), (8, AS_OF)]


def test_who_stayed_is_not_touched_and_who_comes_back_is_there_once(questions: Questions) -> None:
    database = questions.database
    for hours, level in enumerate((1, 0, 1)):
        dun(database, [1], level)
        done(questions, at=AS_OF + timedelta(hours=hours))
    with database.reading() as session:
        segment = segment_by_key(session, "dunned")
        since = {one.customer_id: one.entered_at for one in members(session, segment, limit=20)}
    assert since[1] == AS_OF + timedelta(hours=2)
    assert since[2] == AS_OF
    assert len(since) == 8


def test_a_refresh_in_which_nobody_moved_writes_no_line_of_history(questions: Questions) -> None:
    first = done(questions)
    again = done(questions, at=AS_OF + timedelta(hours=3))
    assert (again.members, again.entered, again.left, again.refresh_id) == (8, 0, 0, None)
    with questions.database.reading() as session:
        segment = segment_by_key(session, "dunned")
        assert (segment.refresh_id, segment.refreshed_at) == (first.refresh_id, AS_OF + timedelta(hours=3))
        assert len(newest_refreshes(session, segment.id, limit=5)) == 1


def test_who_comes_in_because_a_segment_named_in_the_rule_was_changed_has_not_moved(questions: Questions) -> None:
    database = questions.database

    def save(key: str, rule: dict[str, Any]) -> None:
        with database.writing() as session:
            save_segment(session, key, name=key, rule=parse_rule(rule), now=AS_OF)

    def cause(hours: int) -> tuple[str, int]:
        done(questions, at=AS_OF + timedelta(hours=hours))
        with database.reading() as session:
            newest = newest_refreshes(session, segment_by_key(session, "dunned").id, limit=1)[0]
            return newest.cause, newest.entered_count

    with database.writing() as session:
        make_list(session, "listed", name="Listed", now=AS_OF)
        add_people(session, "listed", [Entry(1, "C9")], now=AS_OF)
    save("inner", DUNNED)
    save("between", {"any": [{"segment": "inner"}, {"segment": "listed"}]})
    save("dunned", {"segment": "between"})
    assert cause(0) == ("first", 9)
    save("inner", {"customer": "customer_id", "in": ["C1", "C10"]})
    assert cause(1) == ("rule", 1)
    with database.writing() as session:
        add_people(session, "listed", [Entry(1, "C11")], now=AS_OF)
    assert cause(2) == ("asked", 1)
    save("between", {"any": [{"segment": "inner"}, {"segment": "listed"}, {"customer": "customer_id", "is": "C12"}]})
    assert cause(3) == ("rule", 1)


def test_an_audience_of_nobody_is_known_after_its_first_refresh(questions: Questions) -> None:
    with questions.database.writing() as session:
        save_segment(session, "nobody", name="Nobody", rule=parse_rule({"any": []}), now=AS_OF)
    for _time in range(2):
        found = refresh(questions.database, questions, "nobody", now=AS_OF)
        assert found is not None and found.members == 0
    with questions.database.reading() as session:
        assert segment_by_key(session, "nobody").members == 0


@pytest.mark.parametrize("committed", range(1, 6))
def test_a_refresh_that_dies_changes_nothing_and_the_next_one_is_right(questions: Questions, committed: int) -> None:
    database = questions.database
    done(questions)
    dun(database, [1, 2, 3, 4], level=0)
    dun(database, [9, 10, 11, 12])
    dying = steps(database, questions, "dunned", now=AS_OF, cause="asked", chunk=2)
    for _step in range(committed):
        next(dying)
        assert inside(database) == [1, 2, 3, 4, 5, 6, 7, 8]
    dying.close()
    dun(database, [9], level=0)
    assert done(questions, chunk=1).members == 7
    assert inside(database) == [5, 6, 7, 8, 10, 11, 12]
    with database.reading() as session:
        assert unfinished(session, segment_by_key(session, "dunned")) == 0


def test_two_deaths_in_a_row_leave_nothing_behind(questions: Questions) -> None:
    database = questions.database
    for people in ([9], [10]):
        dun(database, people)
        dying = steps(database, questions, "dunned", now=AS_OF, cause="asked", chunk=4)
        assert [next(dying) for _step in range(3)] == ["claimed", "entered" if people == [9] else "cleared", "entered"
                                                       if people == [9] else "cleared"]
        dying.close()
        dun(database, people, level=0)
    done(questions)
    assert inside(database) == [1, 2, 3, 4, 5, 6, 7, 8]
    with database.reading() as session:
        assert unfinished(session, segment_by_key(session, "dunned")) == 0


def test_a_second_process_stands_back(questions: Questions) -> None:
    lease = leases.take(questions.database, "segment:dunned")
    assert lease is not None
    assert refresh(questions.database, questions, "dunned", now=AS_OF) is None
    lease.release()
    assert refresh(questions.database, questions, "dunned", now=AS_OF) is not None


@pytest.mark.parametrize("written", [1, 2, 4])
def test_a_process_that_was_believed_dead_writes_no_more_after_another_took_over(
    questions: Questions, written: int
) -> None:
    database = questions.database
    old = steps(database, questions, "dunned", now=AS_OF, cause="asked", chunk=2)
    for _step in range(written):
        next(old)
    dun(database, [1], level=0)
    new = steps(database, questions, "dunned", now=AS_OF + timedelta(hours=1), cause="asked", chunk=2)
    next(new)
    with pytest.raises(Conflict, match="taken this refresh over"):
        for _step in old:
            pass
    for _step in new:
        pass
    assert inside(database) == [2, 3, 4, 5, 6, 7, 8]
    with database.reading() as session:
        segment = segment_by_key(session, "dunned")
        assert unfinished(session, segment) == 0
        assert len(newest_refreshes(session, segment.id, limit=5)) == 1


class Meddling(Questions):
    """Questions during whose first answer somebody else does something."""

    def __init__(self, database: Database, settings: Settings, meddle: Callable[[], Any]) -> None:
        super().__init__(database, settings, engine="rows")
        self.meddle: Callable[[], Any] | None = meddle

    def ids(self, rule: Rule, *, as_of: datetime, now: datetime | None = None, fresh: bool = True) -> Answer[list[int]]:
        found = super().ids(rule, as_of=as_of, now=now, fresh=fresh)
        if self.meddle is not None:
            meddle, self.meddle = self.meddle, None
            meddle()
        return found


def test_a_rule_saved_while_its_predecessor_was_asked_is_the_one_that_counts(
    questions: Questions, settings: Settings
) -> None:
    database = questions.database

    def save() -> None:
        # Asking holds no transaction: in this very thread another one may write.
        with database.writing() as session:
            save_segment(session, "dunned", name="Dunned", rule=parse_rule({"customer": "dunning_level", "equals": 0}),
                         now=AS_OF)

    found = refresh(database, Meddling(database, settings, save), "dunned", now=AS_OF)
    assert found is not None and found.version == 2
    assert inside(database) == [9, 10, 11, 12]


def test_facts_that_change_while_the_rule_is_asked_leave_the_segment_stale(
    questions: Questions, settings: Settings
) -> None:
    database, later = questions.database, AS_OF + timedelta(seconds=5)

    def mark() -> None:
        with database.writing() as session:
            session.execute(update(Segment).values(stale_at=later))

    refresh(database, Meddling(database, settings, mark), "dunned", now=AS_OF)
    with database.reading() as session:
        assert segment_by_key(session, "dunned").stale_at == later
    refresh(database, questions, "dunned", now=later)
    with database.reading() as session:
        assert segment_by_key(session, "dunned").stale_at is None


def test_a_segment_deleted_while_its_rule_was_asked_is_gone(questions: Questions, settings: Settings) -> None:
    database = questions.database

    def drop() -> None:
        with database.writing() as session:
            session.execute(delete(Segment))

    with pytest.raises(Exception, match='no segment "dunned"'):
        refresh(database, Meddling(database, settings, drop), "dunned", now=AS_OF)


def test_the_log_is_followed_by_its_places_and_holds_nothing_unpublished(questions: Questions) -> None:
    database = questions.database
    done(questions)
    dun(database, [1, 2], level=0)
    dun(database, [9, 10])
    done(questions, at=AS_OF + timedelta(hours=1))
    dun(database, [3], level=0)
    half = steps(database, questions, "dunned", now=AS_OF, cause="asked", chunk=1)
    for _step in range(2):
        next(half)
    followed: list[tuple[bool, int]] = []
    place = Place()
    with database.reading() as session:
        segment = segment_by_key(session, "dunned")
        while page := moves(session, segment, after=place, limit=3):
            followed += [(move.place.left, move.place.customer_id) for move in page]
            assert place < page[0].place and [move.version for move in page] == [1] * len(page)
            place = page[-1].place
    entered = [(False, number) for number in range(1, 9)]
    assert followed == [*entered, (False, 9), (False, 10), (True, 1), (True, 2)]


def test_numbers_of_refreshes_rise_in_the_order_they_are_published(questions: Questions) -> None:
    for hours in range(3):
        dun(questions.database, [9 + hours])
        done(questions, at=AS_OF + timedelta(hours=hours))
    with questions.database.reading() as session:
        rows = session.scalars(select(SegmentRefresh).order_by(SegmentRefresh.id)).all()
    assert [row.published_at for row in rows] == [AS_OF + timedelta(hours=hours) for hours in range(3)]


def test_the_export_of_a_person_tells_every_stay_and_forgetting_takes_them_off_lists(questions: Questions) -> None:
    database = questions.database
    done(questions)
    dun(database, [2], level=0)
    done(questions, at=AS_OF + timedelta(days=2))
    with database.writing() as session:
        make_list(session, "press", name="Press", now=AS_OF)
        [number] = session.scalars(select(Customer.external_id).where(Customer.id == 2))
        add_people(session, "press", [Entry(1, number)], now=AS_OF + timedelta(days=3))
    with database.reading() as session:
        stay, listed = held_segments(session, 2)
        assert (stay["since"], stay["until"]) == (AS_OF.isoformat(), (AS_OF + timedelta(days=2)).isoformat())
        assert (listed["segment"], listed["kind"], listed["until"]) == ("Press", "list", None)
        [standing] = held_segments(session, 1)
        assert standing["until"] is None
    with database.writing() as session:
        erase_listings(session, 2)
    with database.reading() as session:
        assert [held["kind"] for held in held_segments(session, 2)] == ["rule"]

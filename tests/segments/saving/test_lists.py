"""Static lists and snapshots: named one by one, usable like any segment, on the row store and on the mirror."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.errors import Conflict, Invalid
from core.settings import Settings
from customers.models import Address, Customer
from segments.engines.members import matching, member_ids
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh
from segments.membership.snapshots import freeze, snapshot_of, snapshots_from
from segments.membership.stays import newest_refreshes
from segments.models import ListedPerson, SegmentVersion
from segments.saving.filing import duplicate_segment
from segments.saving.lists import Entry, add_people, listed_ids, make_list, people_on, read_entries, remove_people
from segments.saving.saved import save_segment, segment_by_key, segment_rule
from tests.conftest import only_postgresql
from tests.segments.population import AS_OF, load, people

PRESS = {"segment": "press"}
SHOP = people(30, seed=4)


@pytest.fixture(params=["rows", "mirror"])
def questions(request: pytest.FixtureRequest, database: Database, settings: Settings) -> Iterator[Questions]:
    """Thirty people C-001.. and the list press with the first three."""
    load(database, SHOP)
    with database.writing() as session:
        make_list(session, "press", name="Press", now=AS_OF)
        add_people(session, "press", entries("C-001", "C-002", "C-003"), now=AS_OF)
    asked = Questions(database, settings, engine=request.param)
    yield asked
    asked.close()


def entries(*values: str) -> list[Entry]:
    return [Entry(number, value) for number, value in enumerate(values, 1)]


def ids(questions: Questions, rule: object) -> list[int]:
    return questions.ids(parse_rule(rule), as_of=AS_OF).value


def test_a_list_is_a_segment_like_any_other_in_rules(questions: Questions) -> None:
    database = questions.database
    assert ids(questions, PRESS) == [1, 2, 3]
    assert ids(questions, {"not": PRESS}) == list(range(4, 31))
    both = {"all": [PRESS, {"not": {"customer": "customer_id", "is": "C-002"}}]}
    assert ids(questions, both) == [1, 3]
    with database.writing() as session:
        save_segment(session, "nested", name="N", rule=parse_rule({"any": [both]}), now=AS_OF)
        assert segment_rule(session, "press").to_json() == PRESS
        assert matching(session.connection(), parse_rule({"segment": "nested"}), [2, 3, 4], as_of=AS_OF) == {3}
    assert ids(questions, {"segment": "nested"}) == [1, 3]
    with database.writing() as session:
        remove_people(session, "press", entries("C-001"), now=AS_OF)
        add_people(session, "press", entries("C-009"), now=AS_OF)
    assert ids(questions, {"segment": "nested"}) == [3, 9]


def test_a_refresh_notes_who_was_added_and_who_was_taken_off(questions: Questions) -> None:
    database = questions.database
    refresh(database, questions, "press", now=AS_OF)
    with database.writing() as session:
        remove_people(session, "press", entries("C-001", "C-002"), now=AS_OF)
        session.execute(update(Customer).where(Customer.id == 3).values(forgotten_at=AS_OF))
        add_people(session, "press", entries("C-020"), now=AS_OF)
    found = refresh(database, questions, "press", now=AS_OF)
    assert found is not None and (found.members, found.entered, found.left) == (1, 1, 3)
    with database.reading() as session:
        assert len(newest_refreshes(session, segment_by_key(session, "press").id, limit=9)) == 2


def test_unknown_people_are_told_with_their_lines_and_nothing_is_added_twice(sqlite_database: Database) -> None:
    load(sqlite_database, SHOP)
    with sqlite_database.writing() as session:
        session.execute(update(Address).where(Address.customer_id == _owner(session)).values(
            value="x@Müller.example", lookup="x@xn--mller-kva.example"))
        make_list(session, "press", name="Press", now=AS_OF)
        given = entries("C-001", "nobody", "X@müller.EXAMPLE", "C-001", "who@example.org", "c-002")
        found = add_people(session, "press", given, now=AS_OF)
        assert (found.changed, found.already) == (2, 0)
        assert [(entry.line, entry.value) for entry in found.unknown] == [
            (2, "nobody"), (5, "who@example.org"), (6, "c-002")]
        again = add_people(session, "press", given, now=AS_OF)
        assert (again.changed, again.already, people_on(session, segment_by_key(session, "press"))) == (0, 2, 2)
        gone = remove_people(session, "press", entries("C-001", "C-030"), now=AS_OF)
        assert (gone.changed, gone.already) == (1, 1)


@only_postgresql  # writers take turns on SQLite
def test_two_who_put_the_same_people_onto_a_list_at_once_put_them_there_once(database: Database) -> None:
    load(database, SHOP)
    with database.writing() as session:
        make_list(session, "calls", name="Calls", now=AS_OF)

    def put() -> tuple[int, int]:
        with database.writing() as session:
            outcome = add_people(session, "calls", entries("C-001", "C-002"), now=AS_OF)
            return outcome.changed, outcome.already

    with ThreadPoolExecutor(1) as beside:
        with database.writing() as session:
            assert add_people(session, "calls", entries("C-001"), now=AS_OF).changed == 1
            second = beside.submit(put)
            with contextlib.suppress(TimeoutError):
                second.result(0.5)
        assert second.result(20) == (1, 1)
    with database.reading() as session:
        assert people_on(session, segment_by_key(session, "calls")) == 2


def _owner(session: object) -> int:
    found = session.scalar(  # type: ignore[attr-defined]
        select(Address.customer_id).where(Address.channel == "email", Address.customer_id > 1))
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(("text", "expected"), [
    ("C1\nC2\r\n\n  C3  \n", [(1, "C1"), (2, "C2"), (4, "C3")]),
    ("\ufeffname;e-mail\nAda;a@example.com\nBob;\n", [(2, "a@example.com")]),
    ("first,customer_id\nAda,C7\n\"Bob, jr\",C8", [(2, "C7"), (3, "C8")]),
    ("customer_id\tx\nC7\t1", [(2, "C7")]),
    ("a@example.com, Ada\n", [(1, "a@example.com")]),
    ("\0\n\"open", [(1, "\0"), (2, "open")][1:]),
    ("", []),
])
def test_pasted_text_and_csv_are_read_with_their_line_numbers(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(entry.line, entry.value) for entry in read_entries(text)] == expected


def test_a_list_takes_no_rule_and_a_rule_no_people(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        make_list(session, "press", name="Press", now=AS_OF)
        save_segment(session, "all", name="All", rule=parse_rule({"all": []}), now=AS_OF)
        with pytest.raises(Conflict, match="is a list"):
            save_segment(session, "press", name="Press", rule=parse_rule({"all": []}), now=AS_OF)
        with pytest.raises(Conflict, match="Change the rule, or make a list"):
            add_people(session, "all", entries("C-001"), now=AS_OF)
        with pytest.raises(Conflict, match="already"):
            make_list(session, "all", name="All", now=AS_OF)
        with pytest.raises(Invalid, match="cannot be a key"):
            make_list(session, "Not a key", name="X", now=AS_OF)


def test_a_snapshot_keeps_its_people_whatever_becomes_of_the_rule(questions: Questions) -> None:
    database = questions.database
    rule = {"customer": "country", "is": "DE"}
    with database.writing() as session:
        save_segment(session, "germans", name="Germans", rule=parse_rule(rule), now=AS_OF)
        then = member_ids(session, parse_rule(rule), as_of=AS_OF)
        frozen = freeze(session, "germans", now=AS_OF)
        assert (frozen.key, frozen.name, frozen.kind) == ("germans-2026-03-31", "Germans, 31 Mar 2026", "snapshot")
        told = snapshot_of(session, frozen)
        assert told is not None
        assert (told.source_key, told.source_version, told.rule, told.taken_at, told.people) == (
            "germans", 1, rule, AS_OF, len(then))
        assert freeze(session, "germans", now=AS_OF, members=[1], engine="mirror").key == "germans-2026-03-31-2"
        assert freeze(session, parse_rule({"any": []}), now=AS_OF).key == "snapshot-2026-03-31"
        session.execute(update(Address).values(country="FR"))
    assert ids(questions, {"segment": "germans"}) == []
    assert ids(questions, {"segment": "germans-2026-03-31"}) == then
    with database.writing() as session:
        assert [found.key for found, _told in snapshots_from(session, "germans")] == [
            "germans-2026-03-31-2", "germans-2026-03-31"]
        for change in (add_people, remove_people):
            with pytest.raises(Conflict, match="was frozen and never changes"):
                change(session, "germans-2026-03-31", entries("C-001"), now=AS_OF)
        copy = duplicate_segment(session, "germans-2026-03-31", new_key="copy", name="Copy", now=AS_OF)
        assert (copy.kind, listed_ids(session, copy, limit=100)) == ("list", then)
        assert session.scalars(select(SegmentVersion.number).where(SegmentVersion.segment_id == copy.id)).all() == [1]
        session.delete(copy)
        session.flush()
        assert session.scalar(select(ListedPerson).where(ListedPerson.segment_id == copy.id)) is None

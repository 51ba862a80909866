"""A change step writes attributes, tags and lists for a whole batch, and leaves people of the hold-out as they are."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event, select

from core.database import Database
from customers.models import AttributeType, Customer
from journeys.editing.checking_draft import check_draft
from journeys.uses import uses_of
from segments.models import ListedPerson, Segment
from segments.saving.lists import Entry, add_people, make_list
from tests.journeys.shop import enrolments, furnish, go, path_of, walk, with_steps

MARK: dict[str, Any] = {**with_steps(
    mark={"kind": "change", "set": {"tier": "gold", "points": 3, "note": None}, "tag": {"add": "won-back"},
          "list": {"add": "vips", "remove": "waiting"}, "next": "end"}, end={"kind": "leave"}), "exit_when": []}


def lists(database: Database, now: datetime) -> None:
    """A list to come onto and one to leave."""
    with database.writing() as session:
        make_list(session, "vips", name="Vips", now=now)
        make_list(session, "waiting", name="Waiting", now=now)
        add_people(session, "waiting", [Entry(1, "c1"), Entry(2, "c9")], now=now)


def members(database: Database, key: str) -> set[int]:
    """Who is on a list."""
    with database.reading() as session:
        return set(session.scalars(select(ListedPerson.customer_id).join(
            Segment, Segment.id == ListedPerson.segment_id).where(Segment.key == key)))


def test_attributes_tags_and_lists_are_changed_and_the_rest_stays(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 10), now=now)
    lists(database, now)
    with database.writing() as session:
        session.get_one(Customer, 1).attributes = {"note": "old", "colour": "blü"}
    go(database, MARK, now=now)
    walk(database, tmp_path, now=now)
    with database.reading() as session:
        held: dict[int, dict[str, Any]] = dict(session.execute(select(Customer.id, Customer.attributes)).all())
        kinds = dict(session.execute(select(AttributeType.name, AttributeType.kind)).all())
    assert held[1] == {"colour": "blü", "tier": "gold", "points": 3, "tag_won-back": True}
    assert held[2] == {"tier": "gold", "points": 3, "tag_won-back": True}
    assert kinds == {"tier": "text", "points": "number", "tag_won-back": "boolean"}
    assert members(database, "vips") == set(range(1, 10)) and members(database, "waiting") == set()
    assert path_of(database, 1) == [("mark", "changed"), ("end", "left")]


def test_people_left_alone_stay_as_they_are(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    lists(sqlite_database, now)
    go(sqlite_database, {**MARK, "holdout_percent": 50}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    held = {number for number, person in enrolments(sqlite_database).items() if person.held_out}
    assert members(sqlite_database, "vips") == set(range(1, 41)) - held
    with sqlite_database.reading() as session:
        assert {row.id for row in session.scalars(select(Customer)) if not row.attributes} == held


def test_a_batch_takes_a_handful_of_statements_however_large_it_is(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 301), now=now)
    lists(sqlite_database, now)
    go(sqlite_database, MARK, now=now)
    said: list[str] = []
    event.listen(sqlite_database.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    walk(sqlite_database, tmp_path, now=now)
    assert len([each for each in said if each.startswith("UPDATE customers")]) == 1
    assert len(said) < 150


def test_a_list_that_is_not_there_and_a_value_of_another_type_are_told_before(
    sqlite_database: Database, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    lists(sqlite_database, now)
    with sqlite_database.writing() as session:
        session.add(AttributeType(name="points", kind="text"))
        session.add(AttributeType(name="tier", kind="number"))
        session.flush()
        broken = {**MARK, "steps": {**MARK["steps"], "mark": {**MARK["steps"]["mark"], "list": {"add": "lapsed"}}}}
        places = {problem.place for problem in check_draft(session, broken)}
        assert places == {"steps.mark.set.points", "steps.mark.set.tier", "steps.mark.list.add"}
    with sqlite_database.writing() as session:
        session.query(AttributeType).delete()
    go(sqlite_database, MARK, now=now)
    with sqlite_database.reading() as session:
        assert [(use.kind, use.key) for use in uses_of(session, "vips")] == [("journey", "winback")]

"""What the ledgers name stays, and what they name in vain is found; on PostgreSQL without a look-up per row written."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core.cursors import position
from core.database import Database
from core.errors import Conflict
from core.references import REFERENCES, look_at_new, missing
from core.settings import Settings
from coupons.codes.issuing import issue
from tests.conftest import only_postgresql
from tests.coupons.deleting import deleting_meanwhile
from tests.coupons.factories import make_customers, make_offer
from tests.journeys.shop import GRAPH, furnish, go, walk
from winback.commands.serving import nightly
from winback.context import Context

STAYS = [(child, column, parent) for child, column, parent in REFERENCES if child != "visits"]


@pytest.fixture
def walked(database: Database, tmp_path: Path, now: datetime) -> Database:
    """A journey with people, messages, codes and visits in it."""
    furnish(database, range(1, 5), now=now)
    go(database, GRAPH, now=now)
    assert walk(database, tmp_path, now=now)
    return database


def _run(database: Database, *statements: str) -> None:
    with database.writing() as session:
        for statement in statements:
            session.execute(text(statement))


@pytest.mark.parametrize(("child", "column", "parent"), STAYS, ids=[f"{one}-{of}" for one, _, of in STAYS])
def test_who_is_named_neither_goes_nor_changes_its_number(
    walked: Database, child: str, column: str, parent: str
) -> None:
    """Alone: of what else might name it, nothing is left."""
    others = sorted({one for one, _, of in STAYS if of == parent and one != child})
    emptied: Sequence[str] = [f"DELETE FROM {other}" for other in others]
    named = f"id IN (SELECT {column} FROM {child})"
    for wrong in (f"DELETE FROM {parent} WHERE {named}", f"UPDATE {parent} SET id = id + 1000 WHERE {named}"):
        with pytest.raises(IntegrityError):
            _run(walked, *emptied, wrong)
    with walked.reading() as session:
        assert missing(session.connection()) == []


def test_visits_go_with_the_passage_they_belong_to(walked: Database) -> None:
    _run(walked, "DELETE FROM enrolments WHERE customer_id = 2")
    with walked.reading() as session:
        assert session.execute(text("SELECT count(*), count(DISTINCT enrolment_id) FROM visits")).one() == (6, 3)


@only_postgresql
def test_rows_that_name_nobody_are_found_at_night_once_and_by_the_doctor_always(
    walked: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.references.AGAIN", 0)
    assert look_at_new(walked) == []
    with walked.reading() as session:
        assert position(session.connection(), "references.visits") == 8
    _run(walked, "INSERT INTO visits (enrolment_id, number, step, entered_at) VALUES (77, 1, 'mail', 0)",
         "UPDATE messages SET customer_id = 99 WHERE customer_id = 3",
         "INSERT INTO codes (code, offer_id, customer_id, origin, state, use_limit, used, issued_at, valid_from)"
         " VALUES ('LOST', 55, 88, 'copied', 'issued', 1, 0, 0, 0)")
    seen = "1 rows of visits, such as 9, name enrolment_id that are not in enrolments"
    codes = ["1 rows of codes, such as 5, name customer_id that are not in customers",
             "1 rows of codes, such as 5, name offer_id that are not in offers"]
    assert look_at_new(walked) == [seen, *codes]
    assert look_at_new(walked) == []
    with walked.reading() as session:
        found = missing(session.connection())
    assert found == [seen, "1 rows of messages, such as 3, name customer_id that are not in customers", *codes]


@only_postgresql
def test_who_was_still_writing_last_night_is_looked_at_this_night(
    walked: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.references.AGAIN", 3)
    _run(walked, "UPDATE visits SET id = id + 100")
    assert look_at_new(walked) == []
    for number, lost in ((105, 0), (106, 1)):  # drawn before the last look, committed after it
        _run(walked, f"DELETE FROM visits WHERE id = {number}", "INSERT INTO visits (id, enrolment_id, number, step,"
             f" entered_at) VALUES ({number}, 77, {number}, 'mail', 0)")
        assert len(look_at_new(walked)) == lost, number


@only_postgresql
def test_the_nightly_duties_tell_what_is_named_in_vain(
    walked: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _run(walked, "UPDATE visits SET enrolment_id = 77 WHERE id = 2")
    context = Context(settings)
    nightly(context)
    context.raw_database.dispose()
    told = [record.getMessage() for record in caplog.records if record.name == "winback.nightly"
            and record.levelname == "ERROR"]
    assert told == ["references: 1 rows of visits, such as 2, name enrolment_id that are not in enrolments"]


@only_postgresql
def test_an_offer_whose_codes_are_on_their_way_is_not_deleted(database: Database, now: datetime) -> None:
    offer, [customer] = make_offer(database, now=now), make_customers(database, 1, now=now)
    told = deleting_meanwhile(database, offer.key, lambda session: issue(
        session.connection(), offer.id, customer_ids=[customer], origins=["visit"], campaign=None, counts_from=[now],
        now=now))
    assert isinstance(told, Conflict) and "It has 1 code." in str(told)

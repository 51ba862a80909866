"""The duty of keeping members right: only what changed facts or time make due, never more often than a segment says."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core.database import Database
from core.settings import Settings
from customers.models import Contact, Customer, Order
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.duty import due, mark_stale, tick
from segments.membership.reads import EVERYTHING, tables_read
from segments.models import Segment
from segments.saving.filing import archive_segment
from segments.saving.saved import save_segment, segment_by_key
from tests.segments.population import AS_OF

HOUR = timedelta(hours=1)
RULES: dict[str, dict[str, Any]] = {
    "buyers": {"orders": "count", "window": {"last_days": 2}, "at_least": 1},
    "complainers": {"contacts": "count", "at_least": 1},
    "both": {"all": [{"segment": "complainers"}, {"not": {"segment": "buyers"}}]},
}


@pytest.fixture
def questions(database: Database, settings: Settings) -> Questions:
    """Three customers, three segments that were refreshed at AS_OF."""
    with database.writing() as session:
        session.execute(insert(Customer), [{"id": number, "external_id": f"C{number}", "attributes": {},
                                            "imported_at": AS_OF} for number in (1, 2, 3)])
        for key, rule in RULES.items():
            save_segment(session, key, name=key, rule=parse_rule(rule), now=AS_OF)
    asked = Questions(database, settings, engine="rows")
    assert run(asked, AS_OF) == 3
    assert run(asked, AS_OF) == 0
    return asked


def run(questions: Questions, at: datetime, limit: int = 10) -> int:
    return tick(questions.database, now=at, limit=limit, questions=questions)


def order(database: Database, at: datetime, number: int = 1) -> None:
    with database.writing() as session:
        session.add(Order(external_id=f"o{number}{at}", customer_id=number, ordered_at=at, currency="EUR",
                          total_cents=1))


def state(database: Database, key: str) -> Segment:
    with database.reading() as session:
        return segment_by_key(session, key)


def stale(database: Database) -> list[str]:
    return [key for key in sorted(RULES) if state(database, key).stale_at]


def test_a_change_makes_only_those_segments_stale_that_read_the_facts(questions: Questions) -> None:
    database = questions.database
    with database.writing() as session:
        session.add(Contact(external_id="k", customer_id=1, at=AS_OF, kind="complaint", direction="in"))
    assert mark_stale(database, now=AS_OF + HOUR) == 2
    assert stale(database) == ["both", "complainers"]
    assert mark_stale(database, now=AS_OF + 2 * HOUR) == 0
    assert state(database, "both").stale_at == AS_OF + HOUR
    order(database, AS_OF)
    mark_stale(database, now=AS_OF + 2 * HOUR)
    assert stale(database) == ["both", "buyers", "complainers"]


def test_stale_segments_are_refreshed_but_not_more_often_than_they_say(questions: Questions) -> None:
    database = questions.database
    order(database, AS_OF - HOUR)
    assert run(questions, AS_OF + HOUR / 2) == 0
    assert run(questions, AS_OF + HOUR) == 2
    assert state(database, "buyers").members == 1
    assert stale(database) == []
    assert run(questions, AS_OF + 2 * HOUR) == 0
    with database.writing() as session:
        session.execute(update(Segment).where(Segment.key == "buyers").values(refresh_seconds=None))
    order(database, AS_OF, 2)
    assert run(questions, AS_OF + 3 * HOUR) == 1
    assert (state(database, "buyers").members, stale(database)) == (1, ["buyers"])


def test_time_alone_makes_a_segment_due_at_its_next_change(questions: Questions) -> None:
    database = questions.database
    order(database, AS_OF - HOUR)
    run(questions, AS_OF + HOUR)
    leaves = AS_OF + timedelta(days=2) - HOUR + timedelta(microseconds=1)
    assert state(database, "buyers").next_change_at == leaves
    assert run(questions, leaves - timedelta(microseconds=1)) == 0
    with database.reading() as session:
        assert due(session, now=leaves, limit=5) == [("buyers", "time"), ("both", "time")]
    assert run(questions, leaves) == 2
    assert state(database, "buyers").members == 0
    assert state(database, "buyers").next_change_at is None


def test_a_new_rule_is_taken_up_at_once_and_by_those_who_name_it(questions: Questions) -> None:
    database = questions.database
    with database.writing() as session:
        save_segment(session, "complainers", name="c", rule=parse_rule({"all": []}), now=AS_OF)
    assert stale(database) == ["both", "complainers"]
    assert run(questions, AS_OF + timedelta(seconds=1)) == 2
    assert state(database, "both").members == 3


def test_a_segment_that_fails_is_set_aside_with_its_reason_and_tried_again(questions: Questions) -> None:
    database = questions.database
    with database.writing() as session:
        save_segment(session, "rich", name="r", rule=parse_rule({"orders": "revenue", "at_least": 5}), now=AS_OF)
        for number, currency in enumerate(("EUR", "SEK")):
            session.add(Order(external_id=f"m{number}", customer_id=1, ordered_at=AS_OF - HOUR, currency=currency,
                              total_cents=100))
    assert run(questions, AS_OF + HOUR) == 2
    assert "EUR, SEK" in (state(database, "rich").refresh_error or "")
    assert run(questions, AS_OF + HOUR) == 0
    with database.writing() as session:
        session.execute(update(Order).where(Order.currency == "SEK").values(currency="EUR"))
    assert run(questions, AS_OF + 3 * HOUR) == 3
    assert (state(database, "rich").members, state(database, "rich").refresh_error) == (1, None)


def test_archived_segments_rest_and_the_limit_is_kept(questions: Questions) -> None:
    database = questions.database
    with database.writing() as session:
        archive_segment(session, "both", now=AS_OF)
        session.execute(update(Customer).values(dunning_level=1))
    assert run(questions, AS_OF + HOUR, limit=1) == 1
    assert run(questions, AS_OF + HOUR, limit=5) == 1


def test_every_condition_says_what_it_reads_and_the_unknown_reads_everything() -> None:
    reads = {
        '{"customer": "city", "is": "x"}': {"customers", "addresses"}, '{"consent": "email", "is": "granted"}':
        {"customers", "consents"}, '{"preferred_channel": "letter"}': {"customers", "contacts"},
        '{"messages": "sent", "at_least": 1}': {"customers", "messages"},
        '{"coupons": "redeemed", "at_least": 1}': {"customers", "redemptions"},
        '{"coupons": "issued", "at_least": 1}': set(EVERYTHING),
        '{"not": {"orders": "count", "equals": 0}}': {"customers", "orders", "order_lines"},
    }
    for rule, tables in reads.items():
        assert tables_read(parse_rule(json.loads(rule))) == tables, rule

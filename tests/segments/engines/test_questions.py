"""Questions: the engine is chosen by size, answers say how fresh they are, currencies are never added up."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core.database import Database
from core.errors import Invalid, NotReady
from core.settings import Settings
from customers.models import Customer, Order
from segments.engines.members import count, matching, member_ids, prepare
from segments.engines.questions import Questions
from segments.engines.sources import Kept
from segments.language.rules import parse_rule
from tests.segments.naive import Line, Person, Purchase, holds
from tests.segments.population import AS_OF, load, people

SHOP = people(80, seed=11)
BUYERS = parse_rule({"orders": "count", "at_least": 2})
REVENUE = {"orders": "revenue", "at_least": 1}


@pytest.fixture(params=["rows", "mirror"])
def questions(request: pytest.FixtureRequest, database: Database, settings: Settings) -> Iterator[Questions]:
    load(database, SHOP)
    asked = Questions(database, settings, engine=request.param)
    yield asked
    asked.close()


def test_count_list_and_sample_agree_and_name_their_engine(questions: Questions) -> None:
    expected = [person.id for person in SHOP if holds(BUYERS.to_json(), person, AS_OF)]
    counted = questions.count(BUYERS, as_of=AS_OF)
    assert (counted.value, counted.as_of, counted.engine) == (len(expected), AS_OF, questions._forced)
    assert counted.facts_at == AS_OF and counted.took_ms > 0
    assert questions.ids(BUYERS, as_of=AS_OF).value == expected
    drawn = questions.sample(BUYERS, as_of=AS_OF, size=5).value
    assert len(drawn) == 5 and set(drawn) <= set(expected)
    assert questions.sample(BUYERS, as_of=AS_OF, size=5).value == drawn


def test_an_answer_knows_what_was_written_just_before(questions: Questions) -> None:
    everybody = parse_rule({"all": []})
    assert questions.count(everybody, as_of=AS_OF).value == 80
    with questions.database.writing() as session:
        session.execute(insert(Customer), [{"id": 5000, "external_id": "new", "attributes": {}, "imported_at": AS_OF}])
    later = AS_OF + timedelta(seconds=5)
    answer = questions.count(everybody, as_of=AS_OF, now=later)
    assert (answer.value, answer.facts_at) == (81, later)


@pytest.mark.parametrize("questions", ["mirror"], indirect=True)  # the rows are what it is held against
def test_orders_that_come_go_or_change_count_in_whole_histories_from_the_next_answer_on(questions: Questions) -> None:
    database = questions.database
    _check_histories(questions, AS_OF, HISTORIES)
    with database.reading() as session:
        cancelled, moved, dated, later, raised = session.scalars(
            select(Order.id).where(~Order.cancelled, Order.ordered_at < AS_OF).order_by(Order.id).limit(5)).all()
    changes: list[tuple[int, dict[str, Any]]] = [
        (cancelled, {"cancelled": True}), (moved, {"customer_id": SHOP[-1].id}), (later, {
            "ordered_at": AS_OF + timedelta(days=3)}), (dated, {"ordered_at": AS_OF - timedelta(days=2000)}),
        (raised, {"total_cents": 99_000_000, "currency": "CHF"})]
    for number, (order, change) in enumerate(changes, start=1):
        with database.writing() as session:
            session.execute(update(Order).where(Order.id == order).values(**change))
        # What a change left out would still be left out at the end, when all of them are asked.
        _check_histories(questions, AS_OF + timedelta(seconds=number), HISTORIES[number::5])
    _check_histories(questions, AS_OF + timedelta(minutes=1), HISTORIES)


EUROS = {"where": {"currency": ["EUR"]}}
HISTORIES: list[dict[str, Any]] = [
    {"orders": "count", "at_least": 1}, {"orders": "count", "equals": 0}, {"orders": "count", "between": [2, 3]},
    {"orders": "count", "at_most": 2, **EUROS}, {"orders": "revenue", "at_least": 150, **EUROS},
    {"orders": "average_value", "less_than": 200, **EUROS}, {"orders": "days_since_first", "at_least": 400},
    {"orders": "days_since_last", "at_most": 200}, {"orders": "days_between", "at_least": 50},
    {"orders": "overdue", "at_least": 1}, {"orders": "count", "nth": 1, **EUROS, "equals": 1},
    {"orders": "count", "nth": -1, "where": {"category": ["furniture"]}, "at_least": 1},
    {"orders": "per_year", "less_than": 2},
    {"not": {"orders": "last_at", "before": "2026-01-01"}}]


def _check_histories(questions: Questions, now: datetime, rules: list[dict[str, Any]]) -> None:
    for as_of in (AS_OF, AS_OF - timedelta(days=120)):
        for rule in map(parse_rule, rules):
            with questions.database.reading() as session:
                expected = member_ids(session, rule, as_of=as_of)
            assert questions.ids(rule, as_of=as_of, now=now).value == expected, (rule.to_json(), as_of, now)


def test_a_forgotten_person_is_in_no_audience(questions: Questions) -> None:
    with questions.database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(forgotten_at=AS_OF))
    for rule in ({"all": []}, {"not": {"any": []}}, {"not": {"customer": "country", "is": "XX"}}):
        assert 1 not in questions.ids(parse_rule(rule), as_of=AS_OF).value
    # the mirror names buyers out of their sums, and looks at the people themselves only afterwards
    anywhere = {"not": {"customer": "country", "is": "XX"}}
    for rule in ({"orders": "count", "at_least": 2}, {"orders": "revenue", "at_least": 1}):
        both = parse_rule({"all": [rule, anywhere]})
        buyer = questions.ids(both, as_of=AS_OF).value[0]
        with questions.database.writing() as session:
            session.execute(update(Customer).where(Customer.id == buyer).values(forgotten_at=AS_OF))
        assert buyer not in questions.ids(both, as_of=AS_OF).value


def test_mixed_currencies_are_an_error_for_money_unless_one_is_named(questions: Questions) -> None:
    dollars = Person(900, "usd", orders=[Purchase(AS_OF - timedelta(days=1), [
        Line("lamps", "a", None, 1000, 100, 100)], currency="USD")])
    load(questions.database, [*SHOP, dollars])
    rule = parse_rule(REVENUE)
    with pytest.raises(Invalid, match="orders in EUR, USD") as refused:
        questions.count(rule, as_of=AS_OF)
    assert "currency" in refused.value.message
    with pytest.raises(Invalid, match="EUR, USD"):
        questions.count(parse_rule({"not": {"any": [{"orders": "average_value", "at_least": 1}]}}), as_of=AS_OF)
    # Before the first dollar there was only one currency.
    assert questions.count(rule, as_of=AS_OF - timedelta(days=2)).value > 0
    named = parse_rule({**REVENUE, "where": {"currency": ["USD"]}})
    assert questions.ids(named, as_of=AS_OF).value == [900]
    assert questions.count(BUYERS, as_of=AS_OF).value > 0


def test_a_batch_with_mixed_currencies_is_refused_too(database: Database) -> None:
    line = Line(None, "a", None, 1, 1, 1)
    both = Person(1, "both", orders=[Purchase(AS_OF - timedelta(days=1), [line], currency=name)
                                     for name in ("EUR", "USD")])
    load(database, [both, Person(2, "none")])
    with database.reading() as session:
        connection = session.connection()
        with pytest.raises(Invalid, match="EUR, USD"):
            matching(connection, parse_rule(REVENUE), [1, 2], as_of=AS_OF)
        assert matching(connection, parse_rule(REVENUE), [2], as_of=AS_OF) == set()
        with pytest.raises(Invalid, match="EUR, USD"):
            count(session, parse_rule(REVENUE), as_of=AS_OF)


def test_a_small_base_is_answered_by_the_rows_and_a_large_one_by_the_mirror(
    sqlite_database: Database, tmp_path: Any
) -> None:
    load(sqlite_database, SHOP)
    home = tmp_path / "home"
    settings = Settings(str(sqlite_database.engine.url), home, "x" * 16, "http://localhost", None, "duckdb:")
    assert Questions(sqlite_database, settings).count(BUYERS, as_of=AS_OF).engine == "rows"
    asked = Questions(sqlite_database, settings, small=50)
    with pytest.raises(NotReady, match="being built"):
        asked.count(BUYERS, as_of=AS_OF, fresh=False)
    assert asked.count(BUYERS, as_of=AS_OF).engine == "mirror"
    codes = parse_rule({"coupons": "issued", "equals": 0})
    assert asked.count(codes, as_of=AS_OF).engine == "mirror"
    asked.close()
    shutil.rmtree(home / "mirror")
    assert asked.refresh(now=AS_OF)
    assert asked.count(BUYERS, as_of=AS_OF, fresh=False).engine == "mirror"
    asked.close()


def test_a_rule_is_compiled_once_whatever_day_it_is_asked_about(
    sqlite_database: Database, settings: Settings
) -> None:
    load(sqlite_database, SHOP[:5])
    asked = Questions(sqlite_database, settings, engine="mirror")
    rule = {"orders": "count", "window": {"last_days": 90}, "at_least": 1}
    for days in range(3):
        asked.count(parse_rule(rule), as_of=AS_OF - timedelta(days=days))
    assert len(asked._texts) == 1
    assert prepare(parse_rule(rule), summed=True) is prepare(parse_rule(rule), summed=True)
    kept: Kept[int] = Kept(2)
    assert [kept.get(key, lambda: len(kept)) for key in ("a", "b", "a", "c", "a", "b", None, None)] == [
        0, 1, 0, 2, 0, 2, 2, 2]
    asked.close()


def test_hostile_words_stay_parameters(questions: Questions) -> None:
    for text in ("'; DROP TABLE customers; --", '" OR 1=1', "%s", ":name", "$1", "\\", "{}", "?"):
        rules = [
            {"customer": "first_name", "is": text}, {"customer": "city", "contains": text},
            {"customer": "city", "in": [text, *(f"{text}{n}" for n in range(40))]},
            {"orders": "count", "where": {"category": [text]}, "at_least": 1},
            {"sample": {"percent": 0, "salt": text}},
            *([] if {'"', "\\"} & set(text) else [{"customer": f"attributes.{text}", "is": text}]),
        ]
        for rule in rules:
            assert questions.count(parse_rule(rule), as_of=AS_OF).value == 0, rule
        assert questions.count(parse_rule({"sample": {"percent": 100, "salt": text}}), as_of=AS_OF).value == 80, text


def test_ten_thousand_customer_numbers_are_one_parameter(questions: Questions) -> None:
    numbers = [f"C-{number:03d}" for number in range(1, 12_001)]
    assert questions.count(parse_rule({"customer": "customer_id", "in": numbers}), as_of=AS_OF).value == 80
    assert questions.count(parse_rule({"customer": "customer_id", "not_in": numbers}), as_of=AS_OF).value == 0


def test_a_batch_names_only_people_of_the_batch(database: Database) -> None:
    load(database, SHOP)
    with database.reading() as session:
        inside = set(member_ids(session, BUYERS, as_of=AS_OF))
        batch = [7, 3, 3, 5, 10_000]
        assert matching(session.connection(), BUYERS, batch, as_of=AS_OF) == inside & set(batch)
        assert matching(session.connection(), BUYERS, [], as_of=AS_OF) == set()
        assert session.scalar(select(Order.id).limit(1)) is not None

"""Spark gives the answers of the plain loops, says how fresh it is, and stops at its time limit."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext
from sqlalchemy import Select, func, literal_column, select, text, update

from core.database import Database
from core.errors import Invalid, NotReady, TooSlow
from customers.models import Customer
from segments.choosing.choices import choices
from segments.dialects.portable import _LOWER, _UPPER, fold
from segments.engines.exporting import export_facts
from segments.engines.limits import Waiting, asked_for
from segments.engines.members import prepare
from segments.engines.mirrored import answerable
from segments.engines.questions import Questions
from segments.language.conditions import Rule
from segments.language.operators import OPERATORS
from segments.language.rules import parse_rule
from tests.segments.engines.conformance import Json, drawn, entries, operators_tried, others, rules
from tests.segments.naive import holds
from tests.segments.population import AS_OF
from tests.spark.conftest import QUICK, SHOP, spark_settings

EVERYBODY = parse_rule({"all": []})


def _answers(questions: Questions, rule: Rule) -> list[int]:
    answer = questions.ids(rule, as_of=AS_OF)
    assert answer.engine == ("spark" if answerable(prepare(rule).statement) else "rows")
    return answer.value


def _expected(rule: Json) -> list[int]:
    return [person.id for person in SHOP if holds(rule, person, AS_OF)]


def test_every_operator_field_and_measure_means_the_same_on_spark(questions: Questions) -> None:
    asked: list[Json] = []
    for place, conditions in enumerate([*entries().values(), *[others()] * 3]):
        rule = drawn(conditions, 2, place)[-1]
        assert _answers(questions, parse_rule(rule)) == _expected(rule), rule
        asked.append(rule)
    assert operators_tried(asked) == set(OPERATORS)


def test_any_rule_means_the_same_on_spark(questions: Questions) -> None:
    for rule in drawn(rules(), 30, 21):
        assert _answers(questions, parse_rule(rule)) == _expected(rule), rule


def test_letters_fold_on_spark_as_they_do_elsewhere(questions: Questions) -> None:
    letters = select(fold(func.concat(literal_column(f"'{_UPPER}'"), literal_column("'AZaz'")))).limit(1)
    assert questions.read(letters.select_from(text("customers")), now=AS_OF).value == [(f"{_LOWER}azaz",)]


def test_counts_samples_and_pickers_come_from_spark_and_say_how_fresh(questions: Questions) -> None:
    answer = questions.count(EVERYBODY, as_of=AS_OF, now=AS_OF + timedelta(hours=3))
    assert (answer.value, answer.engine, answer.facts_at) == (len(SHOP), "spark", AS_OF)
    drawn_people = questions.sample(EVERYBODY, as_of=AS_OF, size=7).value
    rows = Questions(questions.database, spark_settings(questions.mirror.folder.parent, "spark:local", ""),
                     engine="rows")
    assert drawn_people == rows.sample(EVERYBODY, as_of=AS_OF, size=7).value
    for source, word in (("orders", "category"), ("customer", "city"), ("customer", "attributes.tier")):
        assert choices(questions, source, word, now=AS_OF) == choices(rows, source, word, now=AS_OF)


def test_hostile_words_stay_parameters_on_spark(questions: Questions) -> None:
    for hostile in ("'; DROP VIEW customers; --", "${spark.master}", ":p1", "\\", "`x`", "%"):
        rule = {"any": [{"customer": "first_name", "is": hostile}, {"customer": "city", "contains": hostile},
                        {"customer": "company", "in": [hostile, *(f"{hostile}{n}" for n in range(40))]}]}
        assert questions.ids(parse_rule(rule), as_of=AS_OF).value == _expected(rule), hostile


def _endless() -> Select[*tuple[Any, ...]]:
    """It would take days, row by row, and Spark looks before each whether it is to stop.

    Within a join without keys it never looks: a task that is cancelled there would keep its place for ever, and with it
    every question to come.
    """
    return select(func.count(literal_column("1"))).select_from(text("range(1000000000000000)")).where(
        text("id % 7 = 8"))


def test_a_question_that_would_run_for_minutes_is_cancelled_on_spark(questions: Questions, home: Path) -> None:
    hasty = Questions(questions.database, spark_settings(home, "spark:local[2]", QUICK), seconds=3)
    with pytest.raises(TooSlow, match="narrower"):
        hasty.read(_endless(), now=AS_OF)
    assert questions.count(EVERYBODY, as_of=AS_OF).value == len(SHOP)  # nothing of it is still running


def test_spark_works_no_longer_for_who_has_gone(questions: Questions) -> None:
    questions.count(EVERYBODY, as_of=AS_OF)  # opens the session: what is busy from now on is the question
    waiting = Waiting()
    with asked_for(waiting), ThreadPoolExecutor(1) as beside, pytest.raises(TooSlow, match="nobody waits"):
        gone = beside.submit(_go_when_busy, waiting)
        questions.read(_endless(), now=AS_OF)
    gone.result()
    assert questions.count(EVERYBODY, as_of=AS_OF).value == len(SHOP)  # nothing of it is still running


def _go_when_busy(waiting: Waiting) -> None:
    try:
        while not SparkContext.getOrCreate().statusTracker().getActiveStageIds():
            time.sleep(0.05)
    finally:
        waiting.go()  # whatever happened, or the question would go on for its ten minutes


def test_a_new_export_is_seen_by_the_next_question(questions: Questions, shop: Database, home: Path) -> None:
    later = AS_OF + timedelta(hours=1)
    with shop.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(forgotten_at=AS_OF))
    assert questions.count(EVERYBODY, as_of=AS_OF).value == len(SHOP)
    assert export_facts(shop, home / "facts", now=later) is not None
    answer = questions.count(EVERYBODY, as_of=later)
    assert (answer.value, answer.facts_at) == (len(SHOP) - 1, later)
    with shop.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(forgotten_at=None))
    export_facts(shop, home / "facts", now=AS_OF)


def test_without_an_export_or_an_address_spark_says_what_to_do(shop: Database, tmp_path: Path) -> None:
    (tmp_path / "shop.db").touch()
    with pytest.raises(NotReady, match="winback engine export"):
        Questions(shop, spark_settings(tmp_path, "spark:local", "")).count(EVERYBODY, as_of=AS_OF)
    plain = spark_settings(tmp_path, "spark:local", "")
    other = type(plain)(plain.database_url, plain.home, plain.secret_key, plain.base_url, None, "duckdb:")
    with pytest.raises(Invalid, match="does not name Spark"):
        Questions(shop, other, engine="spark").count(EVERYBODY, as_of=AS_OF)

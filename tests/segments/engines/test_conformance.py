"""Every entry of the rule language, in rules made by Hypothesis over made histories, on every engine and twice by hand.

The rules come from the language's own tables (tests/segments/engines/conformance.py). A taste in the tests, plenty in
the proofs (`WINBACK_PROOFS=1`); Spark joins in tests/spark.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core.database import Database, open_database
from segments.engines.duckdb import render
from segments.engines.members import member_ids, prepare
from segments.engines.mirrored import answerable, open_mirror
from segments.engines.spark_sql import spark_text
from segments.language.operators import OPERATORS
from segments.language.rules import parse_rule
from tests.conftest import PROOFS
from tests.segments.engines.conformance import Json, drawn, entries, operators_tried, others, rules, uncovered
from tests.segments.in_pandas import in_pandas
from tests.segments.naive import Person, holds
from tests.segments.population import AS_OF, load, people

AS_OFS = (AS_OF, datetime(2026, 1, 1, tzinfo=UTC))
Ask = Callable[[Json, datetime], list[int] | None]


def _from_rows(database: Database) -> Ask:
    def ask(rule: Json, as_of: datetime) -> list[int]:
        with database.reading() as session:
            return member_ids(session, parse_rule(rule), as_of=as_of)
    return ask


def _from_mirror(mirror: Any) -> Ask:
    def ask(rule: Json, as_of: datetime) -> list[int] | None:
        prepared = prepare(parse_rule(rule), summed=True)
        if not answerable(prepared.statement):
            return None
        rendered = render(prepared.statement)
        with mirror.view().connection as connection:
            found = connection.execute(rendered.text, rendered.values(prepared.cuts.values(as_of))).fetchall()
        return sorted(row[0] for row in found)
    return ask


def check_same(rule: Json, as_of: datetime, shop: list[Person], engines: Mapping[str, Ask]) -> None:
    """The engines, and the frames of pandas, find whom the plain loops find."""
    expected = [person.id for person in shop if holds(rule, person, as_of)]
    for name, ask in engines.items():
        found = ask(rule, as_of)
        assert found is None or found == expected, (name, rule)


@pytest.fixture(scope="module")
def sqlite_shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    shutil.copyfile(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def postgres_shop(postgres_server: str, postgres_template: str) -> Iterator[Database]:
    name = f"conformance_{os.getpid()}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {postgres_template}"))
    database = open_database(make_url(postgres_server).set(database=name).render_as_string(hide_password=False))
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


Loaded = Callable[[list[Person]], dict[str, Ask]]


@pytest.fixture(scope="module")
def loaded(
    sqlite_shop: Database, postgres_shop: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    """Puts people into every engine and gives the ways to ask each."""
    mirror = open_mirror(tmp_path_factory.mktemp("home"), sqlite_shop, memory_limit="200MB", threads=1)

    def put(shop: list[Person]) -> dict[str, Ask]:
        for database in (sqlite_shop, postgres_shop):
            load(database, shop)
        assert mirror.refresh(now=AS_OF)
        return {"sqlite": _from_rows(sqlite_shop), "postgresql": _from_rows(postgres_shop),
                "mirror": _from_mirror(mirror), "pandas": in_pandas(shop)}

    yield put
    mirror.close()


def test_every_entry_of_the_language_has_values_to_be_tried_with() -> None:
    assert uncovered() == set(), "give these values in conformance.py and a plain loop in naive.py"


@pytest.mark.deeper
def test_every_operator_field_and_measure_means_the_same_everywhere(loaded: Loaded) -> None:
    asked: list[Json] = []
    for number in range(1, 4) if PROOFS else [0]:
        shop = people(90, 10 + number)
        engines = loaded(shop)
        for place, conditions in enumerate([*entries().values(), others(), others()]):
            for rule in drawn(conditions, 6 if PROOFS else 2, 100 * number + place)[0 if PROOFS else -1:]:
                check_same(rule, AS_OFS[len(asked) % 2], shop, engines)
                asked.append(rule)
    assert operators_tried(asked) == set(OPERATORS)


@pytest.mark.deeper
@pytest.mark.parametrize("number", range(8) if PROOFS else range(2))
def test_any_rule_over_any_history_means_the_same_everywhere(loaded: Loaded, number: int) -> None:
    (size, chance), *_others = drawn(st.tuples(st.integers(0, 60), st.integers(0, 10**6)), 5, number)[::-1]
    shop = people(size, chance)
    engines = loaded(shop)
    for place, rule in enumerate(drawn(rules(), 40 if PROOFS else 10, number)):
        check_same(rule, AS_OFS[place % 2], shop, engines)


@pytest.mark.deeper
def test_no_value_of_a_rule_becomes_text_of_a_statement() -> None:
    hostile = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
    many = 60 if PROOFS else 8
    for rule, text_ in zip(drawn(rules(), many, 13), drawn(hostile, many, 13), strict=False):
        marked = f"§{text_}"
        asked = {"all": [{"customer": "city", "is": marked}, {"customer": "company", "contains": marked},
                         {"orders": "count", "where": {"sku": [marked]}, "at_least": 1},
                         {"customer": "first_name", "in": [marked, *(f"{marked}{number}" for number in range(40))]},
                         {"sample": {"percent": 50, "salt": marked}}, {"any": [{"not": rule}, {"customer": "city",
                         "is": "x"}]}]}
        for staged, write in ((True, render), (False, spark_text)):
            prepared = prepare(parse_rule(asked), staged=staged)
            rendered: Any = write(prepared.statement)
            values = rendered.values(prepared.cuts.values(AS_OF))
            assert "§" not in rendered.text
            assert len(values) == len(rendered.names)
            given = values.values() if isinstance(values, dict) else values
            texts = {value for value in given if isinstance(value, str)}
            assert {marked, f"{marked}:"} <= texts or not texts  # a rule that is never true holds nothing else

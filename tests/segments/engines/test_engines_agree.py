"""Do SQLite, PostgreSQL and DuckDB give the answer that a plain loop over people gives?

Rules come from Hypothesis, over every condition and operator; the reference is tests/segments/naive.py. The tests take
every fifth on SQLite and its mirror, and leave all of them, and PostgreSQL, to the proofs (`make proofs`): every entry
of the language is tried on every engine in test_conformance.py.
"""

import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core.database import Database, open_database
from segments.engines.duckdb import render
from segments.engines.members import matching, member_ids, prepare
from segments.engines.mirrored import open_mirror
from segments.language.order_measures import ORDER_MEASURES
from segments.language.rules import parse_rule
from tests.conftest import PROOFS
from tests.segments import told
from tests.segments.naive import Person, holds
from tests.segments.population import AS_OF, CATEGORIES, NAMES, load, people

SHOP = people(250, seed=7)
AS_OFS = (AS_OF, datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 5, 31, 23, 59, 59, tzinfo=UTC))
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def sqlite_shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    shutil.copyfile(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    load(database, SHOP)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def postgres_shop(postgres_server: str, postgres_template: str) -> Iterator[Database]:
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE segments_shop TEMPLATE {postgres_template}"))
    url = make_url(postgres_server).set(database="segments_shop").render_as_string(hide_password=False)
    database = open_database(url)
    load(database, SHOP)
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE segments_shop WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"] if PROOFS else ["sqlite"])
def shop(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(f"{'sqlite' if request.param == 'sqlite' else 'postgres'}_shop")  # type: ignore[no-any-return]


def _mirrored(database: Database, folder: Path) -> Any:
    mirror = open_mirror(folder, database, memory_limit="200MB", threads=1)
    mirror.refresh(now=AS_OF)
    return mirror


@pytest.fixture(scope="module")
def mirror(sqlite_shop: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    built = _mirrored(sqlite_shop, tmp_path_factory.mktemp("home"))
    yield built
    built.close()


@pytest.fixture(scope="module")
def postgres_mirror(postgres_shop: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    built = _mirrored(postgres_shop, tmp_path_factory.mktemp("home"))
    yield built
    built.close()


_KNOWN: dict[str, list[int]] = {}


def _expected(rule: dict[str, Any], as_of: datetime) -> list[int]:
    key = f"{as_of} {json.dumps(rule)}"
    if key not in _KNOWN:
        _KNOWN[key] = [person.id for person in SHOP if holds(rule, person, as_of)]
    return _KNOWN[key]


def _from_rows(database: Database, rule: dict[str, Any], as_of: datetime) -> list[int]:
    with database.reading() as session:
        return member_ids(session, parse_rule(rule), as_of=as_of)


def _from_mirror(mirror: Any, rule: dict[str, Any], as_of: datetime) -> list[int]:
    prepared = prepare(parse_rule(rule), summed=True)
    rendered = render(prepared.statement)
    with mirror.view().connection as connection:
        rows = connection.execute(rendered.text, rendered.values(prepared.cuts.values(as_of))).fetchall()
    return sorted(row[0] for row in rows)


def check_agree(shop: Database, mirror: Any, rule: dict[str, Any], as_of: datetime = AS_OF) -> None:
    """The row store and, once and not for every database, the mirror give the answer of the plain loop."""
    expected = _expected(rule, as_of)
    assert _from_rows(shop, rule, as_of) == expected, rule
    if shop.engine.dialect.name == "sqlite":
        assert _from_mirror(mirror, rule, as_of) == expected, rule


def _texts(*values: str) -> list[dict[str, Any]]:
    one = [{operator: value} for operator in ("is", "is_not") for value in values]
    some = [{operator: list(values[:2])} for operator in ("in", "not_in")]
    many = [{operator: [*values, *(f"x{n}" for n in range(60))]} for operator in ("in", "not_in")]
    return [*one, *some, *many, {"in": []}, {"not_in": []}, {"is_set": True}, {"is_not_set": True},
            *({operator: value} for operator in ("contains", "starts_with") for value in (*values, "n", "Ä", "%"))]


def _numbers(*values: float) -> list[dict[str, Any]]:
    names = ("equals", "at_least", "at_most", "more_than", "less_than")
    ranges = [{"between": [low, high]} for low, high in itertools.combinations(sorted(values), 2)]
    return [*({name: value} for name in names for value in values), *ranges]


_SET = [{"is_set": True}, {"is_not_set": True}]
_DATES = [{operator: day} for operator in ("before", "after") for day in ("2026-03-31", "2026-03-01", "1980-02-29")]
_DATES += [{"within_days": days} for days in (1, 30, 400)] + _SET
_MOMENTS = [*_DATES, {"before": "2026-03-31T12:30:00Z"}, {"after": "2026-03-31T14:30:00+02:00"}]
WINDOWS = [
    None, {"last_days": 90}, {"last_days": 365}, {"last_months": 1}, {"last_months": 13, "calendar": True},
    {"last_quarters": 1, "calendar": True}, {"last_quarters": 2}, {"last_years": 1},
    {"last_years": 1, "calendar": True},
    {"between_days_ago": [90, 365]}, {"between_days_ago": [0, 90]}, {"from": "2025-10-01"}, {"until": "2026-01-01"},
    {"from": "2025-10-01T00:00:00Z", "until": "2030-01-01"},
]
WHERES = [
    None, {"category": ["furniture"]}, {"category": list(CATEGORIES[:3])}, {"category": "100%_off"},
    {"category": [f"x{n}" for n in range(40)] + ["lamps"]}, {"sku": ["a"]}, {"brand": ["Oak"]}, {"shop": ["web"]},
    {"status": ["done", "cancelled"]}, {"via": ["phone"], "category": ["furniture", "lamps"]}, {"coupon": ["SPRING"]},
    {"min_unit_price": 999}, {"currency": ["EUR"], "sku": ["b"]}, {"shop": [""], "min_unit_price": 1},
]
CUSTOMER = [
    *({"customer": "country", **test} for test in _texts("DE", "AT")),
    *({"customer": "first_name", **test} for test in _texts(*NAMES)),
    *({"customer": "email", **test} for test in _texts("a@example.com", "example")),
    *({"customer": "company", **test} for test in _texts("Acme")),
    *({"customer": "customer_id", **test} for test in _texts("C-001", "C-002")),
    *({"customer": "dunning_level", **test} for test in [*_numbers(0, 1, 1.5, 3), *_SET]),
    *({"customer": "birthday", **test} for test in _DATES),
    *({"customer": "created_at", **test} for test in _MOMENTS),
    *({"customer": "attributes.size", **test} for test in [*_numbers(-3, 2.5, 5), *_texts("5", "true"), *_DATES]),
    *({"customer": "attributes.vip", **test}
      for test in [{"is": True}, {"is": False}, {"is_not": True}, {"is": "true"}]),
    *({"customer": "attributes.tier", **test} for test in _texts("gold", "G")),
    *({"customer": "attributes.joined", **test} for test in _DATES),
    *({"customer": f"attributes.{key}", **test} for key in ("größe in cm", "nothing", "o'clock; --") for test in _SET),
]
FACTS = [
    *({"consent": channel, **test} for channel in ("email", "phone", "letter")
      for test in [{"is": "granted"}, {"is_not": "granted"}, {"in": ["denied", "withdrawn"]}, {"not_in": ["denied"]},
                   *_SET]),
    *({"preferred_channel": channel} for channel in ("email", "letter", "phone", "push")),
    *({"sample": {"percent": percent, "salt": salt}} for percent in (0, 0.5, 10, 33.3, 50, 100)
      for salt in ("spring", "ä'", "")),
    *({"contacts": "count", **where, **test}
      for where in ({}, {"where": {"kind": ["complaint"]}}, {"window": {"last_days": 200}},
                    {"where": {"direction": ["in"], "channel": ["phone", "email"]}})
      for test in _numbers(0, 1, 2)),
    *({"messages": measure, **about, **test} for measure in ("sent", "opened", "clicked", "bounced")
      for about in ({"where": {"campaign": "spring"}}, {"window": {"last_days": 365}})
      for test in ({"at_least": 1}, {"equals": 0})),
    *({"coupons": measure, **about, **test} for measure in ("issued", "redeemed")
      for about in ({}, {"where": {"offer": ["ten-percent", "old"]}, "window": {"last_quarters": 2}})
      for test in ({"at_least": 1}, {"between": [0, 1]})),
]
TESTS = {
    "count": _numbers(0, 1, 1.5, 2, 3), "revenue": _numbers(-2000, 0, 4999, 150_000, 155_000),
    "average_value": _numbers(-1000, 0, 2500, 75_000), "quantity": _numbers(-1, 0, 2.5, 4), "open": _numbers(0, 1, 2),
    "distinct_products": _numbers(0, 1, 2), "first_at": _MOMENTS, "last_at": _MOMENTS,
    "net_revenue": _numbers(-2000, 0, 4499, 148_000, 150_000), "margin": [*_numbers(-1000, 0, 3869, 126_050), *_SET],
    "returned_share": _numbers(0, 0.28, 0.5, 1), "discount_share": _numbers(0, 0.000001, 0.1, 0.3),
    "revenue_share": _numbers(0, 0.25, 0.5, 0.97, 1),
    "days_since_first": [*_numbers(0, 90, 364.5, 365, 800), *_SET],
    "days_since_last": [*_numbers(-1, 0, 30, 89, 90), *_SET],
    "days_since_delivery": [*_numbers(0, 5, 60.5), *_SET],
    "days_between": [*_numbers(0, 45, 90.5, 275), *_SET], "overdue": [*_numbers(0, 0.5, 1, 1.5, 3), *_SET],
    "per_year": _numbers(0, 1, 2.5, 12),
}
NTH = (1, 2, 3, -1, -2, 7)


def _orders(measure: str, where: Any, window: Any, test: dict[str, Any], nth: int | None = None) -> dict[str, Any]:
    if measure == "revenue_share" and not set(where or ()) - {"currency"}:
        where = {"category": ["furniture"]}
    rule = {"orders": measure, **({"nth": nth} if nth and ORDER_MEASURES[measure].single else {}), **test}
    return {**rule, **({"where": where} if where else {}), **({"window": window} if window else {})}


def _sequence(bought: Any, then: Any, never: bool, days: int, window: Any) -> dict[str, Any]:
    rule = {"bought": bought or {}, "then_not" if never else "then": then or {}, "within_days": days}
    return {**rule, "window": window} if window else rule


SEQUENCES = [_sequence(bought, WHERES[-number], never, (1, 90, 365)[number % 3], WINDOWS[number % len(WINDOWS)])
             for number, bought in enumerate(WHERES) for never in (False, True)]
SEQUENCES += [_sequence(None, None, False, 90, None), _sequence(None, None, True, 90, None)]
ORDERS = st.sampled_from(sorted(TESTS)).flatmap(lambda measure: st.builds(
    _orders, st.just(measure), st.sampled_from(WHERES), st.sampled_from(WINDOWS), st.sampled_from(TESTS[measure]),
    st.sampled_from((None, None, *NTH))))
LEAVES = st.one_of(st.sampled_from(CUSTOMER), st.sampled_from(FACTS), st.sampled_from(SEQUENCES),
                   st.sampled_from(told.RULES), ORDERS, ORDERS)
RULES = st.recursive(LEAVES, lambda children: st.one_of(
    st.lists(children, max_size=4).map(lambda rules: {"all": rules}),
    st.lists(children, max_size=3).map(lambda rules: {"any": rules}),
    children.map(lambda rule: {"not": rule})), max_leaves=8)


def _tried(rules: Sequence[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rules, numbered: every fifth in the tests, all in the proofs."""
    return ((number, rules[number]) for number in range(0, len(rules), 1 if PROOFS else 5))


@pytest.mark.deeper
def test_every_single_fact_agrees_with_the_plain_loop_on_every_engine(shop: Database, mirror: Any) -> None:
    for number, rule in _tried([*CUSTOMER, *FACTS]):
        check_agree(shop, mirror, rule, AS_OFS[number % 2])


@pytest.mark.deeper
def test_everything_that_is_told_agrees_with_the_plain_loop_on_every_engine(shop: Database, mirror: Any) -> None:
    for number, rule in _tried(told.RULES):
        asked = {"not": rule} if number % 3 == 2 else rule
        expected = _expected(asked, AS_OFS[number % 2])
        assert _from_rows(shop, asked, AS_OFS[number % 2]) == expected, asked
        assert _from_mirror(mirror, asked, AS_OFS[number % 2]) == expected, asked


@pytest.mark.deeper
def test_every_sequence_and_every_place_of_an_order_agree_with_the_plain_loop(shop: Database, mirror: Any) -> None:
    placed = [_orders(measure, WHERES[number % len(WHERES)] if number % 2 else None, WINDOWS[number % len(WINDOWS)]
                      if number % 3 else None, TESTS[measure][number % len(TESTS[measure])], nth)
              for number, (nth, measure) in enumerate(itertools.product(NTH, sorted(TESTS))) if number % 2]
    for number, rule in _tried([*SEQUENCES, *placed]):
        check_agree(shop, mirror, {"not": rule} if number % 3 == 0 else rule)


@pytest.mark.deeper
def test_every_order_measure_window_and_where_agrees_with_the_plain_loop(shop: Database, mirror: Any) -> None:
    for measure, tests in TESTS.items():
        # In the proofs each measure meets every where, every window and every test of its own; the databases take
        # turns. In the tests the measures take turns.
        first = 0 if shop.engine.dialect.name == "sqlite" else 1
        shift = list(TESTS).index(measure) * 2
        for number in range(first if PROOFS else shift % 7, max(len(WHERES), len(tests)), 2 if PROOFS else 7):
            where, window = WHERES[number % len(WHERES)], WINDOWS[(number * 3 + shift) % len(WINDOWS)]
            check_agree(shop, mirror, _orders(measure, where, window, tests[number % len(tests)]))


@pytest.mark.deeper
@seed(1)
@settings(max_examples=120 if PROOFS else 15, deadline=None, database=None, suppress_health_check=QUIET)
@given(rule=RULES, as_of=st.sampled_from(AS_OFS))
def test_any_rule_means_the_same_on_sqlite_on_the_mirror_and_in_a_batch(
    sqlite_shop: Database, mirror: Any, rule: dict[str, Any], as_of: datetime
) -> None:
    expected = _expected(rule, as_of)
    assert _from_rows(sqlite_shop, rule, as_of) == expected
    assert _from_mirror(mirror, rule, as_of) == expected
    batch = [person.id for person in SHOP[::3]]
    with sqlite_shop.reading() as session:
        found = matching(session.connection(), parse_rule(rule), batch, as_of=as_of)
    assert found == set(expected) & set(batch)


@pytest.mark.proofs
@seed(2)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=QUIET)
@given(rule=RULES, as_of=st.sampled_from(AS_OFS))
def test_any_rule_means_the_same_on_postgresql_and_on_its_mirror(
    postgres_shop: Database, postgres_mirror: Any, rule: dict[str, Any], as_of: datetime
) -> None:
    expected = _expected(rule, as_of)
    assert _from_rows(postgres_shop, rule, as_of) == expected
    assert _from_mirror(postgres_mirror, rule, as_of) == expected
    batch = [person.id for person in SHOP[::3]]
    with postgres_shop.reading() as session:
        found = matching(session.connection(), parse_rule(rule), batch, as_of=as_of)
    assert found == set(expected) & set(batch)


@pytest.mark.deeper
@seed(3)
@settings(max_examples=5 if PROOFS else 2, deadline=None, database=None, suppress_health_check=QUIET)
@given(shops=st.lists(st.builds(people, st.integers(0, 12), st.integers(0, 10**6)), min_size=2, max_size=3),
       rules=st.lists(RULES, min_size=5, max_size=5))
def test_any_history_is_followed_by_a_mirror_that_is_refreshed_and_not_rebuilt(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, shops: list[list[Person]],
    rules: list[dict[str, Any]],
) -> None:
    home = tmp_path_factory.mktemp("histories")
    shutil.copyfile(sqlite_template, home / "shop.db")
    database = open_database(f"sqlite:///{home / 'shop.db'}")
    mirror = open_mirror(home, database, memory_limit="200MB", threads=1)
    for number, shop in enumerate(shops):
        load(database, shop)
        assert mirror.refresh(now=AS_OF + timedelta(seconds=number))
        for rule in rules:
            expected = [person.id for person in shop if holds(rule, person, AS_OF)]
            assert _from_rows(database, rule, AS_OF) == expected
            assert _from_mirror(mirror, rule, AS_OF) == expected
    mirror.close()
    database.dispose()


def test_a_rule_and_its_not_divide_everybody_in_two(sqlite_shop: Database) -> None:
    everybody = set(_from_rows(sqlite_shop, {"all": []}, AS_OF))
    assert everybody == {person.id for person in SHOP}
    assert _from_rows(sqlite_shop, {"any": []}, AS_OF) == []
    for rule in [*CUSTOMER[::5], *FACTS[::5]]:
        inside, outside = (_from_rows(sqlite_shop, one, AS_OF) for one in (rule, {"not": rule}))
        assert sorted(inside + outside) == sorted(everybody)

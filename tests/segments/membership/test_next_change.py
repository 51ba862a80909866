"""Up to the next change nobody comes in or leaves by time alone, whatever the rule; a single window is told exactly."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.database import Database
from core.settings import Settings
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.language.windows import months_before
from segments.membership.next_change import UNSURE, months_after, next_change_at
from tests.conftest import PROOFS
from tests.segments.naive import Line, Person, Purchase
from tests.segments.population import AS_OF, load, people

TICK = timedelta(microseconds=1)
RULES: list[dict[str, Any]] = [
    {"orders": "count", "window": {"last_days": 90}, "at_least": 1},
    {"orders": "count", "window": {"last_days": 90}, "equals": 0},
    {"orders": "revenue", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1000},
    {"orders": "count", "window": {"between_days_ago": [30, 400]}, "at_least": 2},
    {"orders": "quantity", "window": {"last_months": 3}, "at_least": 1},
    {"orders": "count", "window": {"last_quarters": 1, "calendar": True}, "at_least": 1},
    {"orders": "count", "window": {"from": "2026-01-01", "until": "2026-04-10"}, "at_least": 1},
    {"orders": "count", "window": {"from": "2025-01-01", "until": "2026-01-01"}, "at_least": 1},
    {"orders": "last_at", "within_days": 60},
    {"orders": "first_at", "before": "2026-04-05"},
    {"orders": "open", "at_least": 1},
    {"orders": "average_value", "at_least": 2000},
    {"contacts": "count", "where": {"kind": ["complaint"]}, "window": {"last_days": 30}, "equals": 0},
    {"orders": "net_revenue", "window": {"last_days": 300}, "at_least": 1},
    {"orders": "count", "nth": 1, "where": {"category": ["furniture"]}, "window": {"last_days": 200}, "at_least": 1},
    {"orders": "days_since_last", "at_least": 100}, {"orders": "days_since_first", "between": [250, 320.5]},
    {"bought": {"category": ["furniture"]}, "then": {}, "within_days": 90, "window": {"last_days": 300}},
    {"bought": {}, "then_not": {"category": ["lamps"]}, "within_days": 45},
    {"customer": "created_at", "within_days": 40},
    {"customer": "created_at", "is_set": True},
    {"customer": "birthday", "within_days": 400},
    {"customer": "attributes.joined", "within_days": 31},
    {"consent": "email", "is": "granted"},
    {"preferred_channel": "letter"},
    {"sample": {"percent": 40, "salt": "x"}},
    {"all": [{"customer": "country", "is": "DE"},
             {"not": {"orders": "count", "window": {"last_days": 120}, "at_least": 2}},
             {"any": [{"contacts": "count", "at_least": 1}, {"consent": "phone", "is_set": True}]}]},
]
STAY = [{"customer": "country", "in": ["DE", "AT"]}, {"sample": {"percent": 40, "salt": "x"}},
        {"customer": "dunning_level", "at_least": 1}, {"all": []}]


@pytest.fixture(params=["rows", "mirror"])
def questions(request: pytest.FixtureRequest, sqlite_database: Database, settings: Settings) -> Iterator[Questions]:
    asked = Questions(sqlite_database, settings, engine=request.param)
    yield asked
    asked.close()


@pytest.fixture
def database_url() -> str:
    """Only the settings' home is used here."""
    return "sqlite:///unused.db"


def upcoming(questions: Questions, rule: dict[str, Any], at: datetime) -> datetime | None:
    read = parse_rule(rule)
    if questions.engine() == "mirror":
        questions.mirror.refresh(now=at)
    return next_change_at(questions, read, as_of=at)


@pytest.mark.deeper
@pytest.mark.parametrize("seed", [3, pytest.param(8, marks=pytest.mark.proofs)])
def test_members_stay_the_same_until_the_next_change(questions: Questions, seed: int) -> None:
    load(questions.database, people(60, seed=seed))
    questions.refresh(now=AS_OF)
    exact, rules = 0, RULES if PROOFS or questions.engine() == "rows" else RULES[::3]
    for rule in rules:
        at, read = AS_OF, parse_rule(rule)
        for _hop in range(3):
            found = next_change_at(questions, read, as_of=at)
            now = questions.ids(read, as_of=at, fresh=False).value
            until = found - TICK if found else at + timedelta(days=3000)
            assert found is None or found > at, rule
            for instant in (at + (until - at) / 2, until):
                assert questions.ids(read, as_of=instant, fresh=False).value == now, (rule, at, found)
            if found is None:
                break
            exact += questions.ids(read, as_of=found, fresh=False).value != now
            at = found
    assert exact >= len(rules) // 3


def test_a_rule_that_time_cannot_move_has_no_next_change(questions: Questions) -> None:
    load(questions.database, people(20, seed=1))
    for rule in STAY:
        assert upcoming(questions, rule, AS_OF) is None, rule


def _buyer(number: int, *days_ago: float, country: str = "DE") -> Person:
    return Person(id=number, number=f"C{number}", country=country, orders=[
        Purchase(AS_OF - timedelta(days=days), [Line("furniture", "a", "Oak", 1000, 500, 500, None)], "", None, "EUR",
                 None, None) for days in days_ago])


def test_a_window_lets_go_just_after_its_last_day(questions: Questions) -> None:
    load(questions.database, [_buyer(1, 89.5), _buyer(2, 20), _buyer(3, 100)])
    rule = {"orders": "count", "window": {"last_days": 90}, "at_least": 1}
    assert upcoming(questions, rule, AS_OF) == AS_OF + timedelta(days=0.5) + TICK


def test_people_whom_the_rest_of_the_rule_keeps_out_or_in_do_not_hasten_it(questions: Questions) -> None:
    load(questions.database, [_buyer(1, 89.5, country="AT"), _buyer(2, 80), _buyer(3, 88, country="CH")])
    recent = {"orders": "count", "window": {"last_days": 90}, "at_least": 1}
    german = {"all": [{"customer": "country", "is": "DE"}, recent]}
    assert upcoming(questions, german, AS_OF) == AS_OF + timedelta(days=10) + TICK
    either = {"any": [{"customer": "country", "in": ["AT", "DE"]}, recent]}
    assert upcoming(questions, either, AS_OF) == AS_OF + timedelta(days=2) + TICK


def test_what_moves_all_the_time_is_looked_at_every_hour(questions: Questions) -> None:
    load(questions.database, people(5, seed=1))
    assert upcoming(questions, {"preferred_channel": "letter"}, AS_OF) == AS_OF + UNSURE
    many = {"any": [{"orders": "count", "window": {"between_days_ago": [n, n + 9]}, "equals": 7} for n in range(1, 30)]}
    assert upcoming(questions, many, AS_OF) == AS_OF + UNSURE


def test_a_window_of_months_holds_an_order_until_months_after_it() -> None:
    for at in (datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 2, 28, 9, tzinfo=UTC),
               datetime(2024, 2, 29, 23, tzinfo=UTC), datetime(2026, 8, 31, tzinfo=UTC)):
        for months in (1, 2, 3, 6, 12):
            last = months_after(at, months)
            assert months_before(last, months) <= at < months_before(last + TICK, months), (at, months)

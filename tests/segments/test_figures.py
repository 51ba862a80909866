"""The figures beside a draft: its shape, its overlap with other segments, its size over time; on every engine."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from core.database import Database
from core.settings import Settings, read_settings
from customers.models import Order
from segments.engines.questions import Questions
from segments.figures.over_time import Sizes, month_ends
from segments.figures.overlap import Overlaps
from segments.figures.shape import Band, shape_of
from segments.language.conditions import Rule
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.web.people import make_people

FURNITURE = parse_rule({"orders": "count", "where": {"category": ["furniture"]}, "at_least": 1})
EVERYBODY = parse_rule({"all": []})


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789"})


@pytest.fixture
def questions(sqlite_database: Database, home: Settings, now: datetime) -> Iterator[Questions]:
    """Eight people (tests/web/people.py), asked in the row store."""
    make_people(sqlite_database, now=now)
    yield Questions(sqlite_database, home, engine="rows")


@pytest.fixture
def mirrored(sqlite_database: Database, home: Settings, now: datetime) -> Iterator[Questions]:
    """The same people, asked in the mirror."""
    make_people(sqlite_database, now=now)
    asker = Questions(sqlite_database, home, engine="mirror")
    yield asker
    asker.close()


def ready(questions: Questions, now: datetime) -> None:
    questions.refresh(now=now)


def test_every_engine_draws_the_same_shape_overlap_and_sizes(
    database: Database, settings: Settings, now: datetime
) -> None:
    make_people(database, now=now)
    with database.writing() as session:
        save_segment(session, "one", name="One", rule=parse_rule({"customer": "customer_id", "is": "c4"}), now=now)
    found = []
    for engine in ("rows", "mirror"):
        asker = Questions(database, settings, engine=engine)  # type: ignore[arg-type]
        ready(asker, now)
        found.append((shape_of(asker, FURNITURE, as_of=now), Overlaps().overlap(asker, FURNITURE, ["one"], as_of=now),
                      Sizes().over_time(asker, FURNITURE, now=now, seconds=60)))
        asker.close()
    assert found[0] == found[1]
    assert found[0][0].people == 4
    assert [(c.key, c.both) for c in found[0][1].commons] == [("one", 1)]


def test_the_bars_of_a_histogram_hold_everybody_once_and_carry_the_rule_of_their_people(
    questions: Questions, now: datetime
) -> None:
    ready(questions, now)
    shape = shape_of(questions, FURNITURE, as_of=now)
    assert (shape.people, shape.everybody, shape.currency, shape.mixed) == (4, 8, "EUR", False)
    for bands in (shape.value, shape.recency):
        assert (sum(band.people for band in bands), sum(band.everybody for band in bands)) == (4, 8)
        for band in bands:
            assert questions.count(band.rule, as_of=now, fresh=False).value == band.everybody, band
    assert {(b.low, b.high): (b.people, b.everybody) for b in shape.recency if b.everybody} == {
        (0, 30): (1, 1), (90, 180): (0, 2), (180, 365): (3, 3), (None, None): (0, 2)}
    assert {(b.low, b.high): (b.people, b.everybody) for b in shape.value if b.everybody} == {
        (None, None): (0, 2), (20_000, 50_000): (3, 5), (50_000, 100_000): (1, 1)}


def test_a_histogram_of_value_keeps_to_one_currency_and_its_bars_still_find_their_people(
    questions: Questions, now: datetime
) -> None:
    with questions.database.writing() as session:
        for number, (customer, cents) in enumerate(((1, 10_000), (8, 9_999))):
            session.add(Order(id=100 + number, external_id=f"x{number}", customer_id=customer, currency="SEK",
                              ordered_at=now - timedelta(days=3), total_cents=cents))
    ready(questions, now)
    shape = shape_of(questions, EVERYBODY, as_of=now)
    assert (shape.currency, shape.mixed) == ("EUR", True)
    for band in shape.value:
        assert questions.count(band.rule, as_of=now, fresh=False).value == band.everybody, band


def test_with_no_orders_there_is_no_currency_and_everybody_never_ordered(
    questions: Questions, now: datetime
) -> None:
    ready(questions, now)
    shape = shape_of(questions, EVERYBODY, as_of=now - timedelta(days=4000))
    assert shape.currency is None
    assert shape.recency[-1] == Band(None, None, 8, 8, shape.recency[-1].rule)


def test_overlaps_are_counted_per_segment_and_the_combinations_part_the_people(
    questions: Questions, now: datetime
) -> None:
    saved = {"recent": {"orders": "count", "window": {"last_days": 150}, "at_least": 1},
             "letters": {"customer": "city", "is": "Lübeck"}, "nobody": {"any": []},
             "one": {"customer": "customer_id", "is": "c4"}}
    with questions.database.writing() as session:
        for key, written in saved.items():
            save_segment(session, key, name=key, rule=parse_rule(written), now=now)
    ready(questions, now)
    overlaps = Overlaps()
    found = overlaps.overlap(questions, FURNITURE, list(saved), as_of=now)
    assert [(c.key, c.size, c.both) for c in found.commons] == [
        ("letters", 7, 4), ("one", 1, 1), ("recent", 3, 1), ("nobody", 0, 0)]
    assert found.combined == ("letters", "one", "recent")
    assert {c.inside: c.people for c in found.combinations} == {("letters",): 3, ("letters", "one", "recent"): 1}
    assert sum(c.people for c in found.combinations) == found.people == 4
    parts = [(common.rule, common.both) for common in found.commons]
    for rule, people in [*parts, *((part.rule, part.people) for part in found.combinations)]:
        assert questions.count(rule, as_of=now, fresh=False).value == people, rule
    assert overlaps.overlap(questions, FURNITURE, list(saved), as_of=now) == found


def test_segments_that_cannot_be_compared_are_named(questions: Questions, now: datetime) -> None:
    with questions.database.writing() as session:
        for key in ("a", "b"):
            save_segment(session, key, name=key, rule=EVERYBODY, now=now)
    ready(questions, now)
    found = Overlaps().overlap(questions, FURNITURE, ["a", "gone"], as_of=now)
    assert (found.left_out, [c.key for c in found.commons]) == (("gone",), ["a"])
    slow = count(0.0, 2.0)
    found = Overlaps().overlap(questions, FURNITURE, ["a", "b"], as_of=now, watch=lambda: next(slow))
    assert (found.left_out, [c.key for c in found.commons]) == (("b",), ["a"])


class Asked:
    """Counts how often each moment was asked for, and asks."""

    def __init__(self, questions: Questions) -> None:
        self.asked: Counter[datetime] = Counter()
        inner: Callable[..., object] = questions.count

        def counted(rule: Rule, *, as_of: datetime, **more: object) -> object:
            self.asked[as_of] += 1
            return inner(rule, as_of=as_of, **more)

        questions.count = counted  # type: ignore[method-assign,assignment]


def test_sizes_over_time_are_the_rule_run_as_of_each_month_end(questions: Questions, now: datetime) -> None:
    ready(questions, now)
    sizes = Sizes()
    found = sizes.over_time(questions, FURNITURE, now=now, seconds=60)
    assert [end.at for end in found] == month_ends(now, 12)
    assert [end.people for end in found] == [
        questions.count(FURNITURE, as_of=end.at, now=now, fresh=False).value for end in found]
    assert {end.people for end in found} == {0, 4}
    asked = Asked(questions)
    assert sizes.over_time(questions, FURNITURE, now=now, seconds=60) == found
    assert asked.asked == Counter()


def test_a_call_without_time_counts_one_month_and_the_next_one_goes_on(questions: Questions, now: datetime) -> None:
    ready(questions, now)
    sizes, slow = Sizes(), count(0.0, 100.0)
    for known in range(1, 13):
        found = sizes.over_time(questions, FURNITURE, now=now, watch=lambda: next(slow))
        assert [end.people is not None for end in found] == [True] * known + [False] * (12 - known)


@pytest.mark.parametrize("engine", ["questions", "mirrored"])
def test_sizes_are_counted_anew_when_the_facts_have_changed(
    request: pytest.FixtureRequest, engine: str, now: datetime
) -> None:
    questions: Questions = request.getfixturevalue(engine)
    ready(questions, now)
    sizes = Sizes()
    rule = parse_rule({"orders": "count", "at_least": 1})
    before = sizes.over_time(questions, rule, now=now, seconds=60)[-1].people
    with questions.database.writing() as session:
        session.add(Order(id=99, external_id="late", customer_id=8, currency="EUR", total_cents=1,
                          ordered_at=now - timedelta(days=300)))
    ready(questions, now + timedelta(minutes=1))
    assert before is not None
    assert sizes.over_time(questions, rule, now=now, seconds=60)[-1].people == before + 1


def test_month_ends_are_the_first_instants_after_each_whole_month() -> None:
    ends = month_ends(datetime(2026, 3, 1, 0, 0, tzinfo=UTC), 3)
    assert ends == [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]

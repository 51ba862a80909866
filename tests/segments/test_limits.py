"""A question that would run for minutes is stopped on every engine, with a sentence that says what to do."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, literal_column, select, text
from sqlalchemy.exc import OperationalError

from core.database import Database
from core.errors import SettingsError, TooSlow
from core.settings import Settings, read_settings
from segments.questions import Questions
from segments.rules import parse_rule
from tests.segments.population import AS_OF, load, people

EVERYBODY = parse_rule({"all": []})


def _minutes() -> Any:
    """A select that every engine can start and none can finish soon: eighty people to the fifth."""
    names = ", ".join(f"customers c{number}" for number in range(5))
    sums = " + ".join(f"c{number}.id" for number in range(5))
    return select(func.count(literal_column("1"))).select_from(text(names)).where(text(f"({sums}) % 7 = 8"))


@pytest.fixture(params=["rows", "mirror"])
def hasty(request: pytest.FixtureRequest, database: Database, settings: Settings) -> Iterator[Questions]:
    load(database, people(80, seed=3))
    asked = Questions(database, settings, engine=request.param, seconds=0.3)
    asked.refresh(now=AS_OF)
    yield asked
    asked.close()


def test_a_question_that_would_run_for_minutes_is_stopped_and_says_what_to_do(hasty: Questions) -> None:
    started = time.monotonic()
    with pytest.raises(TooSlow, match=r"longer than 0\.3 seconds.*narrower.*WINBACK_QUESTION_SECONDS") as stopped:
        hasty.read(_minutes(), now=AS_OF)
    assert stopped.value.reason == "too_slow"
    assert time.monotonic() - started < 20  # it would take minutes
    # The connection goes on as if nothing had been.
    patient = Questions(hasty.database, _settings_of(hasty), engine=hasty.engine(), seconds=60)
    patient.mirror = hasty.mirror
    assert patient.count(EVERYBODY, as_of=AS_OF).value == 80
    assert hasty.count(EVERYBODY, as_of=AS_OF, fresh=False).value == 80


def test_the_limit_ends_with_the_question(database: Database, settings: Settings) -> None:
    load(database, people(80, seed=3))
    asked = Questions(database, settings, engine="rows", seconds=0.3)
    with database.reading() as session:
        assert asked.count(EVERYBODY, as_of=AS_OF).value == 80
        time.sleep(0.4)
        assert session.scalar(text("SELECT count(*) FROM customers a, customers b, customers c")) == 80**3


def test_other_errors_of_the_engine_stay_what_they_are(hasty: Questions) -> None:
    with pytest.raises(Exception, match="no_such_table") as raised:
        hasty.read(select(func.count(literal_column("1"))).select_from(text("no_such_table")), now=AS_OF)
    assert not isinstance(raised.value, TooSlow)
    if hasty.engine() == "rows" and hasty.database.is_sqlite:
        assert isinstance(raised.value, OperationalError)


def test_pages_wait_for_as_long_as_the_setting_says(sqlite_database: Database, tmp_path: Any) -> None:
    environ = {"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_DATABASE_URL": "sqlite:////tmp/none.db"}
    assert Questions(sqlite_database, read_settings(environ)).seconds == 20
    assert Questions(sqlite_database, read_settings({**environ, "WINBACK_QUESTION_SECONDS": "7.5"})).seconds == 7.5
    for wrong in ("0", "-1", "nan", "soon", "1e9"):
        with pytest.raises(SettingsError, match="WINBACK_QUESTION_SECONDS"):
            read_settings({**environ, "WINBACK_QUESTION_SECONDS": wrong})


def _settings_of(asked: Questions) -> Settings:
    home = asked.mirror.folder.parent
    return read_settings({"WINBACK_HOME": str(home), "WINBACK_DATABASE_URL": "sqlite:////tmp/none.db"})

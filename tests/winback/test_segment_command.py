"""`winback segment`: a bare number, customer numbers one per line, a sentence; errors in one sentence with a place."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.database import Database
from core.errors import Invalid, NotFound
from core.settings import Settings
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.segments.naive import holds
from tests.segments.population import AS_OF, load, people
from winback.commands.segments import segment
from winback.context import Context

SHOP = people(40, seed=5)
BUYERS = {"orders": "count", "at_least": 2}
EXPECTED = [person.number for person in SHOP if holds(BUYERS, person, AS_OF)]


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(BUYERS), encoding="utf-8")
    return path


def _run(settings: Settings, *arguments: str, stdin: str | None = None) -> Result:
    context = Context(settings)
    result = CliRunner().invoke(segment, list(arguments), obj=context, input=stdin)
    context.raw_database.dispose()
    return result


@pytest.mark.parametrize("engine", ["rows", "mirror"])
def test_count_prints_a_bare_number_and_list_one_customer_number_per_line(
    database: Database, settings: Settings, rule_file: Path, engine: str
) -> None:
    load(database, SHOP)
    options = ["--rule", str(rule_file), "--as-of", AS_OF.isoformat(), "--engine", engine]
    assert _run(settings, "count", *options).stdout == f"{len(EXPECTED)}\n"
    assert _run(settings, "list", *options).stdout.splitlines() == EXPECTED
    piped = _run(settings, "count", "--rule", "-", "--as-of", "2026-03-31T12:30:00", stdin=json.dumps(BUYERS))
    assert piped.stdout == f"{len(EXPECTED)}\n"


def test_nobody_is_an_empty_list(database: Database, settings: Settings) -> None:
    listed = _run(settings, "list", "--rule", "-", stdin='{"any": []}')
    assert (listed.stdout, listed.exit_code) == ("", 0)


def test_explain_prints_the_sentence_of_a_saved_segment(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule(BUYERS), now=AS_OF)
    assert _run(settings, "explain", "--name", "buyers").stdout == (
        "Customers who placed at least 2 orders.\n")
    missing = _run(settings, "explain", "--name", "byers")
    assert isinstance(missing.exception, NotFound) and 'no segment "byers"' in str(missing.exception)


@pytest.mark.parametrize(("text", "says"), [
    ('{"orders": "count", "atleast": 1}', 'unknown key "atleast". Did you mean "at_least"?'),
    ('{"orders": "count", "at_least": NaN}', "NaN is no number"),
    ('{"orders": ', "not JSON"),
    ("[" * 100_000, "nested too deeply"),
    ("", "not JSON"),
])
def test_a_wrong_rule_is_one_sentence(sqlite_database: Database, tmp_path: Path, text: str, says: str) -> None:
    settings = Settings(str(sqlite_database.engine.url), tmp_path, "x" * 16, "http://localhost", None, "duckdb:")
    wrong = _run(settings, "count", "--rule", "-", stdin=text)
    assert isinstance(wrong.exception, Invalid) and says in str(wrong.exception)


def test_neither_or_both_of_rule_and_name_is_wrong_use(
    sqlite_database: Database, tmp_path: Path, rule_file: Path
) -> None:
    settings = Settings(str(sqlite_database.engine.url), tmp_path, "x" * 16, "http://localhost", None, "duckdb:")
    assert _run(settings, "count").exit_code == 2
    assert _run(settings, "count", "--rule", str(rule_file), "--name", "x").exit_code == 2

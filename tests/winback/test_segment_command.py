"""`winback segment`: a bare number, customer numbers one per line, a sentence; errors in one sentence with a place."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from core.leases import take
from core.settings import Settings
from segments.language.rules import parse_rule
from segments.membership.stays import members
from segments.saving.saved import save_segment, segment_by_key
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


def test_refresh_prints_how_many_are_in_and_tells_who_moved(database: Database, settings: Settings) -> None:
    load(database, SHOP)
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule(BUYERS), now=AS_OF)
    done = _run(settings, "refresh", "--name", "buyers")
    assert (done.stdout, done.exit_code) == (f"{len(EXPECTED)}\n", 0)
    assert done.stderr == f"{len(EXPECTED)} came in, 0 left.\n"
    assert _run(settings, "refresh", "--name", "buyers").stderr == "0 came in, 0 left.\n"
    with database.reading() as session:
        assert len(members(session, segment_by_key(session, "buyers"), limit=1000)) == len(EXPECTED)
    assert isinstance(_run(settings, "refresh", "--name", "nobody").exception, NotFound)
    assert _run(settings, "refresh").exit_code == 2


def test_a_refresh_stands_back_while_another_one_is_at_it(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule(BUYERS), now=AS_OF)
    lease = take(database, "segment:buyers")
    assert lease is not None
    try:
        assert isinstance(_run(settings, "refresh", "--name", "buyers").exception, Conflict)
    finally:
        lease.release()


def test_freeze_prints_the_key_of_a_snapshot_that_keeps_its_people(
    database: Database, settings: Settings, rule_file: Path
) -> None:
    load(database, SHOP)
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule(BUYERS), now=AS_OF)
    named, ruled = _run(settings, "freeze", "--name", "buyers"), _run(settings, "freeze", "--rule", str(rule_file))
    keys = [named.stdout.strip(), ruled.stdout.strip()]
    assert len(set(keys)) == 2 and named.stderr == f"{len(EXPECTED)} people.\n"
    with database.writing() as session:
        save_segment(session, "buyers", name="Buyers", rule=parse_rule({"any": []}), now=AS_OF)
    for key in keys:
        counted = _run(settings, "count", "--rule", "-", stdin=json.dumps({"segment": key}))
        assert counted.stdout == f"{len(EXPECTED)}\n"
    assert _run(settings, "freeze", "--name", "buyers", "--as-of", "2026-01-01").exit_code == 2
    assert _run(settings, "freeze").exit_code == 2

"""Do `winback report` and `winback analyse` answer on stdout alone, and refuse with one sentence?"""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.clock import current_now
from core.database import Database
from core.settings import Settings
from tests.reporting.campaigns import Shelf
from winback.commands.reports import analyse, report
from winback.context import Context


@pytest.fixture
def context(database: Database, settings: Settings) -> Context:
    """A home with one small campaign that started ten days ago."""
    with database.writing() as session:
        at = current_now(session.connection()) - timedelta(days=10)
        shelf = Shelf(session, at=at)
        for arm in ("A", "B"):
            people = shelf.people(9, arm)
            shelf.redeem(people[0])
        shelf.people(2, held_out=True)
    return Context(settings)


def run(context: Context, *words: str) -> Result:
    return CliRunner().invoke(report, words, obj=context)


def test_json_stands_alone_on_stdout(context: Context) -> None:
    result = run(context, "spring", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert {"arms", "holdout", "effect", "srm", "verdict", "integrity", "maturity"} <= set(found)
    assert [arm["redeemed"] for arm in found["arms"]] == [1, 1]


def test_without_an_option_the_report_is_a_readable_table(context: Context) -> None:
    result = run(context, "spring")
    assert result.exit_code == 0
    assert "Response: what people did" in result.stdout


def test_the_csv_goes_to_a_file_or_to_stdout(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    result = run(context, "spring", "--csv", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    with path.open(newline="", encoding="utf-8") as opened:
        assert [row["group"] for row in csv.DictReader(opened)] == ["A", "B", "hold-out", "all written to"]
    assert run(context, "spring", "--csv", "-").stdout.startswith("campaign,as_of,")


def test_an_unknown_campaign_is_refused_by_name(context: Context) -> None:
    result = run(context, "autumn", "--json")
    assert result.exit_code != 0
    assert "There is no campaign called autumn" in str(result.exception)


def test_json_and_csv_together_are_wrong_use(context: Context) -> None:
    assert run(context, "spring", "--json", "--csv", "x.csv").exit_code == 2


def test_any_table_is_analysed_from_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("arm,hit,spend\n" + "a,1,5\na,0,0\nb,1,7\nb,1,9\n" * 20)
    words = [str(path), "--arm", "arm", "--control", "a", "--rate", "hit", "--mean", "spend"]
    result = CliRunner().invoke(analyse, [*words, "--json"])
    assert result.exit_code == 0
    assert [row["metric"] for row in json.loads(result.stdout)["comparisons"]] == ["hit", "spend"]
    assert "hit" in CliRunner().invoke(analyse, words).stdout


def test_an_analysis_without_a_column_is_wrong_use(tmp_path: Path) -> None:
    assert CliRunner().invoke(analyse, ["x.csv", "--arm", "a", "--control", "b"]).exit_code == 2

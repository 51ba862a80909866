"""The words, the streams and the exit codes of `winback import`."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.database import Database
from core.settings import Settings
from winback.commands.importing import import_command
from winback.context import Context


@pytest.fixture
def context(database: Database, settings: Settings) -> Context:
    """A command's surroundings over the test database."""
    return Context(settings)


def _run(context: Context, *arguments: str) -> Result:
    try:
        return CliRunner().invoke(import_command, arguments, obj=context)
    finally:
        context.raw_database.dispose()


def test_rejected_lines_are_counted_on_stdout_and_are_no_failure(context: Context, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("Nr,customer_id,ordered_at,unit_price\nO1,C1,2026-01-01,1\nO2,C1,never,1\n")
    result = _run(context, "orders", str(file), "--map", "Nr=order_id")
    assert result.exit_code == 0
    assert result.stdout == f"orders: 2 lines read, 1 imported, 1 rejected (see {tmp_path / 'orders.rejected.csv'})\n"
    assert "line 3: ordered_at: 'never' is not a date" in result.stderr


def test_a_dry_run_says_that_nothing_was_stored(context: Context, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("customer_id\nC1\n")
    result = _run(context, "customers", str(file), "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "customers: 1 line read, 1 would be imported, 0 rejected\n")


@pytest.mark.parametrize(("content", "words"), [
    ("name\nAnn\n", "customers.csv: The file lacks the column customer_id. It has: name."), ("", "is empty"),
    ("customer_id,country\nC1,Nowhere\n", "country: 'Nowhere'"),
])
def test_a_file_of_which_nothing_was_readable_exits_one(
    context: Context, tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(content)
    result = _run(context, "customers", str(file))
    assert result.exit_code == 1 and words in result.stderr


def test_a_missing_file_exits_one_with_one_sentence(context: Context) -> None:
    result = _run(context, "customers", "nowhere.csv")
    assert (result.exit_code, result.stdout) == (1, "") and "There is no file nowhere.csv." in result.stderr


@pytest.mark.parametrize("arguments", [("orderz", "x.csv"), ("orders",), ("orders", "x.csv", "--map", "a"),
                                       ("orders", "x.csv", "--map", "a=b", "--map", "a=c")])
def test_wrong_use_exits_two(context: Context, arguments: tuple[str, ...]) -> None:
    assert _run(context, *arguments).exit_code == 2


@pytest.mark.parametrize(("kind", "content"), [
    ("campaigns", "campaign_id,customer_id\n18,C1\n"), ("redemptions", "redemption_id,redeemed_at\nR1,2017-01-01\n"),
])
def test_history_comes_in_by_the_same_command(context: Context, tmp_path: Path, kind: str, content: str) -> None:
    file = tmp_path / "history.csv"
    file.write_text(content)
    assert _run(context, kind, str(file)).stdout == f"{kind}: 1 line read, 1 imported, 0 rejected\n"

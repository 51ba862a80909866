"""`winback mirror`: built, looked at, put in order and found damaged from the shell; the worker keeps it fresh."""

from datetime import timedelta

from click.testing import CliRunner, Result
from sqlalchemy import delete

from core.database import Database
from core.errors import NotReady
from core.settings import Settings
from customers.models import Customer
from segments.engines.mirrored import open_mirror
from segments.engines.questions import Questions
from tests.segments.population import load, people
from web.app import create_app
from winback.commands.mirror import mirror
from winback.context import Context
from winback.doctor import examine
from winback.keeping import Keeper, put_in_order


def _run(settings: Settings, *arguments: str) -> Result:
    context = Context(settings)
    result = CliRunner().invoke(mirror, list(arguments), obj=context)
    context.raw_database.dispose()
    return result


def test_the_mirror_is_built_looked_at_and_rebuilt_from_the_shell(database: Database, settings: Settings) -> None:
    load(database, people(30, seed=3))
    assert "There is no mirror yet" in _run(settings, "status").stdout
    for number, verb in enumerate(("refresh", "sort", "rebuild"), start=1):
        said = _run(settings, verb).stdout
        assert f"gen-0000000{number}.duckdb" in said and "customers: 30 rows" in said
    assert "customers: 30 rows" in _run(settings, "check").stdout
    opened = open_mirror(settings.home, database)
    manifest = opened.manifest()
    assert manifest is not None
    with (opened.folder / manifest.file).open("r+b") as file:
        file.truncate(5000)
    assert not next(iter(examine(Context(settings), areas=["mirror"]))).fine
    assert isinstance(_run(settings, "check").exception, NotReady)
    assert "gen-00000004.duckdb" in _run(settings, "refresh").stdout
    assert next(iter(examine(Context(settings), areas=["mirror"]))).fine


def test_metrics_tell_the_mirror_s_size_and_age(database: Database, settings: Settings) -> None:
    load(database, people(30, seed=3))
    client = create_app(settings, database).test_client()
    assert b"winback_mirror" not in client.get("/metrics").data
    assert _run(settings, "refresh").exit_code == 0
    told = client.get("/metrics").data.decode()
    numbers = dict(line.rsplit(" ", 1) for line in told.splitlines() if line.startswith("winback_mirror"))
    assert float(numbers['winback_mirror_rows{table="customers"}']) == 30
    assert float(numbers["winback_mirror_bytes"]) > 1000 and float(numbers["winback_mirror_age_seconds"]) >= 0


def test_the_worker_keeps_a_large_base_s_mirror_fresh_and_puts_it_in_order(
    database: Database, settings: Settings
) -> None:
    load(database, people(30, seed=3))
    context = Context(settings)
    keeper = Keeper(context)
    assert not keeper.look(), "the rows answer for a small base"
    keeper._questions = Questions(database, settings, engine="mirror")
    assert keeper.look() and not keeper.look()
    with database.writing() as session:
        session.execute(delete(Customer).where(Customer.id == -1))
    asked = keeper._questions.mirror
    manifest = asked.manifest()
    assert manifest is not None and not keeper._questions.refresh(now=manifest.at, when_due=True)
    assert keeper._questions.refresh(now=manifest.at + timedelta(hours=1), when_due=True)
    assert not put_in_order(context), "nothing to do for a base that the rows answer"
    keeper._questions.close()
    context.raw_database.dispose()

"""Shared fixtures: a migrated database on SQLite and on PostgreSQL, a fixed now, and an installation's home."""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

import core.database
from core.database import Database, open_database
from core.settings import Settings, read_settings
from tests.postgres import running_postgres
from tests.spare import SpareDatabases
from winback.schema import name_installation, upgrade

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ROOT = Path(__file__).parent.parent
PROOFS = os.environ.get("WINBACK_PROOFS") == "1"

# The same examples every time, and no verdict by the clock: what is red is red again when it is looked into.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("steady")

_KEPT: dict[str, tuple[Any, Any]] = {}


def _quick(make: Callable[..., Engine]) -> Callable[..., Engine]:
    """Engines that share what they have compiled with every other of their kind, and that do not wait for the disk.

    Each test has a database of its own, but the statements are the same; compiled for one they need not be compiled for
    the next. A process that is killed loses nothing the system has taken, so the drills hold without the disk.
    """

    def made(url: str, pool_size: int, **options: Any) -> Engine:
        engine = make(url, pool_size, **options)
        name = f"{engine.dialect.name} {sorted(options)}"
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
        if name not in _KEPT:
            with engine.connect():  # the first one learns the server's version
                _KEPT[name] = (engine.dialect, engine._compiled_cache)
        engine.dialect, engine._compiled_cache = _KEPT[name]
        return engine

    return made


core.database._sqlite_engine = _quick(core.database._sqlite_engine)
core.database._postgres_engine = _quick(core.database._postgres_engine)

only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""For what cannot happen on SQLite, where writers take turns."""


LONGEST_FIRST = ("/stories/", "/segments/", "/test_hammer.py", "/journeys/", "/web/", "/core/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the proofs to `make proofs`, and deal the rest to the workers by file, the longest first.

    So no worker is left alone at the end; browser tests wait more than they work, and begin beside the stories.
    """
    for item in items:
        if _database_of(item) == "postgresql" and (
                _asks_a_mirror(item) or _comes_later(item) or item.get_closest_marker("sqlite_first")):
            item.add_marker(pytest.mark.proofs)
    if not PROOFS:
        left_out = [item for item in items if item.get_closest_marker("proofs")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("proofs")]
    for item in items:
        kind = " in a browser" if item.get_closest_marker("browser") else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.relative_to(ROOT)}{kind}"))
    items.sort(key=_turn)


SQLITE_FIRST = (
    "/web/", "/winback/test_codes_command", "/winback/test_report_command", "/winback/test_segment_command",
    "/reporting/test_reports", "/reporting/test_responders", "/journeys/test_approval", "/journeys/test_checking_draft",
    "/journeys/test_leaving_out", "/journeys/test_versions", "/segments/saving/", "/segments/test_choices",
    "/campaigns/test_planning", "/coupons/test_desk_and_leaks", "/coupons/test_offers", "/coupons/test_simulating")
"""What is said by pages, commands and verbs whose statements are plain or tried on both elsewhere: PostgreSQL hears it
in the proofs."""
ON_BOTH = ("/web/test_every_link", "/web/test_express", "/web/test_health", "/web/test_shop_hooks")
MIRRORED = ("segments/test_proposals.py", "segments/test_figures.py", "winback/test_mirror_command.py")


def _asks_a_mirror(item: Any) -> bool:
    """Slow to fill for every test; what it says is tried in test_616.py, test_engines_agree.py and core's tests."""
    return "mirror" in item.callspec.params.values() or str(item.path).endswith(MIRRORED)


def _comes_later(item: pytest.Item) -> bool:
    path = str(item.path)
    return any(name in path for name in SQLITE_FIRST) and not any(name in path for name in ON_BOTH)


def _database_of(item: pytest.Item) -> Any:
    return item.callspec.params.get("database_url") if isinstance(item, pytest.Function) and hasattr(
        item, "callspec") else None


def pytest_collection_finish() -> None:
    """What importing every test has made stays: the garbage collector need not walk it during each of them."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """At the end all of it goes the usual way; some libraries complain of what is left over."""
    gc.unfreeze()


def _turn(item: pytest.Item) -> int:
    places = [place for place, room in enumerate(LONGEST_FIRST) if room in str(item.path)]
    return 0 if item.get_closest_marker("browser") else min(places, default=len(LONGEST_FIRST))


@pytest.fixture
def now() -> datetime:
    """A fixed instant: Monday 2 March 2026, 10:00 UTC."""
    return NOW


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A file that the first worker to need it makes, and the others find."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make(folder / f"{name}.unready")
            (folder / f"{name}.unready").rename(path)
    return path


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    return made_once(tmp_path_factory, "template.db", _migrated)


def _migrated(path: Path) -> None:
    database = open_database(f"sqlite:///{path}")
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "test", now=NOW)
    database.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of one PostgreSQL server for this test process."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A migrated PostgreSQL database to copy by CREATE DATABASE .. TEMPLATE."""
    _admin(postgres_server, "CREATE DATABASE template_winback")
    url = make_url(postgres_server).set(database="template_winback").render_as_string(hide_password=False)
    database = open_database(url)
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "test", now=NOW)
    database.dispose()
    return "template_winback"


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str, postgres_template: str) -> Iterator[SpareDatabases]:
    """Databases that are as the template is."""
    databases = SpareDatabases(postgres_server, postgres_template)
    yield databases
    databases.close()


def _admin(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated, empty database (a test installation), on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "winback.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    spares: SpareDatabases = request.getfixturevalue("postgres_databases")
    address = spares.take()
    yield address
    spares.give_back(address)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated, empty database, on SQLite and on PostgreSQL."""
    opened = open_database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """Like `database`, SQLite only: for what does not depend on the engine."""
    path = tmp_path / "winback.db"
    shutil.copyfile(sqlite_template, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The settings of an installation whose home is a temporary folder."""
    return read_settings(
        {"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_DATABASE_URL": database_url,
         "WINBACK_SECRET_KEY": "test-secret-key-0123456789"}
    )


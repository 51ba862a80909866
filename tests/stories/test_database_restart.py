"""The database is restarted in the middle of work: nothing twice, nothing lost, and a worker goes on by itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import make_url

from core.database import open_database
from core.settings import read_settings
from delivery.channels.memory import received
from delivery.models import Message
from tests.conftest import NOW
from tests.postgres import Restartable, restartable_postgres
from tests.stories.small_shop import last_day, open_shop
from tests.stories.test_kill_drill import ROOT, SECRET, _compare, _facts
from winback.schema import name_installation, upgrade

pytestmark = pytest.mark.proofs
PATIENCE = 600.0
DEAD = "others take this worker for dead"


class Shop:
    """A prepared shop on a server of its own, copied afresh for every run."""

    def __init__(self, server: Restartable, folder: Path) -> None:
        self.server, self.folder, self.runs = server, folder, 0
        self._admin("CREATE DATABASE shop")
        database = open_database(self._url("shop"))
        upgrade(database)
        with database.writing() as session:
            name_installation(session, "test", now=NOW)
        settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_DATABASE_URL": self._url("shop"),
                                  "WINBACK_SECRET_KEY": SECRET})
        self.until = last_day(open_shop(database, settings, folder / "files", customers=200)).isoformat()
        database.dispose()

    def fresh(self) -> dict[str, str]:
        """The environment of an untouched copy, and a folder in which to tell the command to go on."""
        self.runs += 1
        home = self.folder / f"home{self.runs}"
        home.mkdir()
        self._admin(f"CREATE DATABASE shop{self.runs} TEMPLATE shop")
        return {**os.environ, "WINBACK_HOME": str(home), "WINBACK_DATABASE_URL": self._url(f"shop{self.runs}"),
                "WINBACK_SECRET_KEY": SECRET}

    def _url(self, name: str) -> str:
        return make_url(self.server.url).set(database=name).render_as_string(hide_password=False)

    def _admin(self, statement: str) -> None:
        engine = create_engine(self.server.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with restartable_postgres() as server:
        yield Shop(server, tmp_path_factory.mktemp("restart"))


def _start(environment: dict[str, str], *command: str, statement: int = 0,
           stderr: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    launcher = ["-m", "tests.stories.pauser", str(statement), environment["WINBACK_HOME"]] if statement else [
        "-m", "winback"]
    return subprocess.Popen([sys.executable, *launcher, *command], env=environment, cwd=ROOT, text=True,
                            stdout=subprocess.DEVNULL, stderr=stderr)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)


def _restart_under(shop: Shop, environment: dict[str, str], running: subprocess.Popen[str]) -> None:
    """Restart the server while the command stands at its statement, then let it go on."""
    home = Path(environment["WINBACK_HOME"])
    _until(lambda: (home / "here").exists() or running.poll() is not None)
    assert running.poll() is None, "the command ended before it came to this statement"
    shop.server.restart()
    (home / "go").touch()


def _arrived(environment: dict[str, str]) -> list[str]:
    sink = Path(environment["WINBACK_HOME"]) / "outside.db"
    return [item.message_id for item in received(sink)] if sink.exists() else []


def _settled(environment: dict[str, str]) -> int:
    """How many messages went, or may have gone, by the ledger."""
    database = open_database(environment["WINBACK_DATABASE_URL"])
    try:
        with database.reading() as session:
            return session.scalar(select(func.count()).where(Message.state.in_(["sent", "uncertain"]))) or 0
    finally:
        database.dispose()


def test_a_tick_cut_off_by_a_restart_says_so_and_the_next_one_ends_like_an_undisturbed_run(shop: Shop) -> None:
    calm_world = shop.fresh()
    calm_run = _start(calm_world, "tick", "--until", shop.until)
    assert calm_run.wait(PATIENCE) == 0
    calm = _facts(calm_world)
    assert any(row[3] == "sent" for row in calm["ledger"])
    for statement in (60, 150, 400):
        environment = shop.fresh()
        cut = _start(environment, "tick", "--until", shop.until, statement=statement)
        _restart_under(shop, environment, cut)
        said = cut.communicate(timeout=PATIENCE)[1]
        assert cut.returncode == 1 and "Traceback" not in said, said
        assert "the database did not answer" in said or "was restarted" in said, said
        again = _start(environment, "tick", "--until", shop.until)
        assert again.wait(PATIENCE) == 0
        _compare(calm, _facts(environment), _arrived(environment))


def test_a_worker_goes_on_by_itself_under_a_new_name_when_the_database_is_back(shop: Shop) -> None:
    calm_world, environment = shop.fresh(), shop.fresh()
    calm_run = _start(calm_world, "tick")
    assert calm_run.wait(PATIENCE) == 0
    wanted = sum(row[3] == "sent" for row in _facts(calm_world)["ledger"])
    log = Path(environment["WINBACK_HOME"]) / "worker.log"
    with log.open("w", encoding="utf-8") as stderr:
        working = _start(environment, "worker", statement=150, stderr=stderr)
    try:
        _restart_under(shop, environment, working)
        _until(lambda: _settled(environment) >= wanted or working.poll() is not None)
        assert working.poll() is None
        # Whether it noticed the first restart is a matter of luck: its round may have ended before. Now it rests.
        noticed = log.read_text("utf-8").count(DEAD)
        shop.server.restart()
        _until(lambda: log.read_text("utf-8").count(DEAD) > noticed or working.poll() is not None)
        assert working.poll() is None
        working.send_signal(signal.SIGTERM)
        assert working.wait(PATIENCE) == 0
    finally:
        working.kill()
        working.wait()
    found = _facts(environment)
    assert len(_arrived(environment)) == len(set(_arrived(environment)))
    assert _settled(environment) == wanted and found["drift"] == []

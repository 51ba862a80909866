"""Kill -9 at any statement, start again: nothing twice, nothing lost, the same rows as an undisturbed run.

A real `winback tick --until` process is killed at statement N by an outside launcher and started again. One
N on SQLite in the tests; several on PostgreSQL, and with a mail server, in the proofs (`WINBACK_PROOFS=1`).
"""

import collections
import email
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url

from core.database import open_database
from core.settings import read_settings
from coupons.checks.invariants import drift
from coupons.models import Code
from customers.models import Customer
from delivery.channels.memory import received
from delivery.models import Message
from journeys.models import Enrolment, Visit
from tests.conftest import PROOFS
from tests.delivery.mail_server import OnFreePort
from tests.stories.small_shop import last_day, open_shop

SECRET = "kill-drill-secret-0123456789"
POINTS = 3 if PROOFS else 1
ROOT = Path(__file__).parent.parent.parent

Facts = dict[str, Any]


class Shop:
    """A prepared home and its database, copied afresh for every run."""

    def __init__(self, backend: str, template: Path, server: str | None, folder: Path) -> None:
        self.backend, self.template, self.server, self.folder = backend, template, server, folder
        self.runs = 0

    def fresh(self) -> dict[str, str]:
        """The environment of an untouched copy of the shop."""
        self.runs += 1
        home = self.folder / f"home{self.runs}"
        home.mkdir()
        if self.server is None:
            shutil.copyfile(self.template, home / "winback.db")
            url = f"sqlite:///{home / 'winback.db'}"
        else:
            name = f"drill_{os.getpid()}_{self.runs}"
            _admin(self.server, f"CREATE DATABASE {name} TEMPLATE drill_{os.getpid()}")
            url = make_url(self.server).set(database=name).render_as_string(hide_password=False)
        return {**os.environ, "WINBACK_HOME": str(home), "WINBACK_DATABASE_URL": url, "WINBACK_SECRET_KEY": SECRET}


def _admin(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, str]]:
    folder = tmp_path_factory.mktemp("drill")
    template, server = folder / "template.db", None
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), template)
        url = f"sqlite:///{template}"
    else:
        server = request.getfixturevalue("postgres_server")
        name = f"drill_{os.getpid()}"
        _admin(server, f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('postgres_template')}")
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
    database = open_database(url)
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_DATABASE_URL": url,
                              "WINBACK_SECRET_KEY": SECRET})
    plot = open_shop(database, settings, folder / "files")
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    database.dispose()
    yield Shop(request.param, template, server, folder), last_day(plot).isoformat()


def _tick(environment: dict[str, str], until: str, *, deadly: int | None = None, counts: Path | None = None) -> int:
    launcher = ["-m", "tests.stories.killer", str(deadly or 0), str(counts)] if counts or deadly else ["-m", "winback"]
    done = subprocess.run([sys.executable, *launcher, "tick", "--until", until], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=1200)
    assert done.returncode in ((0, -9) if deadly else (0,)), done.stderr
    return done.returncode


def _facts(environment: dict[str, str]) -> Facts:
    database = open_database(environment["WINBACK_DATABASE_URL"])
    with database.reading() as session:
        people = session.execute(
            select(Customer.external_id, Enrolment.arm, Enrolment.held_out, Enrolment.state, Enrolment.step)
            .join(Customer, Customer.id == Enrolment.customer_id).order_by(Customer.external_id)
        ).all()
        ledger = session.execute(
            select(Message.occasion, Customer.external_id, Message.channel, Message.state, Message.public_id,
                   Message.code.is_not(None), Message.sent_at, Message.expected_at)
            .join(Customer, Customer.id == Message.customer_id).order_by(Message.occasion)
        ).all()
        codes = session.execute(
            select(Customer.external_id, Code.offer_id, Code.state)
            .join(Customer, Customer.id == Code.customer_id).order_by(Customer.external_id, Code.offer_id)
        ).all()
        visits = session.execute(select(Visit.enrolment_id, Visit.number, Visit.step)
                                 .order_by(Visit.enrolment_id, Visit.number)).all()
        wrong = drift(session.connection())
    database.dispose()
    return {"people": [tuple(row) for row in people], "ledger": [tuple(row) for row in ledger],
            "codes": [tuple(row) for row in codes], "visits": [tuple(row) for row in visits], "drift": wrong}


def _sent_times(message_ids: list[str]) -> dict[str, int]:
    """How often each ledger row arrived; a Message-ID carries the row's public id."""
    return dict(collections.Counter(re.sub(r"^<winback\.|@.*$", "", text) for text in message_ids))


def _compare(calm: Facts, killed: Facts, arrived: list[str]) -> None:
    assert killed["drift"] == []
    times = _sent_times(arrived)
    assert [name for name, number in times.items() if number > 1] == [], "nothing may arrive twice"
    uncertain = {row[0] for row in killed["ledger"] if row[3] == "uncertain"}
    assert len(uncertain) <= 50, "only the chunk in flight may be uncertain"

    def certain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [row[:4] + row[5:] for row in rows if row[0] not in uncertain]

    assert [row[0] for row in killed["ledger"]] == [row[0] for row in calm["ledger"]], "the same occasions"
    if uncertain:
        left = {row[1] for row in killed["ledger"] if row[0] in uncertain}
        assert [row for row in certain(killed["ledger"]) if row[1] not in left] == [
            row for row in certain(calm["ledger"]) if row[1] not in left]
        assert [row for row in killed["people"] if row[0] not in left] == [
            row for row in calm["people"] if row[0] not in left]
    else:
        assert certain(killed["ledger"]) == certain(calm["ledger"])
        assert killed["people"] == calm["people"]
        assert killed["visits"] == calm["visits"]
    assert killed["codes"] == calm["codes"]
    missing = {row[4] for row in killed["ledger"] if row[2] == "email" and row[3] == "sent"} - set(times)
    assert missing == set(), "what the ledger calls sent has arrived"


def _points(total: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(2, total), min(POINTS, total - 2)))


@pytest.mark.deeper
@pytest.mark.parametrize("shop", ["postgresql" if PROOFS else "sqlite"], indirect=True)
def test_killed_at_any_statement_a_second_run_ends_like_an_undisturbed_one(shop: tuple[Shop, str]) -> None:
    kept, until = shop
    counts = kept.folder / "count"
    environment = kept.fresh()
    _tick(environment, until, counts=counts)
    calm = _facts(environment)
    assert any(row[3] == "sent" for row in calm["ledger"]) and len(calm["people"]) > 30
    _tick(environment, until)
    assert _facts(environment) == calm, "running again changes nothing"
    for deadly in _points(int(counts.read_text(encoding="ascii")), seed=7 + len(kept.backend)):
        environment = kept.fresh()
        assert _tick(environment, until, deadly=deadly, counts=counts) == -9
        _tick(environment, until)
        sink = Path(environment["WINBACK_HOME"]) / "outside.db"
        _compare(calm, _facts(environment), [item.message_id for item in received(sink)] if sink.exists() else [])


class _Inbox:
    """A real SMTP server's handler that remembers every mail it answered for."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content)
        self.ids.append(str(mail["Message-ID"]))
        return "250 taken"


@pytest.mark.proofs
@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_killed_while_talking_to_a_mail_server_nobody_gets_a_mail_twice(shop: tuple[Shop, str]) -> None:
    kept, until = shop
    inbox = _Inbox()
    controller = OnFreePort(inbox)
    controller.start()
    try:
        server = {"WINBACK_SMTP_URL": f"smtp://127.0.0.1:{controller.port}"}
        counts = kept.folder / "count-smtp"
        environment = kept.fresh() | server
        _tick(environment, until, counts=counts)
        calm = _facts(environment)
        for deadly in _points(int(counts.read_text(encoding="ascii")), seed=11)[:2]:
            inbox.ids.clear()
            environment = kept.fresh() | server
            assert _tick(environment, until, deadly=deadly, counts=counts) == -9
            _tick(environment, until)
            _compare(calm, _facts(environment), list(inbox.ids))
    finally:
        controller.stop()
